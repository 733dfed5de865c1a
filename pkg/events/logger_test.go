package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func TestLoggerSendsWhenABatchIsFullOrOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{}
		l, stop := start(t, Options{BatchSize: 2, FlushInterval: time.Minute}, s)
		time.Sleep(10 * time.Second)
		logNames(l, "a", "b", "c")
		synctest.Wait()
		if got := l.Stats(); got.Delivered != 2 || got.Pending != 1 {
			t.Errorf("right after a full batch: delivered %d, pending %d, want 2 and 1", got.Delivered, got.Pending)
		}
		time.Sleep(time.Minute)
		stop()
		want := []attempt{
			{After: 10 * time.Second, FlushType: "limit", Names: []string{"a", "b"}},
			{After: time.Minute, FlushType: "scheduled:max_time", Names: []string{"c"}},
		}
		if diff := cmp.Diff(want, s.seen()); diff != "" {
			t.Errorf("requests differ (-want +got):\n%s", diff)
		}
		if got := l.Stats(); got.State != StateFlowing || got.Delivered != 3 || !got.LastDelivery.Equal(testEpoch.Add(time.Minute)) {
			t.Errorf("stats after delivery: %+v", got)
		}
	})
}

func TestLoggerRetriesByStatus(t *testing.T) {
	const s = time.Second
	schedule := []time.Duration{0, 1 * s, 3 * s, 7 * s, 15 * s, 31 * s}
	after := func(d time.Duration) []time.Duration { return []time.Duration{0, d, 2 * d, 3 * d, 4 * d, 5 * d} }
	status := func(code int) error { return &StatusError{Status: code} }
	tests := map[string]struct {
		err       error
		wantTimes []time.Duration
		want      Reason
		wantState State // empty for StateFailing
	}{
		"400 is final":                {err: status(400), wantTimes: schedule[:1], want: ReasonRejected},
		"405 is final":                {err: status(405), wantTimes: schedule[:1], want: ReasonRejected},
		"413 is final":                {err: status(413), wantTimes: schedule[:1], want: ReasonRejected},
		"501 is final":                {err: status(501), wantTimes: schedule[:1], want: ReasonRejected},
		"403 is final":                {err: status(403), wantTimes: schedule[:1], want: ReasonUnauthorized, wantState: StateUnauthorized},
		"429 is final":                {err: status(429), wantTimes: schedule[:1], want: ReasonThrottled},
		"401 is retried":              {err: status(401), wantTimes: schedule, want: ReasonUnauthorized, wantState: StateUnauthorized},
		"404 is retried":              {err: status(404), wantTimes: schedule, want: ReasonExhausted},
		"408 is retried":              {err: status(408), wantTimes: schedule, want: ReasonExhausted},
		"500 is retried":              {err: status(500), wantTimes: schedule, want: ReasonExhausted},
		"503 is retried":              {err: status(503), wantTimes: schedule, want: ReasonExhausted},
		"a redirect is retried":       {err: status(302), wantTimes: schedule, want: ReasonExhausted},
		"success false is retried":    {err: ErrUnsuccessful, wantTimes: schedule, want: ReasonExhausted},
		"a network error is retried":  {err: errors.New("connection refused"), wantTimes: schedule, want: ReasonExhausted},
		"429 is retried when it says": {err: &StatusError{Status: 429, RetryAfter: 90 * s}, wantTimes: after(90 * s), want: ReasonThrottled},
		"503 waits as long as it says": {
			err: &StatusError{Status: 503, RetryAfter: 2 * time.Minute}, wantTimes: after(2 * time.Minute), want: ReasonExhausted,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sender := &fakeSender{answer: func(context.Context, int) error { return tc.err }}
				l, stop := start(t, Options{BatchSize: 1}, sender)
				logNames(l, "a")
				time.Sleep(time.Hour)
				got := l.Stats()
				stop()
				var gotTimes []time.Duration
				for i, a := range sender.seen() {
					gotTimes = append(gotTimes, a.After)
					if a.Retry != i {
						t.Errorf("request %d says it is retry %d", i, a.Retry)
					}
				}
				if diff := cmp.Diff(tc.wantTimes, gotTimes); diff != "" {
					t.Errorf("times of requests differ (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(map[Reason]int64{tc.want: 1}, got.Dropped); diff != "" {
					t.Errorf("drops differ (-want +got):\n%s", diff)
				}
				if tc.wantState == "" {
					tc.wantState = StateFailing
				}
				if got.State != tc.wantState || !errors.Is(got.LastError, tc.err) || got.Pending != 0 {
					t.Errorf("state %s, error %v, pending %d; want %s, %v, 0", got.State, got.LastError, got.Pending, tc.wantState, tc.err)
				}
				if want := len(tc.wantTimes); got.ConsecutiveFailures != want || got.Retried != int64(want-1) {
					t.Errorf("failures %d, retried %d, want %d, %d", got.ConsecutiveFailures, got.Retried, want, want-1)
				}
			})
		})
	}
}

