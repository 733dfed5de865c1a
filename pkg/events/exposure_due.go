package events

import (
	"fmt"
	"hash/maphash"
	"time"
)

// DueTracker says when the exposures of a unit are due, in either mode: once what the unit got is in place, and again
// each time it still is after the time to repeat. It is level-triggered: tell it what is so as often as you like, in any
// order; only the present counts, and a unit that comes and goes is due once per interval. It keeps nothing over a
// restart, after which each unit is due once more. That costs events, not accuracy: Statsig counts a unit once a day.
//
// Without a tracker [Logger.Expose] leaves the same repetitions out by itself. A tracker spares the work of building the
// user and the exposures of a unit that is not due, and says when to look again, so that repetitions come without an
// event in the cluster. It is safe for concurrent use.
type DueTracker struct {
	seed maphash.Seed
	seen *dedupe
}

// NewDueTracker returns a tracker that remembers the given number of units, 1 to 10,000,000, at roughly 75 bytes each.
// Beyond that it forgets the unit it was least recently told of, which is then due once too often.
func NewDueTracker(size int) (*DueTracker, error) {
	if err := checkRange("size", size, maxDedupeSize); err != nil {
		return nil, fmt.Errorf("making a tracker of exposures: %w", err)
	}
	return &DueTracker{seed: maphash.MakeSeed(), seen: newDedupe(size)}, nil
}

// UnitObservation is how things stand with one unit.
type UnitObservation struct {
	// Unit identifies the unit, and within it what is exposed together, such as a binding and a workload.
	Unit string
	// Hash is the content hash of the values that the unit was given; another hash is another exposure. Empty when there
	// are none: nothing is due then.
	Hash string
	// InPlace says that the values are where they take effect: in mode OnApply once the targets were applied, in mode
	// PodReady as [IsCarried] says.
	InPlace bool
	// RepeatEvery is how long a still-true exposure is not due again; 0 stands for 24 h.
	RepeatEvery time.Duration
}

// PodObservation is what matters of one pod of a unit. Which pod it is does not matter: a successor that carries the same
// values changes nothing about what the unit got.
type PodObservation struct {
	// Ready is its condition Ready; a pod that is being deleted counts as not ready.
	Ready bool
	// Hash is the content hash that the pod carries.
	Hash string
}

// IsCarried reports whether a Ready pod carries the content hash: the unit really runs with these values.
func IsCarried(hash string, pods []PodObservation) bool {
	for i := range pods {
		if hash != "" && pods[i].Ready && pods[i].Hash == hash {
			return true
		}
	}
	return false
}

// Due is what a tracker says of a unit.
type Due struct {
	State DueState
	// Next is when the unit's exposures are due again if nothing changes; zero while nothing is in place.
	Next time.Time
}

// DueState says whether exposures are due.
type DueState uint8

// The states of a unit's exposures.
const (
	// DueNot means that there is nothing to expose now.
	DueNot DueState = iota
	// DueFirst means that they are due for the first time, as far as the tracker remembers.
	DueFirst
	// DueRepeat means that they are due again since what they say is still true.
	DueRepeat
)

// Observe says whether the exposures of a unit are due. Those that are count as exposed at now; see [DueTracker.Forget].
func (t *DueTracker) Observe(o UnitObservation, now time.Time) Due {
	if !o.InPlace || o.Hash == "" {
		return Due{}
	}
	every := o.RepeatEvery
	if every <= 0 {
		every = defaultRepeatEvery
	}
	isDue, before := t.seen.ask(t.key(o.Unit, o.Hash), now, every)
	switch {
	case !isDue:
		return Due{Next: time.Unix(0, before).Add(every)}
	case before == neverLogged:
		return Due{State: DueFirst, Next: now.Add(every)}
	default:
		return Due{State: DueRepeat, Next: now.Add(every)}
	}
}

// Forget makes the exposures of a unit due again, for a caller that could not log them.
func (t *DueTracker) Forget(unit, hash string) {
	t.seen.forget([]uint64{t.key(unit, hash)})
}

// Units is the number of units remembered, counted once for each of their hashes.
func (t *DueTracker) Units() int {
	keys, _ := t.seen.stats()
	return keys
}

func (t *DueTracker) key(unit, hash string) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	writeField(&h, unit)
	writeField(&h, hash)
	return h.Sum64()
}
