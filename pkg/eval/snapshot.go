package eval

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidwall/gjson"
)

// Snapshot is one compiled document. It is immutable and safe for any number of goroutines. It holds the document's
// text.
type Snapshot struct {
	facts   facts
	origin  Origin
	gates   map[string]*spec
	configs map[string]*spec
	layers  map[string]*spec
	stores  map[string]*rawStore
	// hashes and memos are kept for reuse; they carry nothing from one evaluation to the next.
	hashes, memos sync.Pool
	// appID is the value of target_app conditions.
	appID *value
	// plans are what client initialize responses have in common, by hash algorithm, made when first needed.
	plans [hashAlgorithms]atomic.Pointer[responsePlan]
}

// Time is the document's last config update time in Unix milliseconds.
func (s *Snapshot) Time() int64 { return s.facts.time }

// Checksum is the service's checksum of the document, "" when it carries none.
func (s *Snapshot) Checksum() string { return s.facts.checksum }

// Hash is a hexadecimal hash of the document's text: equal documents have equal hashes.
func (s *Snapshot) Hash() string { return s.facts.hash }

// SDKConfigs is the JSON object of settings that the document has for SDKs, "" when it has none. Evaluation reads none of
// them.
func (s *Snapshot) SDKConfigs() string { return s.facts.sdkConfigs }

// Origin says where and when the document was obtained.
func (s *Snapshot) Origin() Origin { return s.origin }

// Problems lists the specs that were left out, in document order.
func (s *Snapshot) Problems() []Problem { return slices.Clone(s.facts.problems) }

// specs is the name space of a kind; nil for parameter stores.
func (s *Snapshot) specs(k Kind) map[string]*spec {
	switch k {
	case KindGate:
		return s.gates
	case KindDynamicConfig, KindExperiment:
		return s.configs
	case KindLayer:
		return s.layers
	default:
		return nil
	}
}

// Has reports whether the document knows the entity. Dynamic configs and experiments share their names; a bandit counts
// as an experiment only.
func (s *Snapshot) Has(r Ref) bool {
	if r.Kind == KindParameterStore {
		_, ok := s.stores[r.Name]
		return ok
	}
	found := s.specs(r.Kind)[r.Name]
	return found != nil && (!found.missing || (r.Kind == KindExperiment && found.bandit != nil))
}

// entities are the values of a spec's entity that the list of a kind holds: segments and holdouts are gates that are
// not listed.
var entities = map[Kind]string{
	KindGate: "feature_gate", KindDynamicConfig: "dynamic_config", KindExperiment: "experiment",
}

// Names lists the entities of a kind, sorted, as the reference SDK lists them: without segments and holdouts, and
// without autotunes, which are neither dynamic configs nor experiments.
func (s *Snapshot) Names(k Kind) []string {
	names := []string{}
	if k == KindParameterStore {
		for name := range s.stores {
			names = append(names, name)
		}
	}
	for name, found := range s.specs(k) {
		if !found.missing && (k == KindLayer || found.entity == entities[k]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Autotunes lists the autotunes, sorted: dynamic configs that [Snapshot.Names] leaves out. Contextual bandits are not
// among them.
func (s *Snapshot) Autotunes() []string {
	names := []string{}
	for name, found := range s.configs {
		if !found.missing && found.entity == "autotune" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// FieldsNeeded lists the user fields that the service says the answer for r depends on, in its order and words; empty
// where it says nothing, as for parameter stores. [Snapshot.Closure] finds out by itself what is read.
func (s *Snapshot) FieldsNeeded(r Ref) []string {
	fields := []string{}
	if found := s.specs(r.Kind)[r.Name]; found.exists() {
		used, _ := jsonMember(found.text, "fieldsUsed")
		gjson.Parse(used).ForEach(func(_, field gjson.Result) bool {
			fields = append(fields, field.Str)
			return true
		})
	}
	return fields
}

// Refs lists every entity of the document that can be asked for, segments, holdouts, autotunes and bandits included, sorted
// by kind and name. Dynamic configs and experiments share their names, so each is listed under both kinds.
func (s *Snapshot) Refs() []Ref {
	var refs []Ref
	add := func(r Ref) {
		if s.Has(r) {
			refs = append(refs, r)
		}
	}
	for _, kind := range []Kind{KindGate, KindDynamicConfig, KindExperiment, KindLayer} {
		for name := range s.specs(kind) {
			add(Ref{kind, name})
		}
	}
	for name := range s.stores {
		add(Ref{KindParameterStore, name})
	}
	slices.SortFunc(refs, compareRefs)
	return refs
}

// Parameters lists the parameters of a parameter store, sorted; nil for an unknown store.
func (s *Snapshot) Parameters(store string) []string {
	found := s.stores[store]
	if found == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(found.parameters))
}
