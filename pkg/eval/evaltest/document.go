package evaltest

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// Document builds a config specs document of the v2 form.
type Document struct {
	members    map[string]any
	containers map[string]map[string]any
	conditions map[string]any
}

// NewDocument builds a document of specs, with time 1.
func NewDocument(specs ...*SpecBuilder) *Document {
	d := &Document{
		members: map[string]any{
			"has_updates": true, "time": 1, "response_format": "dcs-v2", "experiment_to_layer": map[string]any{},
		},
		containers: map[string]map[string]any{"feature_gates": {}, "dynamic_configs": {}, "layer_configs": {}},
		conditions: map[string]any{},
	}
	return d.Add(specs...)
}

// Add adds specs; one of the same name replaces an earlier one.
func (d *Document) Add(specs ...*SpecBuilder) *Document {
	for _, s := range specs {
		members := maps.Clone(s.members)
		rules := make([]any, 0, len(s.rules))
		for _, r := range s.rules {
			rules = append(rules, d.rule(r, s.value))
		}
		members["rules"] = rules
		d.containers[s.container][s.name] = members
	}
	return d
}

// rule puts a rule's conditions into condition_map.
func (d *Document) rule(r *RuleBuilder, value any) map[string]any {
	members := maps.Clone(r.members)
	if _, ok := members["returnValue"]; !ok {
		members["returnValue"] = value
	}
	hashes := append([]string{}, r.hashes...)
	for _, c := range r.conditions {
		hashes = append(hashes, d.condition(c))
	}
	members["conditions"] = hashes
	return members
}

// condition numbers conditions in the order in which they are added.
func (d *Document) condition(c Condition) string {
	hash := fmt.Sprint(1000 + len(d.conditions))
	d.conditions[hash] = c.members
	return hash
}

// OverrideRule adds a rule of override_rules.
func (d *Document) OverrideRule(r *RuleBuilder) *Document {
	rules, ok := d.members["override_rules"].(map[string]any)
	if !ok {
		rules = map[string]any{}
		d.members["override_rules"] = rules
	}
	rules[fmt.Sprint(r.members["name"])] = d.rule(r, true)
	return d
}

// Mapping sends users of some override rules from one spec to another.
func (d *Document) Mapping(from, to string, rules ...string) *Document {
	list := make([]any, 0, len(rules))
	for _, name := range rules {
		list = append(list, map[string]any{"rule_name": name})
	}
	return d.mapping(from, to, list)
}

// MappingFrom sends users of one override rule from one spec to another, from an instant in Unix milliseconds on.
func (d *Document) MappingFrom(from, to, rule string, start int64) *Document {
	return d.mapping(from, to, []any{map[string]any{"rule_name": rule, "start_time": start}})
}

func (d *Document) mapping(from, to string, rules []any) *Document {
	overrides, ok := d.members["overrides"].(map[string]any)
	if !ok {
		overrides = map[string]any{}
		d.members["overrides"] = overrides
	}
	list, _ := overrides[from].([]any)
	overrides[from] = append(list, map[string]any{"new_config_name": to, "rules": rules})
	return d
}

// Store adds a parameter store of parameters by name.
func (d *Document) Store(name string, parameters map[string]any) *Document {
	stores, ok := d.members["param_stores"].(map[string]any)
	if !ok {
		stores = map[string]any{}
		d.members["param_stores"] = stores
	}
	stores[name] = map[string]any{"parameters": parameters}
	return d
}

// Time sets the last config update time in Unix milliseconds.
func (d *Document) Time(ms int64) *Document { return d.With("time", ms) }

// With sets one member of the document's JSON.
func (d *Document) With(member string, value any) *Document {
	d.members[member] = value
	return d
}

// Without removes one member of the document's JSON.
func (d *Document) Without(member string) *Document {
	delete(d.members, member)
	return d
}

// JSON is the document's text. Members are sorted, so equal documents have equal texts.
func (d *Document) JSON(t testing.TB) []byte {
	t.Helper()
	members := map[string]any{"condition_map": d.conditions}
	for name, c := range d.containers {
		members[name] = c
	}
	maps.Copy(members, d.members)
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatalf("writing a document: %v", err)
	}
	return text
}

// Compile compiles a document with the source Network. Specs that the decoder leaves out fail the test.
func Compile(t testing.TB, d *Document) *eval.Snapshot {
	t.Helper()
	decoded, err := eval.Decode(d.JSON(t))
	if err != nil {
		t.Fatal(err)
	}
	if problems := decoded.Problems(); len(problems) > 0 {
		t.Fatalf("document has problems: %+v", problems)
	}
	s, err := eval.Compile(decoded, eval.Origin{Source: "Network"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Static is a parameter of a store with a value of its own.
func Static(value any) map[string]any {
	return map[string]any{"ref_type": "static", "param_type": "any", "value": value}
}

// FromGate is a parameter of a store with one value for either outcome of a gate.
func FromGate(gate string, pass, fail any) map[string]any {
	return map[string]any{
		"ref_type": "gate", "param_type": "any", "gate_name": gate, "pass_value": pass, "fail_value": fail,
	}
}

// FromDynamicConfig is a parameter of a store that stands for one of a dynamic config.
func FromDynamicConfig(config, parameter string) map[string]any {
	return reference("dynamic_config", "config_name", config, parameter)
}

// FromExperiment is a parameter of a store that stands for one of an experiment.
func FromExperiment(experiment, parameter string) map[string]any {
	return reference("experiment", "experiment_name", experiment, parameter)
}

// FromLayer is a parameter of a store that stands for one of a layer.
func FromLayer(layer, parameter string) map[string]any {
	return reference("layer", "layer_name", layer, parameter)
}

func reference(kind, member, name, parameter string) map[string]any {
	return map[string]any{"ref_type": kind, "param_type": "any", member: name, "param_name": parameter}
}
