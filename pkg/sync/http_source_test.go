package specsync

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

func TestHTTPSourceRequest(t *testing.T) {
	cases := map[string]struct {
		base string
		have Have
		want string
	}{
		"a first request has no query": {
			base: "http://specs.test", want: "http://specs.test/download_config_specs/secret-Test%2FKey+%250123456789.json",
		},
		"slashes at the end of the URL make no difference": {
			base: "https://specs.test:8443/v2//",
			want: "https://specs.test:8443/v2/download_config_specs/secret-Test%2FKey+%250123456789.json",
		},
		"what is held is named": {
			base: "http://specs.test", have: Have{Time: 17, Checksum: "a&b"},
			want: "http://specs.test/download_config_specs/secret-Test%2FKey+%250123456789.json?sinceTime=17&checksum=a%26b",
		},
		"a document without a checksum is named by its time": {
			base: "http://specs.test", have: Have{Time: 17},
			want: "http://specs.test/download_config_specs/secret-Test%2FKey+%250123456789.json?sinceTime=17",
		},
		"Statsig's CDN": {
			base: CDNBaseURL, want: "https://api.statsigcdn.com/v2/download_config_specs/secret-Test%2FKey+%250123456789.json",
		},
		"Statsig's API": {
			base: APIBaseURL, want: "https://statsigapi.net/v1/download_config_specs/secret-Test%2FKey+%250123456789.json",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := &stub{handler: body(noUpdates)}
			source, err := NewHTTPSource(server.client(t, testKey), "HTTP", tc.base)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := source.Fetch(t.Context(), tc.have)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Answer{Document: []byte(noUpdates), Origin: OriginNetwork}, answer); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if got := server.seen()[0]; got.method != http.MethodGet || got.url != tc.want {
				t.Errorf("want GET %s, got %s %s", tc.want, got.method, got.url)
			}
		})
	}
}

