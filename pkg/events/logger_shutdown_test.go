package events

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestShutdownSendsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{}
		l, stop := start(t, Options{BatchSize: 2}, s)
		logNames(l, "a", "b", "c")
		stop()
		want := []attempt{
			{FlushType: "limit", Names: []string{"a", "b"}},
			{FlushType: "shutdown", Names: []string{"c"}},
		}
		if diff := cmp.Diff(want, s.seen()); diff != "" {
			t.Errorf("requests differ (-want +got):\n%s", diff)
		}
		if l.Log(CustomEvent{Name: "late"}) {
			t.Error("an event after the end was queued")
		}
		if got := l.Stats(); got.Delivered != 3 || got.Dropped[ReasonShutdown] != 1 {
			t.Errorf("delivered %d, dropped %v, want 3 and one late event", got.Delivered, got.Dropped)
		}
		if err := l.Run(t.Context()); !errors.Is(err, ErrAlreadyRun) {
			t.Errorf("second Run = %v, want %v", err, ErrAlreadyRun)
		}
	})
}

func TestShutdownLetsTheRequestInFlightFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{answer: func(ctx context.Context, _ int) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5 * time.Second):
				return nil
			}
		}}
		l, stop := start(t, Options{BatchSize: 1}, s)
		logNames(l, "a")
		synctest.Wait()
		stop()
		if got := l.Stats(); got.Delivered != 1 || len(s.seen()) != 1 {
			t.Errorf("delivered %d in %d requests, want 1 in 1", got.Delivered, len(s.seen()))
		}
	})
}

func TestShutdownTriesEachBatchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{answer: func(context.Context, int) error { return &StatusError{Status: 503, RetryAfter: time.Hour} }}
		l, stop := start(t, Options{BatchSize: 1}, s)
		logNames(l, "a", "b")
		synctest.Wait() // "a" has failed once and waits for its retry
		stop()
		want := []attempt{
			{FlushType: "limit", Names: []string{"a"}},
			{FlushType: "limit", Names: []string{"b"}},
			{FlushType: "limit", Names: []string{"a"}, Retry: 1},
		}
		if diff := cmp.Diff(want, s.seen()); diff != "" {
			t.Errorf("requests differ (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[Reason]int64{ReasonShutdown: 2}, l.Stats().Dropped); diff != "" {
			t.Errorf("drops differ (-want +got):\n%s", diff)
		}
	})
}

func TestShutdownEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{answer: func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		l, stop := start(t, Options{BatchSize: 2, ShutdownTimeout: 3 * time.Second}, s)
		logNames(l, "a", "b", "c", "d", "e")
		stop()
		if got := time.Since(testEpoch); got != 3*time.Second {
			t.Errorf("shutdown took %s, want 3s", got)
		}
		if diff := cmp.Diff(map[Reason]int64{ReasonShutdown: 5}, l.Stats().Dropped); diff != "" {
			t.Errorf("drops differ (-want +got):\n%s", diff)
		}
		if len(s.seen()) != 1 {
			t.Errorf("%d requests were made, want only the one that ran into the deadline", len(s.seen()))
		}
	})
}

func TestFlushWaitsForDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{answer: func(_ context.Context, n int) error {
			time.Sleep(time.Second)
			if n == 0 {
				return errors.New("unreachable")
			}
			return nil
		}}
		l, stop := start(t, Options{BatchSize: 2}, s)
		if err := l.Flush(t.Context()); err != nil {
			t.Errorf("Flush of nothing: %v", err)
		}
		logNames(l, "a", "b", "c")
		if err := l.Flush(t.Context()); err != nil {
			t.Errorf("Flush: %v", err)
		}
		if got := time.Since(testEpoch); got != 4*time.Second {
			t.Errorf("Flush took %s, want 4s: three requests and a pause", got)
		}
		stop()
		want := []attempt{
			{FlushType: "limit", Names: []string{"a", "b"}},
			{After: 2 * time.Second, FlushType: "manual", Names: []string{"c"}},
			{After: 3 * time.Second, FlushType: "limit", Names: []string{"a", "b"}, Retry: 1},
		}
		if diff := cmp.Diff(want, s.seen()); diff != "" {
			t.Errorf("requests differ (-want +got):\n%s", diff)
		}
	})
}

func TestFlushEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{answer: func(_ context.Context, n int) error {
			if n == 0 {
				return &StatusError{Status: 503, RetryAfter: time.Minute}
			}
			return nil
		}}
		l, stop := start(t, Options{}, s)
		logNames(l, "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush = %v, want %v", err, context.DeadlineExceeded)
		}
		time.Sleep(time.Hour)
		if got := l.Stats(); got.Delivered != 1 {
			t.Errorf("delivered %d after the flush was given up, want 1", got.Delivered)
		}
		stop()
	})
}

func TestFlushLearnsOfEventsThatMadeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{answer: func(context.Context, int) error {
			time.Sleep(time.Minute)
			return nil
		}}
		l, stop := start(t, Options{BatchSize: 1, MaxPendingBatches: 1}, s)
		logNames(l, "in hand")
		synctest.Wait()
		logNames(l, "oldest")
		flushed := make(chan error, 1)
		go func() { flushed <- l.Flush(t.Context()) }()
		synctest.Wait()
		logNames(l, "newest")
		if err := <-flushed; !errors.Is(err, ErrDropped) {
			t.Errorf("Flush = %v, want %v", err, ErrDropped)
		}
		stop()
	})
}
