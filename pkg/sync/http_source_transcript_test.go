package specsync

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// recordedRequest is a request of an official SDK, as it was recorded.
type recordedRequest struct {
	Kind    string      `json:"kind"`
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Query   [][2]string `json:"query"`
	Headers [][2]string `json:"headers"`
}

func recordedRequests(t *testing.T, pattern string) []recordedRequest {
	t.Helper()
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR does not say where the recorded requests are")
	}
	files, err := filepath.Glob(filepath.Join(dir, "transcripts", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no recorded requests: %v", err)
	}
	var requests []recordedRequest
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			if len(lines.Bytes()) == 0 {
				continue
			}
			var r recordedRequest
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			requests = append(requests, r)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return requests
}

// TestRequestsAreThoseOfTheOfficialSDK asks for each document as the SDK did when it held the same, and compares what
// reaches the server. Protobuf and deltas are left out; what is asked for beside the SDK's headers is not compared.
func TestRequestsAreThoseOfTheOfficialSDK(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body(noUpdates)(w, r)
	}))
	defer server.Close()
	c, err := NewClient(ClientOptions{Key: secret.NewKey("secret-oracle")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.closeIdle()
	source, err := NewHTTPSource(c, "HTTP", server.URL+"/v2")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, want := range recordedRequests(t, "node-core.*.jsonl") {
		if want.Kind != "specs" {
			continue
		}
		compared++
		query := map[string]string{}
		for _, q := range want.Query {
			query[q[0]] = q[1]
		}
		delete(query, "supports_proto")
		delete(query, "accept_deltas")
		have := Have{Checksum: query["checksum"]}
		have.Time, _ = strconv.ParseInt(query["sinceTime"], 10, 64)
		if _, err := source.Fetch(t.Context(), have); err != nil {
			t.Fatal(err)
		}
		compareRequests(t, want, query, got)
	}
	if compared == 0 {
		t.Error("no request was compared")
	}
}

func compareRequests(t *testing.T, want recordedRequest, wantQuery map[string]string, got *http.Request) {
	t.Helper()
	if got.Method != want.Method || got.URL.Path != want.Path {
		t.Errorf("want %s %s, got %s %s", want.Method, want.Path, got.Method, got.URL.Path)
	}
	gotQuery := map[string]string{}
	for name, values := range got.URL.Query() {
		gotQuery[name] = strings.Join(values, ",")
	}
	if diff := cmp.Diff(wantQuery, gotQuery); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	for _, header := range want.Headers {
		name, value := header[0], header[1]
		sent := got.Header.Get(name)
		switch name {
		case "host", "statsig-supports-proto":
		case "statsig-api-key", "accept":
			if sent != value {
				t.Errorf("header %s: want %q, got %q", name, value, sent)
			}
		case "accept-encoding":
			announced := strings.Split(sent, ", ")
			for coding := range strings.SplitSeq(value, ", ") {
				if coding != "statsig-br" && !slices.Contains(announced, coding) {
					t.Errorf("the encoding %s is not announced: %q", coding, sent)
				}
			}
		default:
			if sent == "" {
				t.Errorf("there is no header %s in %v", name, slices.Sorted(maps.Keys(got.Header)))
			}
		}
	}
}

// TestPathsAreThoseOfTheLegacySDK has the addresses of the older SDKs, which Statsig's API still serves.
func TestPathsAreThoseOfTheLegacySDK(t *testing.T) {
	paths := map[string]bool{}
	for _, want := range recordedRequests(t, "go-v1.*.jsonl") {
		if want.Kind == "specs" {
			paths[want.Path] = true
		}
	}
	server := &stub{handler: body(noUpdates)}
	source, err := NewHTTPSource(server.client(t, "secret-oracle"), "API", APIBaseURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Fetch(t.Context(), Have{}); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server.seen()[0].url)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{u.Path: true}, paths); diff != "" {
		t.Errorf("paths (-recorded by us +by the SDK):\n%s", diff)
	}
}
