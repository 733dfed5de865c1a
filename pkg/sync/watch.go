package specsync

import (
	"context"
	"sync/atomic"
	"time"
)

// Watcher is what a [Source] may also be that learns of changes by itself, such as from a stream.
type Watcher interface {
	// Watch calls changed, from any goroutine, whenever Fetch would answer differently, also with an error; the Syncer
	// then polls, at most once a second. Watch runs while the Syncer does, beside Fetch, and returns soon after ctx has
	// ended. When it returns before that, it is called again, after a pause that grows as long as it has nothing to
	// tell; its error shows in the Outcome that the Observer gets, so Fetch must tell of the trouble too.
	Watch(ctx context.Context, changed func()) error
}

// watchPause is the pause before the first new attempt at a Watch that ended, before it grows.
const watchPause = time.Second

// watch runs a source's Watch again and again until ctx ends.
func (s *Syncer) watch(ctx context.Context, source *trackedSource, w Watcher) {
	var trouble pace
	for {
		var told atomic.Bool
		begun := now()
		err := w.Watch(ctx, func() {
			told.Store(true)
			source.changed.Store(true)
			poke(s.changes)
		})
		if ctx.Err() != nil {
			return
		}
		if told.Load() {
			trouble.succeeded()
		}
		observe(s.options.Observer, Request{Source: source.Name(), Outcome: outcomeOf(err), Took: now().Sub(begun)})
		trouble.failed(now(), err, watchPause)
		if !pauseUntil(ctx, trouble.dueAt(false)) {
			return
		}
	}
}

// pauseUntil reports whether at came before the end of ctx.
func pauseUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(at.Sub(now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
