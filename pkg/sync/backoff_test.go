package specsync

import (
	"fmt"
	"testing"
	"time"
)

func TestBackoffDelay(t *testing.T) {
	cases := map[string]struct {
		failures  int
		interval  time.Duration
		low, high time.Duration
	}{
		"the first failure waits one to two intervals":          {1, 10 * time.Second, 10 * time.Second, 20 * time.Second},
		"each further one doubles":                              {3, 10 * time.Second, 40 * time.Second, 80 * time.Second},
		"it is capped":                                          {10, 10 * time.Second, 150 * time.Second, 300 * time.Second},
		"very many failures don't overflow":                     {1 << 30, time.Second, 150 * time.Second, 300 * time.Second},
		"an interval beyond the cap is the wait":                {5, time.Hour, time.Hour, time.Hour},
		"an interval near the cap is never undercut":            {5, 4 * time.Minute, 4 * time.Minute, 5 * time.Minute},
		"a wait that would be shorter than the interval is not": {0, 10 * time.Second, 10 * time.Second, 10 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := backoffDelay(tc.failures, tc.interval, 0); got != tc.low {
				t.Errorf("without jitter: want %s, got %s", tc.low, got)
			}
			got := backoffDelay(tc.failures, tc.interval, 0.999999999)
			if got > tc.high || got < tc.high-time.Millisecond {
				t.Errorf("with full jitter: want %s, got %s", tc.high, got)
			}
		})
	}
}

func TestPace(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		err         error
		woken       bool
		wantAtLeast time.Duration
		wantAtMost  time.Duration
	}{
		"a failure waits":                          {err: fmt.Errorf("x"), wantAtLeast: 10 * time.Second, wantAtMost: 20 * time.Second},
		"a wake-up ends that wait":                 {err: fmt.Errorf("x"), woken: true},
		"a server's longer wish is obeyed":         {err: &StatusError{Code: 429, RetryAfter: time.Minute}, wantAtLeast: time.Minute, wantAtMost: time.Minute},
		"a wake-up does not end what a server bid": {err: &StatusError{Code: 503, RetryAfter: time.Minute}, woken: true, wantAtLeast: time.Minute, wantAtMost: time.Minute},
		"a server's shorter wish speeds nothing up": {
			err: &StatusError{Code: 503, RetryAfter: time.Second}, wantAtLeast: 10 * time.Second, wantAtMost: 20 * time.Second,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var p pace
			p.failed(start, tc.err, 10*time.Second)
			if got := p.dueAt(tc.woken).Sub(start); got < tc.wantAtLeast || got > tc.wantAtMost {
				t.Errorf("want %s to %s, got %s", tc.wantAtLeast, tc.wantAtMost, got)
			}
			p.succeeded()
			if !p.dueAt(tc.woken).IsZero() {
				t.Error("a success does not end the wait")
			}
		})
	}
}
