package specsync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// testKey holds characters that URLs escape, so that a leak in either form is found.
const testKey = "secret-Test/Key+%0123456789"

// stub is a server without a network, as the transport of an http.Client. It suits synctest bubbles.
type stub struct {
	mu      sync.Mutex
	handler http.HandlerFunc
	// broken, when set, is what the connection breaks with.
	broken   error
	requests []seenRequest
}

type seenRequest struct {
	at          time.Time
	method, url string
	header      http.Header
}

func (s *stub) serve(handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler, s.broken = handler, nil
}

func (s *stub) breakWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

func (s *stub) seen() []seenRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seenRequest(nil), s.requests...)
}

// take returns the requests since the last take as "METHOD path range".
func (s *stub) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, r := range s.requests {
		_, path, _ := strings.Cut(r.url, ".test")
		lines = append(lines, strings.TrimSpace(r.method+" "+path+" "+r.header.Get("Range")))
	}
	s.requests = nil
	return lines
}

func (s *stub) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.requests = append(s.requests, seenRequest{time.Now(), req.Method, req.URL.String(), req.Header.Clone()})
	handler, broken := s.handler, s.broken
	s.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	recorder := httptest.NewRecorder()
	handler(recorder, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

func (s *stub) client(tb testing.TB, key string) *Client {
	tb.Helper()
	c, err := NewClient(ClientOptions{
		Key: secret.NewKey(key), Transport: s, SDKVersion: "1.2.3", SessionID: "session", ServiceName: "svc",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// options are those of a project with one HTTP source.
func (s *stub) options(tb testing.TB) Options {
	tb.Helper()
	c := s.client(tb, testKey)
	source, err := NewHTTPSource(c, "HTTP", "http://specs.test")
	if err != nil {
		tb.Fatal(err)
	}
	return Options{Client: c, Sources: []Source{source}}
}

// newSyncer fails the test on an error.
func newSyncer(tb testing.TB, o Options) *Syncer {
	tb.Helper()
	s, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// run runs s in a bubble until the test's end, and returns when its first poll is over.
func run(t *testing.T, s *Syncer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
}

// specs is a document with one gate.
func specs(lcut int64, checksum, gate string) string { return specsFor("", lcut, checksum, gate) }

func specsFor(key string, lcut int64, checksum, gate string) string {
	hashed := ""
	if key != "" {
		hashed = fmt.Sprintf(`"hashed_sdk_key_used":%q,`, eval.DJB2(key))
	}
	return fmt.Sprintf(`{"has_updates":true,"time":%d,"checksum":%q,%s"dynamic_configs":{},"layer_configs":{},"condition_map":{},`+
		`"experiment_to_layer":{},"feature_gates":{%q:{"type":"feature_gate","salt":"s","enabled":true,"defaultValue":false,`+
		`"rules":[],"idType":"userID","entity":"feature_gate","version":1}}}`, lcut, checksum, hashed, gate)
}

const noUpdates = `{"has_updates":false}`

// body answers with a text.
func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

// status answers with a status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// stall answers when the client has given up.
func stall(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// gateOf names the one gate of the snapshot held, "" for none.
func gateOf(t *testing.T, s State) string {
	t.Helper()
	if s.Snapshot == nil {
		return ""
	}
	names := s.Snapshot.Names(eval.KindGate)
	if len(names) != 1 {
		t.Fatalf("want one gate, got %v", names)
	}
	return names[0]
}

// wantError fails the test unless err matches want; a nil want is no error.
func wantError(t *testing.T, err, want error) {
	t.Helper()
	if want == nil && err != nil || want != nil && !errors.Is(err, want) {
		t.Errorf("error: want %v, got %v", want, err)
	}
}
