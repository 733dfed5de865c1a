package specsync

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// minWakeGap is the least time between the start of a poll and that of the next one that was asked for by Wake.
const minWakeGap = time.Second

// Syncer keeps one project's State current while Run runs.
type Syncer struct {
	options Options
	// scrubError keeps the key out of what sources report.
	scrubError func(error) error
	// hashedKey is what documents must have been made for, "" for anything.
	hashedKey string
	interval  atomic.Int64
	started   atomic.Bool
	state     atomic.Pointer[State]
	wakes     chan struct{}
	retimed   chan struct{}
	lists     *listSyncer // nil when ID lists are off

	subscribing sync.Mutex
	subscribers []*subscriber

	// What follows belongs to the loop.
	sources   []*trackedSource
	polls     int
	lastStart time.Time
	woken     bool
	specsDone bool
	listsDone bool
}

type subscriber struct{ notify func(was, is State) }

// trackedSource is a source with what the loop knows of it.
type trackedSource struct {
	Source
	pace
	memo memo
	// err is why the last attempt was of no use.
	err error
}

// New validates o.
func New(o Options) (*Syncer, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("sync options: %w", err)
	}
	s := &Syncer{
		options: o, scrubError: new(secret.Scrubber).Error, listsDone: true,
		wakes: make(chan struct{}, 1), retimed: make(chan struct{}, 1),
	}
	if o.Client != nil {
		s.scrubError = o.Client.scrubError
		s.hashedKey = eval.DJB2(o.Client.key())
	}
	if o.IDLists.Enabled {
		if s.lists, err = newListSyncer(o); err != nil {
			return nil, fmt.Errorf("sync options: ID lists: %w", err)
		}
		s.listsDone = false
	}
	for _, source := range o.Sources {
		s.sources = append(s.sources, &trackedSource{Source: source})
	}
	s.interval.Store(int64(o.Interval))
	s.state.Store(&State{})
	return s, nil
}

// State returns what is known now. It never blocks.
func (s *Syncer) State() State { return *s.state.Load() }

// Subscribe has notify called, from the loop and one call at a time, after each change of the snapshot, the ID lists
// ([IDLists.Changed] tells which) or the health: from well to failing, from one kind of failure to another, back
// again, and when the first attempt is over. A poll that changes none of these is not told. notify must not block; it
// may use the Syncer. A call under way when cancel returns still ends.
func (s *Syncer) Subscribe(notify func(was, is State)) (cancel func()) {
	added := &subscriber{notify: notify}
	s.subscribing.Lock()
	defer s.subscribing.Unlock()
	s.subscribers = append(slices.Clone(s.subscribers), added)
	return func() {
		s.subscribing.Lock()
		defer s.subscribing.Unlock()
		s.subscribers = slices.DeleteFunc(slices.Clone(s.subscribers), func(other *subscriber) bool { return other == added })
	}
}

// Wake asks for a poll now: at least a second after the last one began, without regard to the back-off after
// failures, but not before a server's Retry-After. Calls before that poll count as one.
func (s *Syncer) Wake() { poke(s.wakes) }

// tune changes the intervals of a running Syncer.
func (s *Syncer) tune(interval, listInterval time.Duration) {
	s.interval.Store(int64(interval))
	poke(s.retimed)
	if s.lists != nil {
		s.lists.interval.Store(int64(listInterval))
		poke(s.lists.retimed)
	}
}

func poke(signal chan<- struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}