func TestHTTPSourceHeaders(t *testing.T) {
	server := &stub{handler: body(noUpdates)}
	source, err := NewHTTPSource(server.client(t, testKey), "HTTP", "http://specs.test")
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().UnixMilli()
	if _, err := source.Fetch(t.Context(), Have{}); err != nil {
		t.Fatal(err)
	}
	got := server.seen()[0].header
	if sent := got.Get("Statsig-Client-Time"); len(sent) != 13 || sent < strconv.FormatInt(before, 10) {
		t.Errorf("client time: want Unix milliseconds, got %q", sent)
	}
	got.Del("Statsig-Client-Time")
	want := http.Header{
		"Accept":                    {"*/*"},
		"Accept-Encoding":           {"gzip, deflate, br, zstd"},
		"Statsig-Api-Key":           {testKey},
		"Statsig-Sdk-Type":          {"statsig-operator"},
		"Statsig-Sdk-Version":       {"1.2.3"},
		"Statsig-Server-Session-Id": {"session"},
		"User-Agent":                {"statsig-operator/1.2.3"},
		"X-Request-Service":         {"svc"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestStatuses(t *testing.T) {
	cases := map[string]struct {
		code             int
		retryAfter       string
		wantUnauthorized bool
		want             StatusError
		wantText         string
	}{
		"the key is refused":     {code: 401, wantUnauthorized: true, want: StatusError{Code: 401}, wantText: "401 Unauthorized"},
		"the key is not allowed": {code: 403, wantUnauthorized: true, want: StatusError{Code: 403}, wantText: "403 Forbidden"},
		"too many requests": {
			code: 429, retryAfter: "7", want: StatusError{Code: 429, RetryAfter: 7 * time.Second}, wantText: "429 Too Many Requests",
		},
		"a wait beyond reason is shortened": {
			code: 503, retryAfter: "99999999999", want: StatusError{Code: 503, RetryAfter: time.Hour}, wantText: "503 Service Unavailable",
		},
		"a wait beyond all numbers is shortened": {
			code: 503, retryAfter: "99999999999999999999999", want: StatusError{Code: 503, RetryAfter: time.Hour}, wantText: "503",
		},
		"a negative wait is none":       {code: 503, retryAfter: "-5", want: StatusError{Code: 503}, wantText: "503"},
		"a wait that is no time":        {code: 500, retryAfter: "soon", want: StatusError{Code: 500}, wantText: "500 Internal Server Error"},
		"a status without a name":       {code: 599, want: StatusError{Code: 599}, wantText: "answered 599"},
		"an answer without a document":  {code: 204, want: StatusError{Code: 204}, wantText: "204 No Content"},
		"a range nobody asked for":      {code: 206, want: StatusError{Code: 206}, wantText: "206 Partial Content"},
		"a redirect that leads nowhere": {code: 304, want: StatusError{Code: 304}, wantText: "304 Not Modified"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := &stub{handler: func(w http.ResponseWriter, _ *http.Request) {
				if tc.retryAfter != "" {
					w.Header().Set("Retry-After", tc.retryAfter)
				}
				w.WriteHeader(tc.code)
			}}
			source, err := NewHTTPSource(server.client(t, testKey), "HTTP", "http://specs.test")
			if err != nil {
				t.Fatal(err)
			}
			_, err = source.Fetch(t.Context(), Have{})
			var got *StatusError
			if !errors.As(err, &got) {
				t.Fatalf("want a StatusError, got %v", err)
			}
			if diff := cmp.Diff(tc.want, *got, cmp.AllowUnexported(StatusError{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if errors.Is(err, ErrUnauthorized) != tc.wantUnauthorized {
				t.Errorf("ErrUnauthorized: want %v", tc.wantUnauthorized)
			}
			if !strings.Contains(err.Error(), tc.wantText) || !strings.Contains(err.Error(), "http://specs.test") {
				t.Errorf("want %q and the host in %q", tc.wantText, err)
			}
		})
	}
}

func TestRetryAfterAsADate(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		value string
		want  time.Duration
	}{
		"a date to come":            {at.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second},
		"a date gone by is no wait": {at.Add(-time.Hour).Format(http.TimeFormat), 0},
		"a distant date":            {at.Add(1000 * time.Hour).Format(http.TimeFormat), time.Hour},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := parseRetryAfter(tc.value, at); got != tc.want {
				t.Errorf("want %s, got %s", tc.want, got)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
	defer other.Close()
	cases := map[string]struct {
		// location is where the first request is sent on to.
		location func(r *http.Request) string
		want     string
		wantErr  string
	}{
		"to another path of the same host is followed": {
			location: func(*http.Request) string { return "/moved" }, want: noUpdates,
		},
		"to another host is refused": {
			location: func(r *http.Request) string { return other.URL + r.URL.Path }, wantErr: transport.ErrRedirect.Error(),
		},
		"to another scheme is refused": {
			location: func(r *http.Request) string { return "https://" + r.Host + "/" }, wantErr: transport.ErrRedirect.Error(),
		},
		"round and round ends": {
			location: func(r *http.Request) string { return r.URL.Path }, wantErr: "more than 3 redirects",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/moved" {
					body(noUpdates)(w, r)
					return
				}
				w.Header().Set("Location", tc.location(r))
				w.WriteHeader(http.StatusFound)
			}))
			defer server.Close()
			c, err := NewClient(ClientOptions{Key: secret.NewKey("secret-0123456789")})
			if err != nil {
				t.Fatal(err)
			}
			defer c.closeIdle()
			source, err := NewHTTPSource(c, "HTTP", server.URL)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := source.Fetch(t.Context(), Have{})
			if tc.wantErr == "" && err != nil || tc.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tc.wantErr)) {
				t.Errorf("error: want %q, got %v", tc.wantErr, err)
			}
			if string(answer.Document) != tc.want {
				t.Errorf("want %q, got %q", tc.want, answer.Document)
			}
		})
	}
}

func TestClientOptionsAreChecked(t *testing.T) {
	for name, key := range map[string]string{
		"an empty key":            "",
		"a key with a line break": "secret-abc\n",
		"a key with a blank":      "secret abc",
		"a key outside ASCII":     "secret-äbc",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewClient(ClientOptions{Key: secret.NewKey(key)})
			if err == nil {
				t.Fatal("want an error")
			}
			if key != "" && strings.Contains(err.Error(), strings.TrimSpace(key)) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func TestBaseURLsAreChecked(t *testing.T) {
	c := (&stub{}).client(t, testKey)
	for name, base := range map[string]string{
		"empty":           "",
		"no scheme":       "specs.test",
		"another scheme":  "ftp://user:password@specs.test",
		"no host":         "http:///path",
		"unreadable":      "http://user:password@specs.test:port",
		"with a query":    "http://user:password@specs.test?a=b",
		"with a fragment": "http://user:password@specs.test#a",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewHTTPSource(c, "HTTP", base)
			if err == nil {
				t.Fatal("want an error")
			}
			if strings.Contains(err.Error(), "password") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}
