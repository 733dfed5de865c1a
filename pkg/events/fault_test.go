package events

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pipeListener is a network within the process, which simulated time can wait for.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipeListener) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, syscall.ECONNREFUSED
	}
}

// status answers with a status and, where it is not empty, when to come back.
func status(code int, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
	}
}

func accept(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"success":true}`) }

// raw writes bytes to the connection and closes it.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
}

// fault is a row of the table: what goes wrong, and what becomes of a batch. The requests are those of the first hour
// without a spool, where the last failure ends the batch for the reason given.
type fault struct {
	handler http.HandlerFunc
	dialErr error

	wantRequests int
	wantReason   Reason // empty when the batch is delivered
	wantState    State
	// wantSetAside says that with a spool the batch is not kept for later.
	wantSetAside bool
}

func faults() map[string]fault {
	const tries = maxAttempts
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.test/", http.StatusTemporaryRedirect)
	}
	return map[string]fault{
		"a good answer": {
			handler: func(w http.ResponseWriter, _ *http.Request) { accept(w) }, wantRequests: 1, wantState: StateFlowing,
		},
		"a slow answer within the timeout": {
			handler: func(w http.ResponseWriter, _ *http.Request) { time.Sleep(9 * time.Second); accept(w) }, wantRequests: 1, wantState: StateFlowing,
		},
		"an answer that never comes": {
			handler:      func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing,
		},
		"an answer that stalls halfway": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, `{"succ`)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			},
			wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing,
		},
		"a refused connection": {dialErr: syscall.ECONNREFUSED, wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing},
		"a host without address": {
			dialErr:      &net.DNSError{Err: "no such host", Name: "events.test", IsNotFound: true},
			wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing,
		},
		"a connection that breaks": {handler: raw(""), wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing},
		"an answer that breaks off": {
			handler:      raw("HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"succ"),
			wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing,
		},
		"an answer that is not HTTP": {handler: raw("220 mail.test ready\r\n"), wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing},
		"a page": {
			handler:      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
			wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing,
		},
		"success false": {
			handler:      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"success":false}`) },
			wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing,
		},
		"a redirect": {handler: redirect, wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing},
		"400":        {handler: status(400, ""), wantRequests: 1, wantReason: ReasonRejected, wantState: StateFailing, wantSetAside: true},
		"401":        {handler: status(401, ""), wantRequests: tries, wantReason: ReasonUnauthorized, wantState: StateUnauthorized},
		"403":        {handler: status(403, ""), wantRequests: 1, wantReason: ReasonUnauthorized, wantState: StateUnauthorized},
		"404":        {handler: status(404, ""), wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing},
		"405":        {handler: status(405, ""), wantRequests: 1, wantReason: ReasonRejected, wantState: StateFailing, wantSetAside: true},
		"413":        {handler: status(413, ""), wantRequests: 1, wantReason: ReasonRejected, wantState: StateFailing, wantSetAside: true},
		"429":        {handler: status(429, ""), wantRequests: 1, wantReason: ReasonThrottled, wantState: StateFailing},
		"429 that says when to come back": {
			handler: status(429, "60"), wantRequests: tries, wantReason: ReasonThrottled, wantState: StateFailing,
		},
		"429 that asks for an hour": {handler: status(429, "3600"), wantRequests: 1, wantState: StateFailing},
		"500":                       {handler: status(500, ""), wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing},
		"501":                       {handler: status(501, ""), wantRequests: 1, wantReason: ReasonRejected, wantState: StateFailing, wantSetAside: true},
		"502":                       {handler: status(502, ""), wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing},
		"503 that says when to come back": {
			handler: status(503, "120"), wantRequests: tries, wantReason: ReasonExhausted, wantState: StateFailing,
		},
	}
}

// faultyTransport counts the requests made over a network with one fault.
func faultyTransport(t *testing.T, f fault) (transport *http.Transport, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	listener := newPipeListener()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		f.handler(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	transport = &http.Transport{DialContext: listener.dial}
	if f.dialErr != nil {
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			requests.Add(1)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: f.dialErr}
		}
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	})
	return transport, requests
}

func TestFaultsOfTheEndpointWithoutSpool(t *testing.T) {
	for name, tc := range faults() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport, requests := faultyTransport(t, tc)
				o := mustOptions(t, Options{URL: "http://events.test/v1/log_event", Transport: transport, BatchSize: 1})
				l, stop := start(t, o, newHTTPSender(o))
				logNames(l, "a")
				time.Sleep(time.Hour - time.Second)
				got := l.Stats()
				if got := int(requests.Load()); got != tc.wantRequests {
					t.Errorf("%d requests were made, want %d", got, tc.wantRequests)
				}
				wantDropped := map[Reason]int64{}
				if tc.wantReason != "" {
					wantDropped[tc.wantReason] = 1
				}
				if diff := cmp.Diff(wantDropped, got.Dropped); diff != "" {
					t.Errorf("drops differ (-want +got):\n%s", diff)
				}
				if got.State != tc.wantState || got.Retried != int64(tc.wantRequests-1) {
					t.Errorf("state %s, %d retried: %v", got.State, got.Retried, got.LastError)
				}
				if sum := got.Delivered + int64(got.Pending) + got.Dropped[tc.wantReason]; sum != 1 {
					t.Errorf("one event counts %d times", sum)
				}
				stop()
			})
		})
	}
}

func TestFaultsOfTheEndpointWithASpool(t *testing.T) {
	for name, tc := range faults() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport, _ := faultyTransport(t, tc)
				o := mustOptions(t, Options{
					URL: "http://events.test/v1/log_event", Transport: transport, BatchSize: 1, Spool: SpoolOptions{Dir: t.TempDir()},
				})
				l, stop := start(t, o, newHTTPSender(o))
				logNames(l, "a")
				time.Sleep(time.Hour - time.Second)
				stop()
				type outcome struct {
					Delivered, Kept, SetAside int
					Dropped                   map[Reason]int64
				}
				want := outcome{Dropped: map[Reason]int64{}}
				switch {
				case tc.wantState == StateFlowing:
					want.Delivered = 1
				case tc.wantSetAside:
					want.SetAside = 1
				default:
					want.Kept = 1
				}
				got := l.Stats()
				if diff := cmp.Diff(want, outcome{
					Delivered: int(got.Delivered), Kept: got.Spool.Events, SetAside: int(got.SetAside[tc.wantReason]), Dropped: got.Dropped,
				}); diff != "" {
					t.Errorf("outcome differs (-want +got):\n%s", diff)
				}
			})
		})
	}
}
