package specsync

import (
	"context"
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// gaps returns the times between requests.
func gaps(requests []seenRequest) []time.Duration {
	var waits []time.Duration
	for i := 1; i < len(requests); i++ {
		waits = append(waits, requests[i].at.Sub(requests[i-1].at))
	}
	return waits
}

func TestPollsAtOnceAndThenEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second) // the answer's time does not add to the interval
			body(specs(100, "a", "first"))(w, r)
		}}
		o := server.options(t)
		o.Interval, o.Phase = 20*time.Second, 27*time.Second
		begun := time.Now()
		run(t, newSyncer(t, o))
		time.Sleep(90 * time.Second)
		synctest.Wait()
		requests := server.seen()
		if !requests[0].at.Equal(begun) {
			t.Errorf("the first poll came %s late", requests[0].at.Sub(begun))
		}
		want := []time.Duration{27 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second}
		if diff := cmp.Diff(want, gaps(requests)); diff != "" {
			t.Errorf("waits; the phase, 7 s, comes on top of the first (-want +got):\n%s", diff)
		}
	})
}

func TestPollsNameWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		run(t, newSyncer(t, server.options(t)))
		server.serve(body(noUpdates))
		time.Sleep(2 * DefaultInterval)
		synctest.Wait()
		const path = "GET /download_config_specs/secret-Test%2FKey+%250123456789.json"
		want := []string{path, path + "?sinceTime=100&checksum=a", path + "?sinceTime=100&checksum=a"}
		if diff := cmp.Diff(want, server.take()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}

// TestBadAnswersLeaveTheLastGoodSnapshot drives every failure of a source after one good answer, and then its recovery.
func TestBadAnswersLeaveTheLastGoodSnapshot(t *testing.T) {
	cases := map[string]struct {
		answer  http.HandlerFunc
		broken  error
		wantErr error
	}{
		"not JSON":               {answer: body("<html>not found</html>"), wantErr: ErrMalformed},
		"truncated":              {answer: body(specs(200, "b", "second")[:100]), wantErr: ErrMalformed},
		"wrong shape":            {answer: body(`{"has_updates":true,"time":200,"feature_gates":"none"}`), wantErr: ErrMalformed},
		"corrupt compression":    {answer: encoded("gzip", specs(200, "b", "second")), wantErr: ErrMalformed},
		"another project's":      {answer: body(specsFor("secret-other", 200, "b", "second")), wantErr: ErrWrongProject},
		"key refused":            {answer: status(http.StatusUnauthorized), wantErr: ErrUnauthorized},
		"key not allowed":        {answer: status(http.StatusForbidden), wantErr: ErrUnauthorized},
		"not found":              {answer: status(http.StatusNotFound)},
		"server error":           {answer: status(http.StatusInternalServerError)},
		"no answer":              {answer: stall, wantErr: context.DeadlineExceeded},
		"connection refused":     {broken: syscall.ECONNREFUSED},
		"connection cut":         {broken: io.ErrUnexpectedEOF, wantErr: io.ErrUnexpectedEOF},
		"redirect to other host": {answer: http.RedirectHandler("http://elsewhere.test/", http.StatusFound).ServeHTTP},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &stub{handler: body(specs(100, "a", "first"))}
				s := newSyncer(t, server.options(t))
				run(t, s)
				good := s.State()
				server.serve(tc.answer)
				server.breakWith(tc.broken)
				time.Sleep(DefaultInterval + DefaultTimeout)
				synctest.Wait()

				got := s.State()
				if got.Err == nil || got.ConsecutiveFailures != 1 {
					t.Fatalf("want one failure, got %d: %v", got.ConsecutiveFailures, got.Err)
				}
				if tc.wantErr != nil {
					wantError(t, got.Err, tc.wantErr)
				}
				got.Err, got.ConsecutiveFailures = nil, 0
				if got != good {
					t.Errorf("beside the failure something changed: want %+v, got %+v", good, got)
				}

				server.serve(body(specs(200, "b", "second")))
				time.Sleep(2 * DefaultInterval)
				synctest.Wait()
				if got := s.State(); gateOf(t, got) != "second" || got.Err != nil || got.ConsecutiveFailures != 0 {
					t.Errorf("no recovery: %+v", got)
				}
			})
		})
	}
}

func TestFailuresSlowThePollingDown(t *testing.T) {
	cases := map[string]struct {
		answer http.HandlerFunc
		// the waits' bounds from the fifth request on
		low, high time.Duration
	}{
		"errors back off to five minutes": {answer: status(500), low: 150 * time.Second, high: 300 * time.Second},
		"a refused key backs off too":     {answer: status(401), low: 150 * time.Second, high: 300 * time.Second},
		"a malformed document too":        {answer: body("{"), low: 150 * time.Second, high: 300 * time.Second},
		"an older document does not":      {answer: body(specs(1, "", "old")), low: 10 * time.Second, high: 10 * time.Second},
		"no updates does not":             {answer: body(noUpdates), low: 10 * time.Second, high: 10 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &stub{handler: body(specs(100, "a", "first"))}
				s := newSyncer(t, server.options(t))
				run(t, s)
				server.serve(tc.answer)
				time.Sleep(time.Hour)
				synctest.Wait()
				waits := gaps(server.seen())
				if len(waits) < 10 {
					t.Fatalf("only %d polls in an hour", len(waits))
				}
				for i, wait := range waits {
					if wait < DefaultInterval || i > 5 && (wait < tc.low || wait > tc.high) {
						t.Errorf("wait %d is %s", i, wait)
					}
				}
			})
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		}}
		s := newSyncer(t, server.options(t))
		run(t, s)
		s.Wake()
		time.Sleep(119 * time.Second)
		synctest.Wait()
		if n := len(server.seen()); n != 1 {
			t.Errorf("want no request before the time the server asked for, got %d", n-1)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(server.seen()); n != 2 {
			t.Errorf("want one request after it, got %d", n-1)
		}
	})
}

func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		s := newSyncer(t, server.options(t))
		run(t, s)
		for range 10 {
			s.Wake()
		}
		time.Sleep(5 * time.Second)
		s.Wake()
		synctest.Wait()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want := []time.Duration{time.Second, 4 * time.Second, 10 * time.Second}
		if diff := cmp.Diff(want, gaps(server.seen())); diff != "" {
			t.Errorf("waits: ten wake-ups are one poll after a second, a later one is a poll at once (-want +got):\n%s", diff)
		}
	})
}

func TestWakeEndsTheBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: status(500)}
		s := newSyncer(t, server.options(t))
		run(t, s)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		server.serve(body(specs(100, "a", "first")))
		s.Wake()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.State(); gateOf(t, got) != "first" {
			t.Errorf("want a poll at once, got %+v", got)
		}
	})
}

func TestRunEndsWithItsContextAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSyncer(t, (&stub{handler: stall}).options(t))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := s.State(); got != (State{}) {
			t.Errorf("the request that the shutdown cut is reported: %+v", got)
		}
		if err := s.Run(t.Context()); err == nil {
			t.Error("a second Run: want an error")
		}
	})
}
