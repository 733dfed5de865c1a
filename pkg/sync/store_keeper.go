package specsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// storeTimeout bounds one Load or Save.
	storeTimeout = 30 * time.Second
	// flushTimeout bounds the Save at the end.
	flushTimeout = 5 * time.Second
	// minSaveGap is the least time between two saves: a project that changes all the time is not to wear a store out.
	minSaveGap = 30 * time.Second
	// standbyRetry is the wait before a store on standby is asked again. Asking costs it nothing.
	standbyRetry = 5 * time.Second
)

// storeKeeper brings the stores of all who share a Syncer to what was offered last, in a loop of its own: a slow store
// holds up neither polls nor other stores' owners.
type storeKeeper struct {
	observer Observer
	scrub    func(error) error
	// key is the SDK key's fingerprint, "" for none.
	key    string
	wanted chan struct{}

	mu     sync.Mutex
	slots  []*storeSlot
	latest *Stored
}

// storeSlot is one store with what the loop knows of it.
type storeSlot struct {
	store Store
	scope string
	pace
	// saved is what the store holds, as far as known.
	saved *Stored
	// savedAt is when it was saved.
	savedAt time.Time
	err     error
}

func newStoreKeeper(o Options, scrub func(error) error) *storeKeeper {
	k := &storeKeeper{observer: o.Observer, scrub: scrub, wanted: make(chan struct{}, 1)}
	if o.Client != nil {
		k.key = o.Client.secrets().key.Fingerprint()
	}
	return k
}

// attach adds a store; detach with the slot takes it out again.
func (k *storeKeeper) attach(store Store, scope string) *storeSlot {
	sum := sha256.Sum256([]byte(k.key + "\n" + scope))
	slot := &storeSlot{store: store, scope: hex.EncodeToString(sum[:16])}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.slots = append(slices.Clone(k.slots), slot)
	poke(k.wanted)
	return slot
}

// detach leaves a Save that is under way to its end.
func (k *storeKeeper) detach(slot *storeSlot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.slots = slices.DeleteFunc(slices.Clone(k.slots), func(other *storeSlot) bool { return other == slot })
	poke(k.wanted)
}

// attached returns the slots and what they are to hold.
func (k *storeKeeper) attached() ([]*storeSlot, *Stored) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.slots, k.latest
}

// offer says what the stores are to hold; nil changes nothing.
func (k *storeKeeper) offer(stored *Stored) {
	if stored == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.latest = stored
	poke(k.wanted)
}

// load returns what the first store with something of use holds, and what is wrong with those before it. It must not
// run beside run.
func (k *storeKeeper) load(
	ctx context.Context, read func(*Stored, string) (*restored, error),
) (*restored, error) {
	slots, _ := k.attached()
	for _, slot := range slots {
		begun := now()
		found, err := k.loadFrom(ctx, slot, read)
		outcome := outcomeOf(err)
		switch {
		case found != nil:
			outcome = OutcomeChanged
		case errors.Is(err, ErrNothingStored):
			err, outcome = nil, OutcomeUnchanged
		}
		observe(k.observer, Request{Source: StoreLoadName, Outcome: outcome, Took: now().Sub(begun)})
		if err != nil {
			slot.err = k.scrub(fmt.Errorf("reading the stored config specs: %w", err))
		}
		if found != nil {
			slot.saved = found.stored
			return found, k.problem(slots)
		}
	}
	return nil, k.problem(slots)
}

func (k *storeKeeper) loadFrom(
	ctx context.Context, slot *storeSlot, read func(*Stored, string) (*restored, error),
) (*restored, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	stored, err := slot.store.Load(ctx)
	if err != nil {
		return nil, err
	}
	return read(stored, slot.scope)
}

// run saves until ctx ends, and tells each change of what is wrong.
func (k *storeKeeper) run(ctx context.Context, problems chan<- error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	slots, _ := k.attached()
	was := k.problem(slots)
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wanted:
		case <-timer.C:
		}
		slots, latest := k.attached()
		if next := k.saveDue(ctx, slots, latest); !next.IsZero() {
			timer.Reset(next.Sub(now()))
		}
		is := k.problem(slots)
		if sameText(is, was) {
			continue
		}
		select {
		case problems <- is:
			was = is
		case <-ctx.Done():
		}
	}
}

// saveDue saves to the stores that may be written now, and returns when the next may be; the zero time for none.
func (k *storeKeeper) saveDue(ctx context.Context, slots []*storeSlot, latest *Stored) (next time.Time) {
	for _, slot := range slots {
		if slot.saved.sameContent(latest) {
			continue
		}
		if at := slot.saveAt(); at.After(now()) {
			if next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		if k.save(ctx, slot, latest, storeTimeout); !slot.saved.sameContent(latest) && ctx.Err() == nil {
			next = slot.saveAt()
		}
	}
	return next
}

// saveAt is the first instant at which the store may be written again.
func (s *storeSlot) saveAt() time.Time {
	if s.savedAt.IsZero() {
		return s.dueAt(false)
	}
	return later(s.dueAt(false), s.savedAt.Add(minSaveGap))
}

func (k *storeKeeper) save(ctx context.Context, slot *storeSlot, latest *Stored, timeout time.Duration) {
	begun := now()
	stored := *latest
	stored.Scope = slot.scope
	saving, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := slot.store.Save(saving, &stored)
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, ErrStandby) {
		slot.retryAt = now().Add(standbyRetry)
		return
	}
	outcome := outcomeOf(err)
	if err == nil {
		outcome = OutcomeChanged
	}
	observe(k.observer, Request{Source: StoreSaveName, Outcome: outcome, Took: now().Sub(begun)})
	slot.err, slot.savedAt = nil, now()
	if err != nil {
		slot.err = k.scrub(fmt.Errorf("storing the config specs: %w", err))
	}
	if err != nil && !errors.Is(err, ErrTooLarge) {
		slot.failed(now(), err, minSaveGap)
		return
	}
	slot.succeeded()
	slot.saved = &stored
}

// confirmGap is the age from which what is stored counts as old at the end: saves happen on changes only, but the next
// start should know when the specs were confirmed last.
const confirmGap = time.Minute

// flush saves what is newer than what the stores hold, when run has ended, with an own deadline.
func (k *storeKeeper) flush(ctx context.Context, latest *Stored) {
	if latest == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	slots, _ := k.attached()
	for _, slot := range slots {
		if !slot.saved.sameContent(latest) || latest.ConfirmedAt.Sub(slot.saved.ConfirmedAt) > confirmGap {
			k.save(ctx, slot, latest, flushTimeout)
		}
	}
}

// problem joins what is wrong with the stores.
func (k *storeKeeper) problem(slots []*storeSlot) error {
	var errs []error
	for _, slot := range slots {
		if slot.err != nil {
			errs = append(errs, slot.err)
		}
	}
	return join(errs)
}

func sameText(a, b error) bool {
	if a == nil || b == nil {
		return (a == nil) == (b == nil)
	}
	return a.Error() == b.Error()
}