func TestLoggerBacksOffUpToAMinuteWhateverTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{answer: func(_ context.Context, n int) error {
			if n < 9 {
				return &StatusError{Status: 500}
			}
			return nil
		}}
		l, stop := start(t, Options{BatchSize: 1}, s)
		logNames(l, "a", "b", "c")
		time.Sleep(time.Hour)
		stop()
		var got []string
		var last time.Duration
		for _, a := range s.seen() {
			got = append(got, fmt.Sprintf("%s+%s", a.Names[0], a.After-last))
			last = a.After
		}
		want := []string{"a+0s", "b+1s", "c+2s", "a+4s", "b+8s", "c+16s", "a+32s", "b+1m0s", "c+1m0s", "a+1m0s", "b+0s", "c+0s"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("requests differ (-want +got):\n%s", diff)
		}
		if got := l.Stats(); got.State != StateFlowing || got.ConsecutiveFailures != 0 || got.LastError == nil {
			t.Errorf("stats after recovery: %+v", got)
		}
	})
}

func TestBackoffIsJitteredWithinItsHalf(t *testing.T) {
	l := newLogger(mustOptions(t, Options{}), &fakeSender{})
	for failures, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		seen := map[time.Duration]bool{}
		for range 50 {
			got := l.backoff(failures)
			seen[got] = true
			if got > want || got < want/2 {
				t.Errorf("backoff after %d failures is %s, want between %s and %s", failures, got, want/2, want)
			}
		}
		if len(seen) < 2 {
			t.Errorf("backoff after %d failures is always the same", failures)
		}
	}
}

func TestLoggerKeepsToItsInFlightBound(t *testing.T) {
	for name, tc := range map[string]struct{ limit, want int }{
		"one by default": {limit: 0, want: 1},
		"three":          {limit: 3, want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				running, most := 0, 0
				s := &fakeSender{answer: func(context.Context, int) error {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					running--
					mu.Unlock()
					return nil
				}}
				l, stop := start(t, Options{BatchSize: 1, MaxInFlight: tc.limit}, s)
				logNames(l, "a", "b", "c", "d", "e", "f", "g")
				if err := l.Flush(t.Context()); err != nil {
					t.Errorf("Flush: %v", err)
				}
				stop()
				if most != tc.want {
					t.Errorf("%d requests ran at once, want %d", most, tc.want)
				}
			})
		})
	}
}

func TestFullQueueDropsTheOldestAndCountsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{answer: func(_ context.Context, n int) error {
			if n == 0 {
				return &StatusError{Status: 503, RetryAfter: time.Minute}
			}
			return nil
		}}
		l, stop := start(t, Options{BatchSize: 1, MaxPendingBatches: 2}, s)
		logNames(l, "a")
		synctest.Wait()
		logNames(l, "b", "c", "d", "e")
		if got := l.Stats(); got.Pending != 2 || got.Dropped[ReasonOverflow] != 3 {
			t.Errorf("pending %d, overflow %d, want 2 and 3", got.Pending, got.Dropped[ReasonOverflow])
		}
		time.Sleep(time.Hour)
		stop()
		var got []string
		for _, a := range s.seen() {
			got = append(got, a.Names...)
		}
		if diff := cmp.Diff([]string{"a", "d", "e"}, got); diff != "" {
			t.Errorf("events sent differ (-want +got):\n%s", diff)
		}
	})
}

func TestRepeatedExposuresAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := start(t, Options{}, &fakeSender{})
		e := Exposure{Result: gateResult(), Unit: "shop/checkout"}
		hourly := e
		hourly.RepeatEvery = time.Hour
		got := []bool{l.Expose(e), l.Expose(e), l.Expose(hourly)}
		time.Sleep(time.Hour)
		got = append(got, l.Expose(e), l.Expose(hourly))
		time.Sleep(24*time.Hour - 1)
		got = append(got, l.Expose(e))
		time.Sleep(time.Nanosecond)
		got = append(got, l.Expose(e))
		stop()
		if diff := cmp.Diff([]bool{true, false, false, false, true, false, true}, got); diff != "" {
			t.Errorf("queued differs (-want +got):\n%s", diff)
		}
		if s := l.Stats(); s.Delivered != 3 || s.Repeated != 4 || s.DedupeKeys != 1 {
			t.Errorf("delivered %d, repeated %d, keys %d, want 3, 4, 1", s.Delivered, s.Repeated, s.DedupeKeys)
		}
	})
}

func TestADroppedExposureIsDueAgain(t *testing.T) {
	tests := map[string]struct {
		err  error
		want bool
	}{
		"after a refused key":       {err: &StatusError{Status: 403}, want: true},
		"after throttling":          {err: &StatusError{Status: 429}, want: true},
		"after the last attempt":    {err: errors.New("unreachable"), want: true},
		"but not if it is at fault": {err: &StatusError{Status: 400}, want: false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, stop := start(t, Options{}, &fakeSender{answer: func(context.Context, int) error { return tc.err }})
				l.Expose(Exposure{Result: gateResult()})
				if err := l.Flush(t.Context()); !errors.Is(err, ErrDropped) || !errors.Is(err, tc.err) {
					t.Errorf("Flush = %v, want a drop because of %v", err, tc.err)
				}
				if got := l.Expose(Exposure{Result: gateResult()}); got != tc.want {
					t.Errorf("second exposure queued = %t, want %t", got, tc.want)
				}
				stop()
			})
		})
	}
}

func TestOnlyWhatWasEvaluatedIsExposed(t *testing.T) {
	s := &fakeSender{}
	l := newLogger(mustOptions(t, Options{}), s)
	for name, r := range map[string]eval.Result{
		"a static parameter of a store": {},
		"a parameter store":             {Ref: eval.Ref{Kind: eval.KindParameterStore, Name: "ui"}},
		"a layer without parameter":     {Ref: eval.Ref{Kind: eval.KindLayer, Name: "ranking"}},
	} {
		if l.Expose(Exposure{Result: r}) {
			t.Errorf("%s was queued", name)
		}
	}
	if got := l.Stats(); got.Pending != 0 || len(got.Dropped) != 0 || got.DedupeKeys != 0 {
		t.Errorf("stats: %+v", got)
	}
}

func TestDisabledLoggerDropsAtTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{}
		l, stop := start(t, Options{Disabled: true}, s)
		logNames(l, "a")
		if l.Expose(Exposure{Result: gateResult()}) {
			t.Error("exposure was queued")
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Errorf("Flush: %v", err)
		}
		stop()
		want := Stats{
			State: StateDisabled, Circuit: CircuitClosed, Spool: SpoolStats{State: SpoolOff},
			SetAside: map[Reason]int64{}, Dropped: map[Reason]int64{ReasonDisabled: 2},
		}
		if diff := cmp.Diff(want, l.Stats()); diff != "" {
			t.Errorf("stats differ (-want +got):\n%s", diff)
		}
		if len(s.seen()) != 0 {
			t.Errorf("requests were made: %v", s.seen())
		}
	})
}

func TestObserverIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &recordingObserver{}
		l, stop := start(t, Options{Observer: o, BatchSize: 2}, &fakeSender{answer: func(_ context.Context, n int) error {
			time.Sleep(time.Second)
			if n == 0 {
				return &StatusError{Status: 400}
			}
			return nil
		}})
		logNames(l, "a", "b", "c")
		stop()
		if o.delivered != 1 || o.dropped != 2 || o.failed != 1 {
			t.Errorf("observer saw %d delivered, %d dropped, %d failed, want 1, 2, 1", o.delivered, o.dropped, o.failed)
		}
	})
}
