package events

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// Exposure says that a unit got what an evaluation answered.
type Exposure struct {
	// Result is the evaluation of a gate, dynamic config, experiment or layer. Its slices are read during the call
	// only. A parameter store is exposed by the evaluation its parameter was read from; a Result without kind (a static
	// parameter of a store) and one of kind parameter store are not exposures and are ignored.
	Result eval.Result
	// Parameter is the layer parameter that was read. A layer without it is ignored, and so is one whose value has no such
	// parameter: nothing was read then. Other kinds do not need it.
	Parameter string
	// User is the user's JSON object as it may leave the process, made by [eval.Evaluator.LoggableUser]; nil stands for
	// {}.
	User []byte
	// Unit tells users apart when repeated exposures are recognised, and when they are sampled: the same Unit has to mean
	// the same user ID and custom IDs. Empty stands for the user ID and custom IDs in User.
	Unit string
	// RepeatEvery is how long an equal exposure of the same unit is left out; 0 stands for [Options.RepeatEvery].
	RepeatEvery time.Duration
	// Manual marks an exposure that was asked for by itself, apart from reading the value.
	Manual bool
	// Time is the moment of the evaluation; the zero time stands for now.
	Time time.Time
}

// isOverridden reports whether a local override gave the value.
func (e *Exposure) isOverridden() bool { return e.Result.Details.Source == eval.SourceLocalOverride }

func (e *Exposure) isLoggable() bool {
	switch e.Result.Kind {
	case eval.KindGate, eval.KindDynamicConfig, eval.KindExperiment:
		return true
	case eval.KindLayer:
		_, isRead := e.Result.Parameter(e.Parameter)
		return e.Parameter != "" && (isRead || e.Manual)
	default:
		return false
	}
}

// ruleID is the rule that decided what was exposed.
func (e *Exposure) ruleID() string {
	if e.Result.Kind == eval.KindLayer {
		return e.Result.RuleIDFor(e.Parameter)
	}
	return e.Result.RuleID
}

// key identifies what was exposed to whom: entity, deciding rule, value and unit. The value is part of it because a
// rule can be edited and keep its ID; the version is not, because any edit of the spec raises it.
func (e *Exposure) key(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	r := &e.Result
	_ = h.WriteByte(byte(r.Kind))
	_ = h.WriteByte(boolByte(r.Pass))
	_ = h.WriteByte(boolByte(e.isManualOfItsOwn()))
	writeField(&h, r.Name)
	writeField(&h, e.ruleID())
	if r.Kind == eval.KindLayer {
		value, _ := r.Parameter(e.Parameter)
		writeField(&h, e.Parameter)
		writeField(&h, value)
		writeField(&h, r.ConfigDelegate)
	} else {
		writeField(&h, r.Value)
	}
	if e.Unit != "" {
		_, _ = h.WriteString(e.Unit)
	} else {
		userID, customIDs := idsOf(e.User)
		_, _ = h.Write(userID)
		_ = h.WriteByte(fieldEnd)
		_, _ = h.Write(customIDs)
	}
	return max(h.Sum64(), noKey+1)
}

// isManualOfItsOwn reports whether an exposure does not repeat one that reading the value brought. The official SDK
// leaves out manual exposures of dynamic configs and layers after automatic ones, but sends those of gates and
// experiments.
func (e *Exposure) isManualOfItsOwn() bool {
	return e.Manual && (e.Result.Kind == eval.KindGate || e.Result.Kind == eval.KindExperiment)
}

// noKey is the key of an event that is never de-duplicated.
const noKey uint64 = 0

// fieldEnd stands behind each field of a key. No UTF-8 text holds it, so neighbours cannot run into each other.
const fieldEnd byte = 0xff

func writeField(h *maphash.Hash, s string) {
	_, _ = h.WriteString(s)
	_ = h.WriteByte(fieldEnd)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// isExplicit reports whether the layer parameter belongs to the experiment the layer was decided by. Only then does the
// exposure count for that experiment.
func (e *Exposure) isExplicit() bool {
	return slices.Contains(e.Result.ExplicitParameters, e.Parameter)
}
