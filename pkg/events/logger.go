package events

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Logger takes events and delivers them in the background. Make one with [New] and start it with [Logger.Run].
type Logger struct {
	options Options
	now     func() time.Time
	jitter  func() float64 // in [0, 1)

	seed    maphash.Seed
	dedupe  *dedupe
	queue   *queue
	ledger  *ledger
	encoder *bodyEncoder
	sender  sender
	scratch sync.Pool // of *[]byte
	hasRun  atomic.Bool
}

// New returns a logger for one project. It fails when an option is out of bounds or the SDK key is missing.
func New(o Options) (*Logger, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("checking event options: %w", err)
	}
	return newLogger(o, newHTTPSender(o)), nil
}

// newLogger expects checked options.
func newLogger(o Options, s sender) *Logger {
	l := &Logger{
		options: o,
		now:     o.Now,
		jitter:  rand.Float64,
		seed:    maphash.MakeSeed(),
		dedupe:  newDedupe(o.DedupeSize),
		ledger:  newLedger(o.Observer),
		encoder: newBodyEncoder(requestMetadata(o)),
		sender:  s,
		scratch: sync.Pool{New: func() any { return new([]byte) }},
	}
	l.queue = newQueue(o.BatchSize, o.MaxPendingBatches, o.MaxQueueBytes, func(keys []uint64) {
		l.dedupe.forget(keys)
		l.ledger.countDropped(ReasonOverflow, len(keys))
	})
	return l
}

// Expose logs an exposure unless an equal one of the same unit was logged within the exposure's RepeatEvery. The result
// says whether it was queued; what becomes of it then shows in [Logger.Stats]. An exposure that is later dropped is
// forgotten, so that telling it again logs it again, unless the endpoint refused the content itself.
func (l *Logger) Expose(e Exposure) (queued bool) {
	if !e.isLoggable() {
		return false
	}
	if l.options.Disabled {
		l.ledger.countDropped(ReasonDisabled, 1)
		return false
	}
	at := l.timeOf(e.Time)
	repeatEvery := e.RepeatEvery
	if repeatEvery <= 0 {
		repeatEvery = l.options.RepeatEvery
	}
	key := e.key(l.seed)
	if !l.dedupe.admit(key, at, repeatEvery) {
		return false
	}
	buf := l.scratch.Get().(*[]byte)
	*buf = appendExposure((*buf)[:0], &e, at)
	queued = l.enqueue(*buf, key)
	l.recycle(buf)
	return queued
}

// Log logs a custom event. The result says whether it was queued; what becomes of it then shows in [Logger.Stats].
func (l *Logger) Log(e CustomEvent) (queued bool) {
	if l.options.Disabled {
		l.ledger.countDropped(ReasonDisabled, 1)
		return false
	}
	buf := l.scratch.Get().(*[]byte)
	*buf = appendCustomEvent((*buf)[:0], &e, l.timeOf(e.Time))
	queued = l.enqueue(*buf, noKey)
	l.recycle(buf)
	return queued
}

// Run delivers events until ctx is done. Then it sends what is left, one attempt per batch, within
// [Options.ShutdownTimeout], drops the rest and returns nil. Events logged after that are dropped. A logger runs once:
// a second call returns [ErrAlreadyRun].
func (l *Logger) Run(ctx context.Context) error {
	if l.hasRun.Swap(true) {
		return ErrAlreadyRun
	}
	// Requests outlive ctx by the shutdown timeout, so that the one in flight isn't cut off and sent twice.
	sendCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	var workers sync.WaitGroup
	for range l.options.MaxInFlight {
		workers.Go(func() { l.work(ctx, sendCtx) })
	}
	l.sealOnSchedule(ctx)
	deadline := time.AfterFunc(l.options.ShutdownTimeout, cancel)
	defer deadline.Stop()
	workers.Wait()
	l.queue.close()
	for b := l.queue.take(true); b != nil; b = l.queue.take(true) {
		l.dropBatch(b, ReasonShutdown, context.Cause(ctx))
	}
	return nil
}

// Flush sends everything logged before the call and waits until it is delivered or dropped, or ctx is done. It needs
// [Logger.Run] running. The error matches [ErrDropped] when something was dropped, [ErrUnauthorized] when that was for
// the SDK key, and ctx's error when that ended the wait; sending goes on then.
func (l *Logger) Flush(ctx context.Context) error {
	w := l.queue.flush()
	if w == nil {
		return nil
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return fmt.Errorf("waiting for events to be delivered: %w", ctx.Err())
	}
}

// Stats returns the counters as they are now.
func (l *Logger) Stats() Stats {
	s := l.ledger.stats()
	if l.options.Disabled {
		s.State = StateDisabled
	}
	s.Pending, s.PendingBytes = l.queue.pending()
	s.DedupeKeys, s.Repeated = l.dedupe.stats()
	return s
}

// work delivers one batch after the other. Once ctx is done it goes on until the queue is empty, the open batch
// included, or sendCtx is done too.
func (l *Logger) work(ctx, sendCtx context.Context) {
	for {
		stopping := ctx.Err() != nil
		if sendCtx.Err() != nil {
			return
		}
		if b := l.queue.take(stopping); b != nil {
			l.deliver(ctx, sendCtx, b)
			continue
		}
		if stopping {
			return
		}
		select {
		case <-ctx.Done():
		case <-l.queue.ready:
		}
	}
}

func (l *Logger) sealOnSchedule(ctx context.Context) {
	ticker := time.NewTicker(l.options.FlushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.queue.sealOpen(flushScheduled)
		}
	}
}

func (l *Logger) enqueue(event []byte, key uint64) (queued bool) {
	reason := l.queue.add(event, key)
	if reason == "" {
		return true
	}
	if reason != ReasonTooLarge && key != noKey {
		l.dedupe.forget([]uint64{key})
	}
	l.ledger.countDropped(reason, 1)
	return false
}

func (l *Logger) timeOf(t time.Time) time.Time {
	if t.IsZero() {
		return l.now()
	}
	return t
}

// recycle keeps the buffers of ordinary events only: one huge event must not hold its memory for good.
func (l *Logger) recycle(buf *[]byte) {
	const keptSize = 64 << 10
	if cap(*buf) <= keptSize {
		l.scratch.Put(buf)
	}
}
