package specsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// Store keeps what a Syncer held last, so that a restarted process has it at once. What it holds may be private: rules
// name users. It must be safe for concurrent use.
type Store interface {
	// Load returns what was saved last. Its error is [ErrNothingStored] when there is nothing, and matches ErrMalformed
	// when it is torn or damaged.
	Load(ctx context.Context) (*Stored, error)
	// Save replaces what is stored, or leaves it as it is: never something in between. It does not change or keep what
	// it is given. An error that matches ErrTooLarge says that trying again is of no use; [ErrStandby] is none.
	Save(ctx context.Context, stored *Stored) error
}

// ErrNothingStored says that a store is empty.
var ErrNothingStored = errors.New("nothing is stored")

// ErrStandby is what Save returns while another process is the one that stores. It is no failure: Save is called again
// soon, and nobody is told.
var ErrStandby = errors.New("another process stores")

// Stored is what a [Store] keeps. It is immutable.
type Stored struct {
	// Scope is what the documents belong to, as a hash.
	Scope string
	// Document is the config specs document.
	Document string
	// Time and Checksum are the document's own.
	Time     int64
	Checksum string
	// Origin is the first half of the reason in evaluation details; see [Answer].
	Origin string
	// ReceivedAt is when the document came, ConfirmedAt when a source confirmed it last.
	ReceivedAt, ConfirmedAt time.Time
	// lists are the ID lists by name.
	lists map[string]*heldList
}

// WithoutIDLists is for stores that have no room for them.
func (s *Stored) WithoutIDLists() *Stored {
	without := *s
	without.lists = nil
	return &without
}

// IDs is the number of IDs in all ID lists.
func (s *Stored) IDs() int {
	n := 0
	for _, list := range s.lists {
		n += list.set.n
	}
	return n
}

// sameContent reports whether a save would change no more than times. A nil latest asks for nothing.
func (s *Stored) sameContent(latest *Stored) bool {
	if latest == nil {
		return true
	}
	if s == nil || s.Document != latest.Document || len(s.lists) != len(latest.lists) {
		return false
	}
	for name, list := range latest.lists {
		if held := s.lists[name]; held == nil || held.set != list.set {
			return false
		}
	}
	return true
}

// stored is what the stores are to hold; nil before there are specs.
func (s *Syncer) stored(state *State) *Stored {
	snapshot := state.Snapshot
	if snapshot == nil {
		return nil
	}
	return &Stored{
		Document: s.document, Time: snapshot.Time(), Checksum: snapshot.Checksum(), Origin: snapshot.Origin().Source,
		ReceivedAt: snapshot.Origin().ReceivedAt, ConfirmedAt: state.LastSuccess, lists: s.listStates,
	}
}

// restore publishes what a store holds, before the first poll. Whatever is wrong with the store is told and costs
// nothing but the head start.
func (s *Syncer) restore(ctx context.Context) {
	found, err := s.stores.load(ctx, s.readStored)
	next := s.State()
	next.StoreErr = err
	if found != nil {
		stored := found.stored
		next.Snapshot, next.SourceName, next.Stale = found.snapshot, StoreName, true
		// A clock that was set back must not make specs younger than they can be.
		next.LastSuccess, next.LastChange = earlier(stored.ConfirmedAt, now()), earlier(stored.ReceivedAt, now())
		s.document = stored.Document
		if s.lists != nil {
			s.lists.restore(stored.lists)
			next.IDLists, s.listStates = s.lists.published, s.lists.held
		}
	}
	s.publish(next)
}

// restored is what a store held, ready to be served.
type restored struct {
	stored   *Stored
	snapshot *eval.Snapshot
}

// readStored makes a snapshot of what is stored, unless it is for another key or other sources.
func (s *Syncer) readStored(stored *Stored, scope string) (*restored, error) {
	if stored.Scope != scope {
		return nil, fmt.Errorf("%w, or come from other sources", ErrWrongProject)
	}
	v := judge(stored.Document, stored.Origin, nil, s.hashedKey, stored.ReceivedAt)
	if v.err != nil {
		return nil, v.err
	}
	return &restored{stored, v.snapshot}, nil
}
