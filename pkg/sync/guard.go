package specsync

import (
	"fmt"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// Guard decides whether a snapshot may replace the one that is served: it returns "" to let it pass, else a sentence
// that says why it is held. It is called from the Syncer's loop, for each new document but the first and when
// [Syncer.Reconsider] asks for it, and must not block.
type Guard func(Step) (hold string)

// Step is the replacement of one snapshot by another.
type Step struct {
	Old, Next *eval.Snapshot
	// Changes is what may answer differently.
	Changes eval.Changes
	Impact  Impact
}

// Impact counts what a step does to the entities there are: gates, dynamic configs, experiments, layers and parameter
// stores, each name once in its name space. Entities that appear are not among them: nobody asks for them yet.
type Impact struct {
	// Entities is the number of entities before the step.
	Entities int
	// Changed are those of them that may answer differently, Removed included.
	Changed int
	// Removed are those of them that are gone.
	Removed int
}

// Held is a snapshot that the guard keeps back.
type Held struct {
	// Snapshot is what would be served. Its Hash approves it; see [Syncer.Approve].
	Snapshot *eval.Snapshot
	Impact   Impact
	// Message is the guard's sentence.
	Message string
}

// ShareGuard holds what removes or changes too large a share of the entities, in percent from 0 to 100; 100 lets
// everything pass, and 0 holds the first one. Removed entities count as changed too.
func ShareGuard(maxRemovedPercent, maxChangedPercent int) Guard {
	return func(s Step) string {
		var excess []string
		for _, share := range []struct {
			count, limit int
			verb         string
		}{
			{s.Impact.Removed, maxRemovedPercent, "remove"}, {s.Impact.Changed, maxChangedPercent, "change"},
		} {
			// In whole numbers: 1 of 3 is more than 33 percent, 1 of 4 is not more than 25.
			if share.count*100 > share.limit*s.Impact.Entities {
				excess = append(excess, fmt.Sprintf("they would %s %d of %d entities, more than %d percent",
					share.verb, share.count, s.Impact.Entities, share.limit))
			}
		}
		return strings.Join(excess, "; ")
	}
}

// Guards asks several guards, such as a [ShareGuard] and one that counts the workloads concerned, and holds what any
// of them holds. Nil guards are left out.
func Guards(guards ...Guard) Guard {
	return func(s Step) string {
		var holds []string
		for _, guard := range guards {
			if guard == nil {
				continue
			}
			if hold := guard(s); hold != "" {
				holds = append(holds, hold)
			}
		}
		return strings.Join(holds, "; ")
	}
}

// newStep compares two snapshots.
func newStep(old, next *eval.Snapshot) Step {
	step := Step{Old: old, Next: next, Changes: eval.Diff(old, next)}
	for _, ref := range old.Refs() {
		// A dynamic config is listed as an experiment too; a bandit as nothing else.
		if ref.Kind == eval.KindDynamicConfig {
			continue
		}
		step.Impact.Entities++
		if step.Changes.Affects(ref) {
			step.Impact.Changed++
		}
		if !next.Has(ref) {
			step.Impact.Removed++
		}
	}
	return step
}

// minApproval is the least number of a hash's digits that approve it.
const minApproval = 8

// candidate is a snapshot with what is needed to serve it.
type candidate struct {
	snapshot *eval.Snapshot
	document string
}

// Approve lets the snapshot with this hash pass whatever the guard says, now or when it comes; the first eight or more
// digits of [eval.Snapshot.Hash] stand for the whole. It holds until the next call; "" approves nothing.
func (s *Syncer) Approve(hash string) {
	if was := s.approved.Swap(&hash); was == nil || *was != hash {
		s.Reconsider()
	}
}

// Reconsider shows the held snapshot, if there is one, to the guard again. To be called when what the guard goes by
// has changed.
func (s *Syncer) Reconsider() { poke(s.reconsiders) }

// reconsider is the loop's part of Reconsider.
func (s *Syncer) reconsider() {
	if s.candidate == nil {
		return
	}
	next := s.State()
	s.admit(&next, *s.candidate)
	s.publish(next)
}

// admit puts c into next, in the place of its snapshot or, where the guard says so, as the one that is held.
func (s *Syncer) admit(next *State, c candidate) (held bool) {
	if hold := s.review(next.Snapshot, c.snapshot); hold != nil {
		// A pointer that stays tells subscribers that nothing changed.
		if was := next.Held; was == nil || *was != *hold {
			next.Held = hold
		}
		s.candidate = &c
		return true
	}
	s.candidate, next.Held = nil, nil
	next.Snapshot, next.LastChange = c.snapshot, now()
	s.document = c.document
	return false
}

// review returns nil for what may pass.
func (s *Syncer) review(old, next *eval.Snapshot) *Held {
	if s.options.Guard == nil || old == nil || s.isApproved(next.Hash()) {
		return nil
	}
	step := newStep(old, next)
	message := s.options.Guard(step)
	if message == "" {
		return nil
	}
	return &Held{Snapshot: next, Impact: step.Impact, Message: message}
}

func (s *Syncer) isApproved(hash string) bool {
	approved := s.approved.Load()
	return approved != nil && len(*approved) >= minApproval && strings.HasPrefix(hash, *approved)
}

// newest is the snapshot that sources are asked about and that their answers are judged against: the one held, since
// a source need not send that again and again.
func (s *Syncer) newest(served *eval.Snapshot) *eval.Snapshot {
	if s.candidate != nil {
		return s.candidate.snapshot
	}
	return served
}