// Run polls until ctx ends, the first time at once, and then returns nil. It may be called once.
func (s *Syncer) Run(ctx context.Context) error {
	if s.started.Swap(true) {
		return errors.New("the syncer has been run before")
	}
	if s.options.Client != nil {
		defer s.options.Client.closeIdle()
	}
	var loops sync.WaitGroup
	defer loops.Wait()
	var lists chan listUpdate
	if s.lists != nil {
		lists = make(chan listUpdate)
		loops.Go(func() { s.lists.run(ctx, lists) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(s.dueAt().Sub(now()))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			s.poll(ctx)
		case <-s.wakes:
			s.woken = true
		case <-s.retimed:
		case update := <-lists:
			s.adopt(update)
		}
	}
}

// dueAt is when the next poll begins: as soon as the interval is over and a source may be asked.
func (s *Syncer) dueAt() time.Time {
	if s.polls == 0 {
		return time.Time{}
	}
	gap := time.Duration(s.interval.Load())
	if s.polls == 1 {
		gap += s.options.Phase
	}
	if s.woken {
		gap = minWakeGap
	}
	due := s.lastStart.Add(gap)
	ready := s.sources[0].dueAt(s.woken)
	for _, source := range s.sources[1:] {
		if at := source.dueAt(s.woken); at.Before(ready) {
			ready = at
		}
	}
	if ready.After(due) {
		return ready
	}
	return due
}

// poll asks the sources in order until one brings or confirms a snapshot, and publishes what came of it.
func (s *Syncer) poll(ctx context.Context) {
	woken := s.woken
	s.woken, s.lastStart = false, now()
	s.polls++
	next := s.State()
	var errs []error
	failed, served := false, false
	for _, source := range s.sources {
		if !source.dueAt(woken).After(now()) {
			v := s.ask(ctx, source, next.Snapshot)
			if ctx.Err() != nil {
				return
			}
			if v.snapshot != nil {
				next.Snapshot, next.LastChange = v.snapshot, now()
			}
		}
		if served = source.err == nil; served {
			next.SourceName, next.LastSuccess = source.Name(), now()
			break
		}
		errs = append(errs, source.err)
		failed = failed || isFailure(source.err)
	}
	next.Err, next.Skipped = join(errs), nil
	switch {
	case served:
		next.Err, next.Skipped, next.ConsecutiveFailures = nil, next.Err, 0
	case failed:
		next.ConsecutiveFailures++
	default:
		next.ConsecutiveFailures = 0
	}
	s.specsDone = true
	s.publish(next)
}

// ask asks one source and keeps its pace, its verdict and its error.
func (s *Syncer) ask(ctx context.Context, source *trackedSource, held *eval.Snapshot) verdict {
	begun := now()
	v := s.fetch(ctx, source, held)
	if ctx.Err() != nil {
		return v
	}
	source.err = nil
	if v.err != nil {
		source.err = s.scrubError(fmt.Errorf("fetching config specs from %s: %w", source.Name(), v.err))
	}
	if isFailure(v.err) {
		source.failed(now(), v.err, time.Duration(s.interval.Load()))
	} else {
		source.succeeded()
	}
	outcome := outcomeOf(v.err)
	if v.snapshot != nil {
		outcome = OutcomeChanged
	}
	observe(s.options.Observer, Request{Source: source.Name(), Outcome: outcome, Took: now().Sub(begun)})
	return v
}

// fetch gets a source's answer and judges it, unless it is the one that was judged before.
func (s *Syncer) fetch(ctx context.Context, source *trackedSource, held *eval.Snapshot) verdict {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	have := Have{}
	if held != nil {
		have.Time, have.Checksum = held.Time(), held.Checksum()
	}
	known := source.memo.current(held)
	if known {
		have.Version = source.memo.version
	}
	answer, err := source.Fetch(ctx, have)
	if err != nil {
		return verdict{err: err}
	}
	if answer.NotModified {
		switch {
		case known:
			return verdict{err: source.memo.err}
		case held == nil:
			return verdict{err: ErrNoSpecs}
		default:
			return verdict{}
		}
	}
	digest := sha256.Sum256(answer.Document)
	if known && digest == source.memo.digest {
		source.memo.version = answer.Version
		return verdict{err: source.memo.err}
	}
	v := judge(answer.Document, answer.Origin, held, s.hashedKey, now())
	source.memo = remember(answer.Version, digest, held, v)
	return v
}

// adopt takes over what the ID list loop brought.
func (s *Syncer) adopt(update listUpdate) {
	next := s.State()
	next.IDLists, next.IDListsErr = update.lists, update.err
	s.listsDone = true
	s.publish(next)
}

// publish makes next visible and tells the subscribers if it matters to them.
func (s *Syncer) publish(next State) {
	next.Attempted = s.specsDone && s.listsDone
	was := s.state.Swap(&next)
	if !next.matters(was) {
		return
	}
	s.subscribing.Lock()
	subscribers := s.subscribers
	s.subscribing.Unlock()
	for _, subscriber := range subscribers {
		subscriber.notify(*was, next)
	}
}

func observe(o Observer, r Request) {
	if o != nil {
		o.Observe(r)
	}
}
