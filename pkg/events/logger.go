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
	sampler *sampler
	checks  *checks
	queue   *queue
	ledger  *ledger
	keeper  *keeper
	breaker *breaker
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
		sampler: newSampler(o.SamplingSize),
		checks:  newChecks(),
		ledger:  newLedger(o.Observer),
		encoder: newBodyEncoder(requestMetadata(o), o.Compression),
		sender:  s,
		scratch: sync.Pool{New: func() any { return new([]byte) }},
	}
	l.queue = newQueue(o.BatchSize, o.MaxPendingBatches, o.MaxQueueBytes, func(keys []uint64) {
		l.dedupe.forget(keys)
		l.ledger.countDropped(ReasonOverflow, len(keys))
	})
	l.keeper = newKeeper(o, l.queue, l.ledger)
	l.breaker = newBreaker(func(failures int) time.Duration { return l.backoff(failures) })
	return l
}

// Expose logs an exposure unless an equal one of the same unit was logged within the exposure's RepeatEvery, or the project
// asks for a sample that does not hold it, see [Logger.SetSampling]. The result says whether it was queued; what becomes of
// it then shows in [Logger.Stats]. An exposure that is later dropped is forgotten, so that telling it again logs it again,
// unless the endpoint refused the content itself, or it was on disk only.
func (l *Logger) Expose(e Exposure) (queued bool) {
	if !e.isLoggable() || (e.isOverridden() && !l.options.ExposeOverridden) {
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
	mark, isLogged := l.sampler.decide(&e, at)
	if !isLogged {
		return false
	}
	buf := l.scratch.Get().(*[]byte)
	*buf = appendSampledExposure((*buf)[:0], &e, mark, at)
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

// Run delivers events until ctx is done. Then it writes what is in memory to the spool, if there is one, makes one more
// attempt at each batch in memory within [Options.ShutdownTimeout], and returns nil. What was not delivered stays in the
// spool, or is dropped. Events logged after that are dropped. When Run has returned, nothing of the logger is running any
// longer and its spool directory is free. A logger runs once: a second call returns [ErrAlreadyRun].
func (l *Logger) Run(ctx context.Context) error {
	if l.hasRun.Swap(true) {
		return ErrAlreadyRun
	}
	// Requests outlive ctx by the shutdown timeout, so that the one in flight isn't cut off and sent twice.
	sendCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	// Counted checks become an event before anything looks for what is left.
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	var workers sync.WaitGroup
	workers.Go(func() { l.keeper.run(runCtx) })
	for range l.options.MaxInFlight {
		workers.Go(func() { l.work(runCtx, sendCtx) })
	}
	l.sealOnSchedule(ctx)
	l.flushChecks()
	stop()
	deadline := time.AfterFunc(l.options.ShutdownTimeout, cancel)
	defer deadline.Stop()
	workers.Wait()
	l.breaker.close()
	l.queue.close()
	if l.keeper.isOn() {
		l.keeper.try(true) // what it does not write is dropped below
	}
	for b := l.queue.take(true); b != nil; b = l.queue.take(true) {
		l.leave(b, context.Cause(ctx))
	}
	l.keeper.close()
	return nil
}

// Sync makes everything logged before the call safe: when it returns nil, those events are delivered, or on disk and
// sent by this process or the next one. Without a spool, or while the disk refuses, it waits for delivery, as Flush does.
// It says nothing of events that were dropped before. It needs [Logger.Run] running, and ends with ctx.
func (l *Logger) Sync(ctx context.Context) error {
	if l.keeper.isOn() && l.keeper.sync(ctx) == nil {
		return nil
	}
	return l.Flush(ctx)
}

// Flush sends everything logged before the call and waits until it is delivered or dropped, or ctx is done. It needs
// [Logger.Run] running. The error matches [ErrDropped] when something was dropped, [ErrUnauthorized] when that was for
// the SDK key, [ErrSetAside] when something was set aside, [ErrSpooled] when something has to wait on disk, and ctx's
// error when that ended the wait; sending goes on then. It does not wait for what was on disk only before.
func (l *Logger) Flush(ctx context.Context) error {
	l.flushChecks()
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
	if l.options.DisableNetwork && !l.options.Disabled {
		s.State = StateNetworkDisabled
	}
	s.Circuit = l.breaker.current()
	s.Pending, s.PendingBytes = l.queue.pending()
	s.Spool = l.keeper.stats()
	s.DedupeKeys, s.Repeated = l.dedupe.stats()
	s.SamplingKeys, s.SampledOut = l.sampler.stats()
	s.CheckNames = l.checks.names()
	return s
}

// work delivers one batch after the other. Once ctx is done it makes one more attempt at each batch in memory, the open
// one included, until sendCtx is done too.
func (l *Logger) work(ctx, sendCtx context.Context) {
	for {
		ticket, ok := l.breaker.admit(ctx)
		if !ok || ctx.Err() != nil {
			break
		}
		if b := l.next(); b != nil {
			l.attempt(ctx, sendCtx, b, ticket)
			continue
		}
		l.breaker.withdraw(ticket)
		select {
		case <-ctx.Done():
		case <-l.queue.ready:
		}
	}
	<-l.keeper.ended // safe first, sent second
	for sendCtx.Err() == nil {
		b := l.queue.take(true)
		if b == nil {
			return
		}
		l.attempt(ctx, sendCtx, b, noTicket)
	}
}

// next returns the batch to send next. What is on disk only is older than what is in memory.
func (l *Logger) next() *batch {
	if b := l.keeper.claim(l.options.BatchSize); b != nil {
		return b
	}
	return l.queue.take(false)
}

func (l *Logger) sealOnSchedule(ctx context.Context) {
	ticker := time.NewTicker(l.options.FlushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.flushChecks()
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
