package eval

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// responsePlan is what all client initialize responses with one hash algorithm have in common.
type responsePlan struct {
	algorithm HashAlgorithm
	// names are the hashed names of all gates and configs, in quotes.
	names   map[string]string
	gates   []plannedEntry
	configs []plannedEntry
	layers  []plannedEntry
	stores  []plannedStore
}

// plannedEntry is one entity of a response.
type plannedEntry struct {
	spec *spec
	kind Kind
	name string // hashed, in quotes
	// bandit is set where the bandit of the name answers and not the config.
	bandit       bool
	experiment   bool
	targetAppIDs []string
}

// plannedStore is a parameter store, whose text is the same for all users.
type plannedStore struct {
	*rawStore
	text string // the member of param_stores
}

// plan returns the plan of an algorithm, made by whoever needs it first.
func (s *Snapshot) plan(h HashAlgorithm) *responsePlan {
	if p := s.plans[h].Load(); p != nil {
		return p
	}
	p := &responsePlan{algorithm: h, names: map[string]string{}}
	p.gates = p.entries(s.gates)
	p.configs = p.entries(s.configs)
	p.layers = p.entries(s.layers)
	p.addStores(s.stores)
	s.plans[h].Store(p)
	return p
}

// hash hides a name.
func (h HashAlgorithm) hash(name string) string {
	switch h {
	case HashDJB2:
		return DJB2(name)
	case HashSHA256:
		sum := sha256.Sum256([]byte(name))
		return base64.StdEncoding.EncodeToString(sum[:])
	default:
		return name
	}
}

func (h HashAlgorithm) quoted(name string) string { return string(appendJSONString(nil, h.hash(name))) }

// name is a hashed name in quotes.
func (p *responsePlan) name(name string) string {
	if quoted, ok := p.names[name]; ok {
		return quoted
	}
	return p.algorithm.quoted(name)
}

// entries lists the entities of one name space that clients see, by name: segments and holdouts are not for them. A
// bandit comes before the config whose name it takes.
func (p *responsePlan) entries(specs map[string]*spec) []plannedEntry {
	entries := make([]plannedEntry, 0, len(specs))
	for name, sp := range specs {
		quoted := p.algorithm.quoted(name)
		p.names[name] = quoted
		if sp.bandit != nil {
			entries = append(entries, plannedEntry{
				spec: sp, kind: KindExperiment, name: quoted, bandit: true, targetAppIDs: sp.bandit.targetAppIDs,
			})
		}
		if sp.missing || sp.entity == "segment" || sp.entity == "holdout" {
			continue
		}
		entry := plannedEntry{spec: sp, kind: sp.kind, name: quoted, targetAppIDs: sp.targetAppIDs}
		if sp.kind == KindDynamicConfig && sp.entity != entities[KindDynamicConfig] {
			entry.kind, entry.experiment = KindExperiment, sp.entity == entities[KindExperiment]
		}
		entries = append(entries, entry)
	}
	slices.SortStableFunc(entries, func(a, b plannedEntry) int { return strings.Compare(a.spec.name, b.spec.name) })
	return entries
}

// hashedParameterNames are the members of a parameter that are names of entities.
var hashedParameterNames = map[string]bool{
	"gate_name": true, "config_name": true, "experiment_name": true, "layer_name": true,
}

// parameterNames are the members that each kind of parameter has.
var parameterNames = [...][]string{
	parameterStatic:        {"value"},
	parameterGate:          {"gate_name", "pass_value", "fail_value"},
	parameterDynamicConfig: {"config_name", "param_name"},
	parameterExperiment:    {"experiment_name", "param_name"},
	parameterLayer:         {"layer_name", "param_name"},
}

func (p *responsePlan) addStores(stores map[string]*rawStore) {
	for name, store := range stores {
		w := objectWriter{dst: append([]byte(p.algorithm.quoted(name)), ":{"...)}
		parameters := gjson.Parse(store.text)
		object, _ := jsonMember(parameters.Raw, "parameters")
		for _, parameter := range sortedNames(store.parameters) {
			text, _ := jsonMember(object, parameter)
			w.name(parameter)
			w.dst = p.appendParameter(w.dst, parameter, text, parameterNames[store.parameters[parameter].kind])
		}
		p.stores = append(p.stores, plannedStore{rawStore: store, text: string(append(w.dst, '}'))})
	}
	slices.SortFunc(p.stores, func(a, b plannedStore) int { return strings.Compare(a.name, b.name) })
}

func sortedNames(parameters map[string]rawParameter) []string {
	names := make([]string, 0, len(parameters))
	for name := range parameters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// appendParameter appends one parameter as clients see it.
func (p *responsePlan) appendParameter(dst []byte, name, text string, members []string) []byte {
	w := objectWriter{dst: append(dst, '{')}
	w.name("name")
	w.dst = appendJSONString(w.dst, name)
	for _, member := range append([]string{"ref_type", "param_type"}, members...) {
		raw, _ := jsonMember(text, member)
		w.name(member)
		if hashedParameterNames[member] {
			ref, _ := stringValue(raw)
			raw = p.name(ref)
		}
		w.dst = append(w.dst, raw...)
	}
	return append(w.dst, '}')
}
