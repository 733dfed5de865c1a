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
	// Parameter is the layer parameter that was read; a layer without it is ignored. Empty for other kinds.
	Parameter string
	// User is the user's JSON object as it may leave the process, made by [eval.Evaluator.LoggableUser]; nil stands for
	// {}.
	User []byte
	// Unit tells users apart when repeated exposures are recognised: the same Unit has to mean the same user ID and
	// custom IDs. Empty stands for the bytes of User, so that a user with any attribute changed counts as another.
	Unit string
	// RepeatEvery is how long an equal exposure of the same unit is left out; 0 stands for [Options.RepeatEvery].
	RepeatEvery time.Duration
	// Manual marks an exposure that was asked for by itself, apart from reading the value.
	Manual bool
	// Time is the moment of the evaluation; the zero time stands for now.
	Time time.Time
}

func (e *Exposure) isLoggable() bool {
	switch e.Result.Kind {
	case eval.KindGate, eval.KindDynamicConfig, eval.KindExperiment:
		return true
	case eval.KindLayer:
		return e.Parameter != ""
	default:
		return false
	}
}

// key identifies what was exposed to whom: entity, deciding rule, value and unit. The value is part of it because a
// rule can be edited and keep its ID; the version is not, because any edit of the spec raises it.
func (e *Exposure) key(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	r := &e.Result
	_ = h.WriteByte(byte(r.Kind))
	_ = h.WriteByte(boolByte(r.Pass))
	writeField(&h, r.Name)
	if r.Kind == eval.KindLayer {
		value, _ := r.Parameter(e.Parameter)
		writeField(&h, e.Parameter)
		writeField(&h, value)
		writeField(&h, r.RuleIDFor(e.Parameter))
		writeField(&h, r.ConfigDelegate)
	} else {
		writeField(&h, r.Value)
		writeField(&h, r.RuleID)
	}
	if e.Unit != "" {
		_, _ = h.WriteString(e.Unit)
	} else {
		_, _ = h.Write(e.User)
	}
	return max(h.Sum64(), noKey+1)
}

// noKey is the key of an event that is never de-duplicated.
const noKey uint64 = 0

// writeField ends each field with a byte that no UTF-8 text holds, so that neighbours cannot run into each other.
func writeField(h *maphash.Hash, s string) {
	_, _ = h.WriteString(s)
	_ = h.WriteByte(0xff)
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
