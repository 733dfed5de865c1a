package eval

import (
	"slices"
	"strings"
	"time"
)

// Sticky are the sticky values of one user, with how binding they are.
type Sticky struct {
	// Values are those kept under the user's [User.StickyKey], by the name of experiment or layer; empty, not nil, where
	// nothing is kept yet. Nil says that the user is not to have any: what is kept gets deleted.
	Values map[string]StickyValue
	// EnforceOverrides lets override rules of the experiment win over a sticky value.
	EnforceOverrides bool
	// EnforceTargeting lets the evaluation win where the user no longer passes the experiment's targeting.
	EnforceTargeting bool
}

// StickyChange is what to change in storage after an evaluation.
type StickyChange struct {
	// Key is the unit's key, see [User.StickyKey], and Name the experiment or layer.
	Key, Name string
	// Save is the value to keep; nil stands for deleting the one that is kept.
	Save *StickyValue
}

// StickyKey is the key under which sticky values for the user and the ID type of an answer are kept, such as
// a-user:userID. It is false for answers that don't stick: of gates and dynamic configs, of local overrides, for unknown
// names, and for users without a unit ID of that type.
func (u *User) StickyKey(live *Result) (key string, ok bool) {
	if u == nil || live.IDType == "" || (live.Kind != KindExperiment && live.Kind != KindLayer) {
		return "", false
	}
	unit := u.unit(newUnitRef(live.IDType))
	if unit == absent {
		return "", false
	}
	return unit.text + ":" + live.IDType, true
}

// Stick keeps a user in the group that an experiment or layer first gave, while the experiment runs. live is the answer
// that the evaluator just gave for the user, with exposures if they are to be kept. Stick returns the answer that counts,
// and what to change in storage, nil for nothing. Where a sticky value takes the place of live, its details read
// Persisted, and its exposures are those of the answer that was kept. Answers without a [User.StickyKey] are
// returned as they are.
func (e *Evaluator) Stick(live Result, u *User, now time.Time, p Sticky) (Result, *StickyChange) {
	key, ok := u.StickyKey(&live)
	if !ok {
		return live, nil
	}
	kept, isKept := p.Values[live.Name]
	active := live.takesPart(live.IsExperimentActive)
	if live.Kind == KindLayer && isKept {
		active = e.isStillActive(kept.ConfigDelegate, active)
	}
	switch {
	case p.Values == nil || (isKept && !active):
		return live, &StickyChange{Key: key, Name: live.Name}
	case isKept && !e.isReleased(&kept, &live, u, now, p):
		return kept.result(&live, now), nil
	case !isKept && active && live.takesPart(live.IsExperimentGroup):
		return live, &StickyChange{Key: key, Name: live.Name, Save: newStickyValue(&live)}
	default:
		return live, nil
	}
}

// takesPart says whether what holds of an experiment holds of the answer: a layer without an experiment has no part.
func (r *Result) takesPart(holds bool) bool {
	return holds && (r.Kind != KindLayer || r.ConfigDelegate != "")
}

// isStillActive reports whether the experiment of a layer's sticky value is running. Where nobody knows, the layer's
// present one counts.
func (e *Evaluator) isStillActive(experiment string, otherwise bool) bool {
	if experiment == "" {
		return otherwise
	}
	found := e.snapshot.configs[experiment]
	if !found.exists() || found.isActive == unset {
		return otherwise
	}
	return found.isActive == yes
}

// isReleased reports whether rules that the caller enforces set the user free. Those of a layer are its experiment's.
func (e *Evaluator) isReleased(kept *StickyValue, live *Result, u *User, now time.Time, p Sticky) bool {
	experiment := live.Name
	if live.Kind == KindLayer {
		if experiment = kept.ConfigDelegate; experiment == "" {
			return false
		}
	}
	return p.EnforceTargeting && e.passesOnly(experiment, u, now, (*rawRule).isTargeting) ||
		p.EnforceOverrides && e.passesOnly(experiment, u, now, (*rawRule).isOverride)
}

// isTargeting reports whether a rule passes those users whom the experiment's targeting leaves out.
func (l *rawRule) isTargeting() bool { return l.id == "targetingGate" || l.id == targetingRuleID }

// isOverride reports whether a rule puts single users into a group.
func (l *rawRule) isOverride() bool { return strings.HasSuffix(l.id, "override") }

// passesOnly evaluates an experiment as if it had none but some of its rules; without any, nobody passes. Local
// overrides, mappings and bandits count for what its rules ask only.
func (e *Evaluator) passesOnly(experiment string, u *User, now time.Time, counts func(*rawRule) bool) bool {
	sp := e.snapshot.configs[experiment]
	if !sp.exists() || !slices.ContainsFunc(sp.rules, func(l rule) bool { return counts(l.rawRule) }) {
		return false
	}
	filtered := *sp
	filtered.rules = slices.Clone(sp.rules)
	filtered.rules = slices.DeleteFunc(filtered.rules, func(l rule) bool { return !counts(l.rawRule) })
	s := scope{e: e, user: u, now: now.UnixMilli()}
	s.evaluateRules(&filtered)
	s.release()
	return s.res.Pass && !s.failed
}
