package specsync

import (
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
	// SourceName is the source that last confirmed or brought Snapshot; "" before the first.
	SourceName string
	// LastSuccess is when a source last confirmed that Snapshot is current, or brought it.
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
	// IDListsErr says which ID lists could not be brought up to date, or why none could; nil when all are current.
	IDListsErr error
	// Attempted says that the first poll is over, and the first round of ID lists if they are on, with whatever
	// result. Values computed before that may change with it.
	Attempted bool
}

// health is the part of a State, beside its content, that subscribers are told of: kinds of errors, not their texts,
// which may differ from poll to poll.
type health struct {
	err, skipped, lists Outcome
	source              string
	attempted           bool
}

func (s *State) health() health {
	return health{
		err: outcomeOf(s.Err), skipped: outcomeOf(s.Skipped), lists: outcomeOf(s.IDListsErr),
		source: s.SourceName, attempted: s.Attempted,
	}
}

// matters reports whether subscribers should hear of the step from was to s.
func (s *State) matters(was *State) bool {
	return s.Snapshot != was.Snapshot || s.IDLists != was.IDLists || s.health() != was.health()
}
