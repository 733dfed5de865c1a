package specsync

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

func TestTheEndOfRunClosesItsConnections(t *testing.T) {
	closed := make(chan struct{}, 1)
	served := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body(specs(100, "a", "first"))(w, r)
		served <- struct{}{}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	c, err := NewClient(ClientOptions{Key: secret.NewKey(testKey)})
	if err != nil {
		t.Fatal(err)
	}
	source, err := NewHTTPSource(c, "HTTP", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := newSyncer(t, Options{Client: c, Sources: []Source{source}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	<-served
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-closed
}

func TestOldTLSIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(body(noUpdates))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c, err := NewClient(ClientOptions{Key: secret.NewKey(testKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.closeIdle()
	source, err := NewHTTPSource(c, "HTTP", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Fetch(t.Context(), Have{})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("want an error about the protocol version, got %v", err)
	}
}

func TestOneMalformedSpecCostsOnlyItself(t *testing.T) {
	document := strings.Replace(specs(100, "a", "good"), `"feature_gates":{`, `"feature_gates":{"bad":{"type":"feature_gate"},`, 1)
	s := newSyncer(t, (&stub{handler: body(document)}).options(t))
	s.poll(t.Context())
	got := s.State()
	if got.Err != nil || gateOf(t, got) != "good" {
		t.Fatalf("got %+v", got)
	}
	if problems := got.Snapshot.Problems(); len(problems) != 1 || problems[0].Name != "bad" {
		t.Errorf("want the problem of bad, got %+v", problems)
	}
}

// TestAnySequenceOfAnswersKeepsTheOrder serves good documents of rising and falling times and every kind of failure,
// in random order: what is held is always a document that was sent, and never an older one than before.
func TestAnySequenceOfAnswersKeepsTheOrder(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			server := &stub{handler: status(500)}
			s := newSyncer(t, server.options(t))
			var held, newest int64
			s.Subscribe(func(_, is State) {
				if is.Snapshot != nil && is.Snapshot.Time() < held {
					t.Errorf("seed %d: %d after %d", seed, is.Snapshot.Time(), held)
				}
				if is.Snapshot != nil {
					held = is.Snapshot.Time()
				}
			})
			run(t, s)
			for range 100 {
				lcut := random.Int64N(1000) + 1
				whole := specs(lcut, "", "gate")
				answers := []http.HandlerFunc{
					body(whole), body(whole), body(whole[:random.IntN(len(whole))]), body(noUpdates), body("<html>"), status(403),
					status(500), stall, cutOff("{"), body(specsFor("secret-other", lcut, "", "gate")),
				}
				choice := random.IntN(len(answers))
				server.serve(answers[choice])
				s.Wake()
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if choice < 2 {
					newest = max(newest, lcut)
				}
				if got := s.State(); newest > 0 && (got.Snapshot == nil || got.Snapshot.Time() != newest || !got.Snapshot.Has(
					eval.Ref{Kind: eval.KindGate, Name: "gate"})) {
					t.Fatalf("seed %d: want the document of %d, got %+v", seed, newest, got)
				}
			}
		})
	}
}

func TestTheFirstPollIsBoundedAsAWhole(t *testing.T) {
	for name, tc := range map[string]struct {
		initial, want time.Duration
	}{
		"By default":            {0, DefaultInitialTimeout},
		"As the options say":    {90 * time.Second, 90 * time.Second},
		"Sources need not wait": {time.Hour, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				silent := func(ctx context.Context, _ Have) (Answer, error) {
					<-ctx.Done()
					return Answer{}, ctx.Err()
				}
				s := newSyncer(t, Options{
					Sources:        []Source{NewSource("first", "1", silent), NewSource("second", "2", silent)},
					InitialTimeout: tc.initial, Timeout: time.Minute,
				})
				attempted := make(chan time.Time, 1)
				defer s.Subscribe(func(was, is State) {
					if is.Attempted && !was.Attempted {
						attempted <- time.Now()
					}
				})()
				begun := time.Now()
				run(t, s)
				if got := (<-attempted).Sub(begun); got != tc.want {
					t.Errorf("the first poll took %s, want %s", got, tc.want)
				}
				wantError(t, s.State().Err, context.DeadlineExceeded)
			})
		})
	}
}
