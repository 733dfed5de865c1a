package specsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// minWakeGap is the least time between the start of a poll and that of the next one that was asked for by Wake or by a
// Watcher.
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
	// approved is the hash that Approve was called with last.
	approved atomic.Pointer[string]
	lists    *listSyncer // nil when ID lists are off
	stores   *storeKeeper

	// What others ask of the loop. changes are those of Watchers.
	wakes, changes, retimed, reconsiders chan struct{}

	subscribing sync.Mutex
	subscribers []*subscriber

	// What follows belongs to the loop.
	sources   []*trackedSource
	polls     int
	lastStart time.Time
	woken     bool
	specsDone bool
	listsDone bool
	// document is the text of the snapshot that is served.
	document string
	// candidate is what the guard keeps from being served; nil for nothing.
	candidate *candidate
	// listStates are what the ID lists were last.
	listStates map[string]*heldList
}

type subscriber struct{ notify func(was, is State) }

// trackedSource is a source with what the loop knows of it.
type trackedSource struct {
	Source
	pace
	memo memo
	// err is why the last attempt was of no use.
	err error
	// changed is set by the source's Watch; woken is the loop's note of it, which the next poll clears.
	changed atomic.Bool
	woken   bool
}

// readyAt is the first instant at which to ask the source.
func (t *trackedSource) readyAt(woken bool) time.Time { return t.dueAt(woken || t.woken) }

// New validates o.
func New(o Options) (*Syncer, error) {
	s, err := newBare(o)
	if err != nil {
		return nil, err
	}
	if o.Store != nil {
		s.stores.attach(o.Store, o.StoreScope)
	}
	return s, nil
}

// newBare leaves the store out.
func newBare(o Options) (*Syncer, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("sync options: %w", err)
	}
	s := &Syncer{
		options: o, scrubError: new(secret.Scrubber).Error, listsDone: true,
		wakes: make(chan struct{}, 1), changes: make(chan struct{}, 1),
		retimed: make(chan struct{}, 1), reconsiders: make(chan struct{}, 1),
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
	s.stores = newStoreKeeper(o, s.scrubError)
	s.interval.Store(int64(o.Interval))
	s.state.Store(&State{})
	return s, nil
}

// State returns what is known now. It never blocks.
func (s *Syncer) State() State { return *s.state.Load() }

// Subscribe has notify called, from the loop and one call at a time, after each change of the snapshot, the ID lists
// ([IDLists.Changed] tells which), what the guard holds, or the health: from well to failing, from one kind of failure
// to another, back again, and when the first attempt is over. A poll that changes none of these is not told. notify
// must not block; it may use the Syncer. A call under way when cancel returns still ends.
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

// Run restores what the store holds and then polls until ctx ends, the first time at once. It writes what the store
// lacks and returns nil. It may be called once.
func (s *Syncer) Run(ctx context.Context) error {
	if s.started.Swap(true) {
		return errors.New("the syncer has been run before")
	}
	if s.options.Client != nil {
		defer s.options.Client.closeIdle()
	}
	s.restore(ctx)
	var loops sync.WaitGroup
	defer func() {
		loops.Wait()
		state := s.State()
		s.stores.flush(ctx, s.stored(&state))
	}()
	var lists chan listUpdate
	if s.lists != nil {
		lists = make(chan listUpdate)
		loops.Go(func() { s.lists.run(ctx, lists) })
	}
	for _, source := range s.sources {
		if w, ok := source.Source.(Watcher); ok {
			loops.Go(func() { s.watch(ctx, source, w) })
		}
	}
	stored := make(chan error)
	loops.Go(func() { s.stores.run(ctx, stored) })
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
		case <-s.changes:
			s.noteChanges()
		case <-s.retimed:
		case <-s.reconsiders:
			s.reconsider()
		case update := <-lists:
			s.adopt(update)
		case err := <-stored:
			s.noteStored(err)
		}
	}
}

// noteChanges takes over what Watchers told.
func (s *Syncer) noteChanges() {
	for _, source := range s.sources {
		if source.changed.Swap(false) {
			source.woken = true
		}
	}
}

// dueAt is when the next poll begins: as soon as the interval is over and a source may be asked. A source that knows of
// a change makes it earlier, and is spared the back-off, unlike the others.
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
	due := s.sources[0].readyAt(s.woken)
	for _, source := range s.sources[1:] {
		due = earlier(due, source.readyAt(s.woken))
	}
	due = later(due, s.lastStart.Add(gap))
	for _, source := range s.sources {
		if source.woken {
			due = earlier(due, later(source.readyAt(true), s.lastStart.Add(minWakeGap)))
		}
	}
	return due
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// adopt takes over what the ID list loop brought.
func (s *Syncer) adopt(update listUpdate) {
	next := s.State()
	next.IDLists, next.IDListsErr = update.lists, update.err
	s.listStates = update.held
	s.listsDone = true
	s.publish(next)
}

// noteStored takes over how the last writing to the stores went.
func (s *Syncer) noteStored(err error) {
	next := s.State()
	next.StoreErr = err
	s.publish(next)
}

// publish makes next visible, has it stored, and tells the subscribers if it matters to them.
func (s *Syncer) publish(next State) {
	next.Attempted = s.specsDone && s.listsDone
	was := s.state.Swap(&next)
	if next.Snapshot != was.Snapshot || next.IDLists != was.IDLists {
		s.stores.offer(s.stored(&next))
	}
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
