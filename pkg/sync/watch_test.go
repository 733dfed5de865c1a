package specsync

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// watched is a Source with a Watch that the test drives.
type watched struct {
	Source
	mu      sync.Mutex
	fetches []time.Duration
	begun   time.Time
	watches []time.Duration
	changed func()
	// end ends the Watch that runs with this error.
	end chan error
	// answer is what Fetch gives.
	answer Answer
	err    error
}

func newWatched() *watched {
	w := &watched{end: make(chan error), begun: time.Now(), answer: Answer{Document: []byte(specs(100, "a", "first"))}}
	w.Source = NewSource("Stream", "stream", func(context.Context, Have) (Answer, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fetches = append(w.fetches, time.Since(w.begun))
		return w.answer, w.err
	})
	return w
}

func (w *watched) Watch(ctx context.Context, changed func()) error {
	w.mu.Lock()
	w.watches = append(w.watches, time.Since(w.begun))
	w.changed = changed
	w.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-w.end:
		return err
	}
}

// tell changes the answer and tells so.
func (w *watched) tell(answer Answer, err error) {
	w.mu.Lock()
	w.answer, w.err = answer, err
	changed := w.changed
	w.mu.Unlock()
	changed()
}

func (w *watched) seen() (fetches, watches []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fetches, watches = w.fetches, w.watches
	w.fetches, w.watches = nil, nil
	return fetches, watches
}

func document(lcut int64, gate string) Answer {
	return Answer{Document: []byte(specs(lcut, "", gate)), Origin: OriginNetwork}
}

func TestAWatcherWakesTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		s := newSyncer(t, Options{Sources: []Source{w}, Interval: time.Minute})
		run(t, s)
		time.Sleep(5 * time.Second)
		w.tell(document(200, "second"), nil)
		synctest.Wait()
		if got := gateOf(t, s.State()); got != "second" {
			t.Errorf("want the change at once, got %q", got)
		}
		for i := range int64(10) {
			w.tell(document(300+i, "third"), nil)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.State(); gateOf(t, got) != "third" || got.Snapshot.Time() != 309 {
			t.Errorf("want the last of ten changes, got %+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		fetches, watches := w.seen()
		want := []time.Duration{0, 5 * time.Second, 6 * time.Second, 66 * time.Second}
		if diff := cmp.Diff(want, fetches); diff != "" {
			t.Errorf("polls: ten changes are one, a second later (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]time.Duration{0}, watches); diff != "" {
			t.Errorf("watches (-want +got):\n%s", diff)
		}
	})
}

func TestAWatchThatEndsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		var (
			observing sync.Mutex
			ends      []Outcome
		)
		o := Options{Sources: []Source{w}, Interval: time.Hour}
		o.Observer = observerFunc(func(r Request) {
			observing.Lock()
			defer observing.Unlock()
			if r.Outcome != OutcomeChanged {
				ends = append(ends, r.Outcome)
			}
		})
		run(t, newSyncer(t, o))
		for range 12 {
			w.end <- errors.New("the stream broke")
			synctest.Wait()
		}
		time.Sleep(maxBackoff)
		synctest.Wait()
		_, watches := w.seen()
		for i := 1; i < len(watches); i++ {
			gap := watches[i] - watches[i-1]
			if longest := min(watchPause<<i, maxBackoff); gap < watchPause || gap > longest {
				t.Errorf("pause %d is %s, want at most %s", i, gap, longest)
			}
		}
		if n := len(watches); n != 13 {
			t.Errorf("want 13 watches, got %d", n)
		}
		observing.Lock()
		if ends[0] != OutcomeError {
			t.Errorf("outcome: got %s", ends[0])
		}
		observing.Unlock()
		w.changed()
		w.end <- nil
		time.Sleep(2 * watchPause)
		synctest.Wait()
		if _, watches := w.seen(); len(watches) != 1 {
			t.Errorf("after a watch that told something: want the next within %s", 2*watchPause)
		}
	})
}

// TestAWatcherDoesNotEndTheBackOffOfOthers has a source that fails before the one that watches.
func TestAWatcherDoesNotEndTheBackOffOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		failing := 0
		broken := NewSource("first", "x", func(context.Context, Have) (Answer, error) {
			failing++
			return Answer{}, errors.New("broken")
		})
		s := newSyncer(t, Options{Sources: []Source{broken, w}})
		run(t, s)
		for i := range int64(300) {
			time.Sleep(2 * time.Second)
			w.tell(document(200+i, "next"), nil)
		}
		synctest.Wait()
		if got := s.State(); got.Snapshot.Time() != 499 {
			t.Errorf("want the last change, got %+v", got)
		}
		if failing > 12 {
			t.Errorf("the failing source was asked %d times in ten minutes", failing)
		}
	})
}

// TestAWatcherBehindTheOneThatServesCostsNothing tells of changes that nobody asks for.
func TestAWatcherBehindTheOneThatServesCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		server := &stub{handler: body(specs(100, "a", "first"))}
		o := server.options(t)
		o.Sources = append(o.Sources, w)
		s := newSyncer(t, o)
		run(t, s)
		time.Sleep(5 * time.Second)
		w.changed()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(server.seen()); n > 8 {
			t.Errorf("want one poll more than the seven of a minute, got %d", n)
		}
	})
}

// TestAWatcherTellsOfTroubleAndRecovery is a stream that breaks and comes back.
func TestAWatcherTellsOfTroubleAndRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		s := newSyncer(t, Options{Sources: []Source{w}})
		run(t, s)
		time.Sleep(2 * time.Second)
		w.tell(Answer{}, errors.New("the stream broke"))
		synctest.Wait()
		if got := s.State(); got.Err == nil || gateOf(t, got) != "first" {
			t.Errorf("broken: %+v", got)
		}
		time.Sleep(2 * time.Second)
		w.tell(document(200, "second"), nil)
		synctest.Wait()
		if got := s.State(); got.Err != nil || gateOf(t, got) != "second" {
			t.Errorf("want the recovery at once, without regard to the back-off: %+v", got)
		}
	})
}
