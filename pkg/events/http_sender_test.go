package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

const testKey = "secret-7hQz9LmT4xkeytext"

func TestRequestIsWhatStatsigExpects(t *testing.T) {
	type seen struct {
		Method, Path string
		Header       map[string]string
		Body         any
	}
	requests := make(chan seen, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got := seen{Method: r.Method, Path: r.URL.Path, Header: map[string]string{}}
		for name := range r.Header {
			got.Header[name] = r.Header.Get(name)
		}
		_ = json.Unmarshal(gunzip(body), &got.Body)
		delete(got.Header, "Content-Length")
		requests <- got
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	defer server.Close()

	o := mustOptions(t, Options{
		SDKKey: secret.NewKey(testKey), URL: server.URL + "/v1/log_event", SDKVersion: "1.2.3", ServiceName: "svc",
		SessionID: "42107d3e-6fa7-4ed3-b0e5-a4f0bbb24f91", BatchSize: 50, MaxPendingBatches: 7, FlushInterval: 5 * time.Second,
		Now: func() time.Time { return time.UnixMilli(1795186904153) },
	})
	l := newLogger(o, newHTTPSender(o))
	b := &batch{flush: flushManual}
	b.append([]byte(`{"eventName":"a"}`), noKey)
	b.append([]byte(`{"eventName":"b"}`), noKey)
	if err := l.sender.send(t.Context(), request{body: l.encoder.encode(b), events: b.len(), attempt: 3}); err != nil {
		t.Fatalf("send: %v", err)
	}
	got := <-requests
	metadata := got.Body.(map[string]any)["statsigMetadata"].(map[string]any)
	for _, name := range []string{"os", "arch", "languageVersion"} {
		if metadata[name] == "" {
			t.Errorf("metadata lacks %s", name)
		}
		delete(metadata, name)
	}
	want := seen{
		Method: http.MethodPost,
		Path:   "/v1/log_event",
		Header: map[string]string{
			"Accept":                    "*/*",
			"Accept-Encoding":           "gzip",
			"Content-Encoding":          "gzip",
			"Content-Type":              "application/json",
			"User-Agent":                "statsig-operator/1.2.3",
			"X-Request-Service":         "svc",
			"Statsig-Api-Key":           testKey,
			"Statsig-Client-Time":       "1795186904153",
			"Statsig-Event-Count":       "2",
			"Statsig-Retry-Count":       "3",
			"Statsig-Sdk-Type":          "statsig-operator",
			"Statsig-Sdk-Version":       "1.2.3",
			"Statsig-Server-Session-Id": "42107d3e-6fa7-4ed3-b0e5-a4f0bbb24f91",
		},
		Body: map[string]any{
			"events": []any{map[string]any{"eventName": "a"}, map[string]any{"eventName": "b"}},
			"statsigMetadata": map[string]any{
				"sdkType": "statsig-operator", "sdkVersion": "1.2.3", "sessionID": "42107d3e-6fa7-4ed3-b0e5-a4f0bbb24f91",
				"service_name": "svc", "flushingIntervalMs": 5000.0, "batchSize": 50.0, "maxPendingBatches": 7.0, "flushType": "manual",
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request differs (-want +got):\n%s", diff)
	}
}

func TestAnswersAreRead(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		status     int
		retryAfter string
		body       string
		want       error       // matched by the error
		wantStatus StatusError // zero when the error is none
	}{
		"success true is a delivery":              {status: 202, body: `{"success":true}`},
		"an object without success is a delivery": {status: 200, body: `{}`},
		"success null is a delivery":              {status: 200, body: `{"success":null}`},
		"success false is not":                    {status: 202, body: `{"success":false}`, want: ErrUnsuccessful},
		"an empty answer is not":                  {status: 202, want: ErrUnsuccessful},
		"a page is not":                           {status: 200, body: `<html>`, want: ErrUnsuccessful},
		"null is not":                             {status: 200, body: `null`, want: ErrUnsuccessful},
		"a list is not":                           {status: 200, body: `[]`, want: ErrUnsuccessful},
		"success as text is not":                  {status: 200, body: `{"success":"true"}`, want: ErrUnsuccessful},
		"a truncated answer is not":               {status: 200, body: `{"success":tr`, want: ErrUnsuccessful},
		"an endless answer is not":                {status: 200, body: `{"success":true` + strings.Repeat(" ", 1<<20) + "}", want: ErrUnsuccessful},
		"a status is reported":                    {status: 500, body: `{"success":true}`, wantStatus: StatusError{Status: 500}},
		"seconds to wait are read":                {status: 429, retryAfter: "120", wantStatus: StatusError{Status: 429, RetryAfter: 2 * time.Minute}},
		"a date to wait for is read": {
			status: 503, retryAfter: now.Add(90 * time.Second).Format(http.TimeFormat), wantStatus: StatusError{Status: 503, RetryAfter: 90 * time.Second},
		},
		"a date in the past means nothing":  {status: 503, retryAfter: now.Add(-time.Hour).Format(http.TimeFormat), wantStatus: StatusError{Status: 503}},
		"nonsense means nothing":            {status: 503, retryAfter: "-5", wantStatus: StatusError{Status: 503}},
		"the wait is bounded":               {status: 503, retryAfter: "4000000000", wantStatus: StatusError{Status: 503, RetryAfter: time.Hour}},
		"a refused key is told by its type": {status: 403, want: ErrUnauthorized, wantStatus: StatusError{Status: 403}},
		"a missing key too":                 {status: 401, want: ErrUnauthorized, wantStatus: StatusError{Status: 401}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newTestSender(t, roundTripFunc(func(r *http.Request) (*http.Response, error) {
				return response(r, tc.status, tc.retryAfter, tc.body), nil
			}), func() time.Time { return now })
			err := s.send(t.Context(), request{})
			if tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("error = %v, want %v", err, tc.want)
			}
			if isDelivered := tc.want == nil && tc.wantStatus.Status == 0; isDelivered != (err == nil) {
				t.Errorf("error = %v, want none: %t", err, isDelivered)
			}
			var got StatusError
			if status, ok := errors.AsType[*StatusError](err); ok {
				got = *status
			}
			if diff := cmp.Diff(tc.wantStatus, got); diff != "" {
				t.Errorf("status error differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRedirectDoesNotCarryTheKeyAway(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("redirect was followed with key %q", r.Header.Get("Statsig-Api-Key"))
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	o := mustOptions(t, Options{URL: server.URL})
	var got *StatusError
	if err := newHTTPSender(o).send(t.Context(), request{}); !errors.As(err, &got) || got.Status != http.StatusTemporaryRedirect {
		t.Errorf("error = %v, want status 307", err)
	}
}

func TestErrorsHoldNeitherKeyNorURLNorPayload(t *testing.T) {
	const payload = "payload-marker"
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	_ = closed.Close()
	echo := func(r *http.Request) string {
		body, _ := io.ReadAll(r.Body)
		return r.URL.String() + " " + r.Header.Get("Statsig-Api-Key") + " " + string(body)
	}
	tests := map[string]http.RoundTripper{
		"nobody listens": http.DefaultTransport,
		"an error of the transport that quotes the request": roundTripFunc(func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("proxy refused key %s", r.Header.Get("Statsig-Api-Key"))
		}),
		"a refusal that echoes the request": roundTripFunc(func(r *http.Request) (*http.Response, error) {
			return response(r, 403, "", echo(r)), nil
		}),
		"an answer that is not JSON and echoes the request": roundTripFunc(func(r *http.Request) (*http.Response, error) {
			return response(r, 200, "", echo(r)), nil
		}),
		"an answer that breaks off": roundTripFunc(func(r *http.Request) (*http.Response, error) {
			resp := response(r, 200, "", "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(echo(r)), brokenReader{}))
			return resp, nil
		}),
		"a timeout": roundTripFunc(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}),
	}
	for name, transport := range tests {
		t.Run(name, func(t *testing.T) {
			o := mustOptions(t, Options{
				SDKKey: secret.NewKey(testKey), URL: "http://" + address + "/log_event?k=" + testKey,
				Transport: transport, RequestTimeout: 50 * time.Millisecond,
			})
			err := newHTTPSender(o).send(t.Context(), request{body: []byte(payload), events: 1})
			if err == nil {
				t.Fatal("no error")
			}
			for text := fmt.Sprintf("%v %+v %#v", err, err, err); ; text, err = fmt.Sprintf("%v %#v", err, err), errors.Unwrap(err) {
				for _, leak := range []string{testKey, "log_event", payload} {
					if strings.Contains(text, leak) {
						t.Errorf("error holds %q: %s", leak, text)
					}
				}
				if err == nil {
					break
				}
			}
		})
	}
}

func TestTimeoutIsToldByItsType(t *testing.T) {
	s := newTestSender(t, roundTripFunc(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}), time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.send(ctx, request{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want %v", err, context.Canceled)
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) {
	return 0, errors.New("connection reset while reading " + testKey)
}

func response(r *http.Request, status int, retryAfter, body string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
	if retryAfter != "" {
		resp.Header.Set("Retry-After", retryAfter)
	}
	return resp
}

func newTestSender(t *testing.T, transport http.RoundTripper, now func() time.Time) *httpSender {
	t.Helper()
	return newHTTPSender(mustOptions(t, Options{Transport: transport, Now: now}))
}
