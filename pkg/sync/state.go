package specsync

import (
	"errors"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// State is what is known of a project's specs and ID lists at one moment. It is a value; what it points to is
// immutable.
type State struct {
	// Snapshot is the last good one; nil before the first.
	Snapshot *eval.Snapshot
	// IDLists are the last good ones; nil before the first manifest was read, or when they are off. A nil IDLists
	// holds nothing and may be used.
	IDLists *IDLists
	// SourceName is the source that last confirmed or brought Snapshot, StoreName while Stale; "" before the first.
	SourceName string
	// Stale says that Snapshot was read from the store at the start and that no source has confirmed it since.
	// LastSuccess and LastChange are then those of the time when it was stored.
	Stale bool
	// LastSuccess is when a source last confirmed that Snapshot is current, or brought it, or brought one that is held.
	LastSuccess time.Time
	// LastChange is when Snapshot was replaced.
	LastChange time.Time
	// ConsecutiveFailures counts the polls that failed since the last one that did not.
	ConsecutiveFailures int
	// Err says why the last poll did not confirm Snapshot; nil when it did. ErrNoSpecs and ErrOutdated are proper
	// answers and are not counted as failures.
	Err error
	// Skipped says why the sources before SourceName did not serve; nil when the first did, or when none did (see Err).
	Skipped error
	// Held is the newest snapshot, which the guard keeps from replacing Snapshot; nil when it keeps none.
	Held *Held
	// IDListsErr says which ID lists could not be brought up to date, or why none could; nil when all are current.
	IDListsErr error
	// StoreErr says why the store could not be read, or why what it holds is not what is served; nil when it is up to
	// date or when there is none.
	StoreErr error
	// Attempted says that the first poll is over, and the first round of ID lists if they are on, with whatever
	// result. Values computed before that may change with it.
	Attempted bool
}

// StoreName is State.SourceName of a snapshot that comes from the store.
const StoreName = "Store"

// Age is how long ago a source confirmed that Snapshot is current, never negative; ok is false where none ever did.
func (s *State) Age(now time.Time) (age time.Duration, ok bool) {
	if s.LastSuccess.IsZero() {
		return 0, false
	}
	return max(0, now.Sub(s.LastSuccess)), true
}

// Trial is what a State says of the SDK key that it was asked with.
type Trial int

const (
	// TrialPending says that nothing is known: no source has answered yet, or none that could tell.
	TrialPending Trial = iota
	// TrialPassed says that a source has brought or confirmed specs for the key.
	TrialPassed
	// TrialRefused says that a source refuses the key, or has only specs of another. The source is asked again, so
	// this may become TrialPassed.
	TrialRefused
)

// Trial tells whether a Syncer with a new key may take the place of the one with the old key. What comes from the store
// proves nothing.
func (s *State) Trial() Trial {
	switch {
	case errors.Is(s.Err, ErrUnauthorized), errors.Is(s.Err, ErrWrongProject), errors.Is(s.Skipped, ErrUnauthorized):
		return TrialRefused
	case s.Snapshot != nil && !s.Stale && s.Err == nil:
		return TrialPassed
	default:
		return TrialPending
	}
}

// health is the part of a State, beside its content, that subscribers are told of: kinds of errors, not their texts,
// which may differ from poll to poll.
type health struct {
	err, skipped, lists, store Outcome
	source                     string
	stale, attempted           bool
}

func (s *State) health() health {
	return health{
		err: outcomeOf(s.Err), skipped: outcomeOf(s.Skipped), lists: outcomeOf(s.IDListsErr), store: outcomeOf(s.StoreErr),
		source: s.SourceName, stale: s.Stale, attempted: s.Attempted,
	}
}

// matters reports whether subscribers should hear of the step from was to s.
func (s *State) matters(was *State) bool {
	return s.Snapshot != was.Snapshot || s.IDLists != was.IDLists || s.Held != was.Held || s.health() != was.health()
}
