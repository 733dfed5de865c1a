package specsync

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wantStatus fails the test unless err is of this status; 0 is no error.
func wantStatus(t *testing.T, err error, want int) {
	t.Helper()
	status, ok := errors.AsType[*StatusError](err)
	if want == 0 && err != nil || want != 0 && (!ok || status.Code != want) {
		t.Errorf("status: want %d, got %v", want, err)
	}
}

func TestForwardProxyAddresses(t *testing.T) {
	cases := map[string]struct {
		address   string
		wantSpecs string
		wantLists string
	}{
		"host and port": {
			address:   "proxy.test:8000",
			wantSpecs: "http://proxy.test:8000/v2/download_config_specs/secret-0123456789.json", wantLists: "http://proxy.test:8000/v1/get_id_lists",
		},
		"an http URL": {
			address:   "http://proxy.test:8000/",
			wantSpecs: "http://proxy.test:8000/v2/download_config_specs/secret-0123456789.json", wantLists: "http://proxy.test:8000/v1/get_id_lists",
		},
		"an https URL": {
			address:   "https://proxy.test:8443",
			wantSpecs: "https://proxy.test:8443/v2/download_config_specs/secret-0123456789.json", wantLists: "https://proxy.test:8443/v1/get_id_lists",
		},
		"a proxy behind a path": {
			address:   "https://apps.test/statsig/",
			wantSpecs: "https://apps.test/statsig/v2/download_config_specs/secret-0123456789.json", wantLists: "https://apps.test/statsig/v1/get_id_lists",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := &stub{handler: body(noUpdates)}
			source, err := NewForwardProxySource(server.client(t, "secret-0123456789"), tc.address)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := source.Fetch(t.Context(), Have{Time: 17})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Answer{Document: []byte(noUpdates), Origin: OriginNetwork}, answer); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			got := server.seen()[0]
			if got.method != http.MethodGet || got.url != tc.wantSpecs+"?sinceTime=17" || got.header.Get("Statsig-Api-Key") != "secret-0123456789" {
				t.Errorf("want GET %s with the key, got %s %s", tc.wantSpecs, got.method, got.url)
			}
			if lists, err := ForwardProxyIDListsURL(tc.address); err != nil || lists != tc.wantLists {
				t.Errorf("ID lists: want %s, got %s, %v", tc.wantLists, lists, err)
			}
		})
	}
}

func TestForwardProxyAddressesAreChecked(t *testing.T) {
	c := (&stub{}).client(t, testKey)
	for name, address := range map[string]string{
		"empty":             "",
		"another scheme":    "grpc://user:hunter2@proxy.test:50051",
		"no host":           "http:///hunter2",
		"unreadable":        "http://user:hunter2@proxy.test:port",
		"with a query":      "http://proxy.test?key=hunter2",
		"with the version":  "http://proxy.test:8000/v1/",
		"with all the path": "http://proxy.test:8000/v2/download_config_specs/hunter2.json",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewForwardProxySource(c, address)
			_, listsErr := ForwardProxyIDListsURL(address)
			for _, err := range []error{err, listsErr} {
				if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "forward proxy") {
					t.Errorf("want a clean error, got %v", err)
				}
			}
		})
	}
	if _, err := NewForwardProxySource(nil, "http://proxy.test"); err == nil {
		t.Error("a source without a client was made")
	}
}

// TestAForwardProxyDoesNotJudgeKeys is about its answer as long as it has no specs, whatever the reason.
func TestAForwardProxyDoesNotJudgeKeys(t *testing.T) {
	cases := map[string]struct {
		handler  http.HandlerFunc
		want     StatusError
		wantText string
	}{
		"401": {
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusUnauthorized)
			},
			want: StatusError{Code: http.StatusUnauthorized, RetryAfter: 7 * time.Second, keyless: true},
			wantText: "asking http://proxy.test:8000: the server answered 401 Unauthorized: the forward proxy has no config specs " +
				"for this SDK key, because Statsig refused the key or could not be reached",
		},
		"403 of something in front of it": {
			handler:  status(http.StatusForbidden),
			want:     StatusError{Code: http.StatusForbidden, keyless: true},
			wantText: "asking http://proxy.test:8000: the server answered 403 Forbidden",
		},
		"another status": {
			handler:  status(http.StatusBadGateway),
			want:     StatusError{Code: http.StatusBadGateway},
			wantText: "asking http://proxy.test:8000: the server answered 502 Bad Gateway",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			source, err := NewForwardProxySource((&stub{handler: tc.handler}).client(t, testKey), "proxy.test:8000")
			if err != nil {
				t.Fatal(err)
			}
			_, err = source.Fetch(t.Context(), Have{})
			wantClean(t, err)
			got, ok := errors.AsType[*StatusError](err)
			if !ok {
				t.Fatalf("want a StatusError, got %v", err)
			}
			if diff := cmp.Diff(tc.want, *got, cmp.AllowUnexported(StatusError{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if errors.Is(err, ErrUnauthorized) || outcomeOf(err) != OutcomeStatus {
				t.Error("the status passes for a verdict on the key")
			}
			if err.Error() != tc.wantText {
				t.Errorf("want %q, got %q", tc.wantText, err)
			}
		})
	}
}

func TestErrorsOfAForwardProxyAreClean(t *testing.T) {
	for name, broken := range map[string]error{"refused": errors.New("reading " + testKey), "cut": errors.New("/v2/download_config_specs?sinceTime=1")} {
		t.Run(name, func(t *testing.T) {
			source, err := NewForwardProxySource((&stub{broken: broken}).client(t, testKey), "http://user:hunter2@proxy.test:8000")
			if err != nil {
				t.Fatal(err)
			}
			_, err = source.Fetch(t.Context(), Have{Time: 1, Checksum: "a"})
			if err == nil || strings.Contains(err.Error(), testKey) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want a clean error, got %v", err)
			}
		})
	}
}
