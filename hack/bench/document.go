package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// documentTime is the last config update time of all generated documents, and evaluationTime the instant that all
// evaluations here happen at, both in Unix milliseconds.
const (
	documentTime   = 1_700_000_000_000
	evaluationTime = 1_750_000_000_000
)

// object is a JSON object.
type object = map[string]any

// salt is as long as the service's salts are.
func salt(i int) string { return fmt.Sprintf("%08x-18c7-46fe-8b31-268d756c3459", i) }

// documentBuilder puts Statsig documents together, in the form with a condition map (v2), which the current SDKs read,
// or the one with conditions inside rules (v1), which the Go SDK reads.
type documentBuilder struct {
	legacy     bool
	conditions object
	texts      map[string]string // condition → its name
	gates      []object
	configs    []object
	layers     []object
}

func newDocumentBuilder(legacy bool) *documentBuilder {
	return &documentBuilder{legacy: legacy, conditions: object{}, texts: map[string]string{}}
}

func (b *documentBuilder) json() ([]byte, error) {
	o := object{
		"has_updates": true, "time": documentTime, "company_id": "company", "sdk_flags": object{}, "sdk_configs": object{},
		"id_lists": object{}, "diagnostics": object{},
	}
	lists := map[string][]object{"feature_gates": b.gates, "dynamic_configs": b.configs, "layer_configs": b.layers}
	for name, list := range lists {
		if b.legacy {
			o[name] = append([]object{}, list...)
			continue
		}
		named := object{}
		for _, spec := range list {
			named[fmt.Sprint(spec["name"])] = spec
			delete(spec, "name")
		}
		o[name] = named
	}
	if !b.legacy {
		o["condition_map"], o["experiment_to_layer"], o["response_format"] = b.conditions, object{}, "dcs-v2"
	}
	return json.Marshal(o)
}

// spec is what all kinds of specs have.
func (b *documentBuilder) spec(name, kind, entity string, defaultValue any, rules []object) object {
	n := len(b.gates) + len(b.configs) + len(b.layers)
	return object{
		"name": name, "type": kind, "salt": salt(n), "enabled": true, "defaultValue": defaultValue, "rules": rules,
		"idType": "userID", "entity": entity, "isDeviceBased": false, "version": 1,
	}
}

// rule is a rule that returns value.
func (b *documentBuilder) rule(id string, percent float64, value any, conditions ...object) object {
	refs := make([]any, len(conditions))
	for i, c := range conditions {
		if refs[i] = c; !b.legacy {
			refs[i] = b.conditionName(c)
		}
	}
	return object{
		"name": id, "id": id, "salt": salt(len(id) + len(b.gates)), "passPercentage": percent, "conditions": refs,
		"returnValue": value, "idType": "userID", "groupName": id, "isDeviceBased": false,
	}
}

func (b *documentBuilder) conditionName(c object) string {
	text, _ := json.Marshal(c) // strings and lists of strings always have a text
	name, ok := b.texts[string(text)]
	if !ok {
		name = fmt.Sprint(1_000_000_000 + len(b.texts))
		b.texts[string(text)], b.conditions[name] = name, c
	}
	return name
}

// statsigCondition is a condition in Statsig's words.
func statsigCondition(kind string, operator, field, target any) object {
	return object{
		"type": kind, "operator": operator, "field": field, "targetValue": target, "additionalValues": object{},
		"isDeviceBased": false, "idType": "userID",
	}
}

func publicCondition() object { return statsigCondition("public", nil, nil, nil) }

func (c condition) statsig() object {
	switch c.test {
	case endsWithAny:
		return statsigCondition("user_field", "str_ends_with_any", c.field, c.values)
	case isVersionFrom:
		return statsigCondition("user_field", "version_gte", c.field, c.values[0])
	case passesFlag:
		return statsigCondition("pass_gate", nil, nil, c.values[0])
	default:
		return statsigCondition("user_field", "any", c.field, c.values)
	}
}

func (b *documentBuilder) addFlag(f feature) {
	rules := make([]object, 0, len(f.rules))
	for _, l := range f.rules {
		conditions := make([]object, 0, len(l.conditions))
		for _, c := range l.conditions {
			conditions = append(conditions, c.statsig())
		}
		if len(conditions) == 0 {
			conditions = append(conditions, publicCondition())
		}
		rules = append(rules, b.rule(l.id, l.percent, true, conditions...))
	}
	b.gates = append(b.gates, b.spec(f.name, "feature_gate", "feature_gate", false, rules))
}

// scenarioDocument holds the flags of the scenarios.
func scenarioDocument(legacy bool) ([]byte, error) {
	b := newDocumentBuilder(legacy)
	for _, f := range features() {
		b.addFlag(f)
	}
	return b.json()
}

// gatesPerMB is how many gates a generated document has per megabyte; experiments and layers come on top.
const gatesPerMB = 500

// largeDocument is a document of about some megabytes, with the mix of a large project: of ten gates to an experiment
// and a hundred to a layer, with lists of e-mail addresses and values with text. The same size always gives the same
// text.
func largeDocument(megabytes float64, legacy bool) ([]byte, error) {
	b := newDocumentBuilder(legacy)
	gates := int(megabytes * gatesPerMB)
	for i := range gates {
		b.addFlag(largeFlag(i))
	}
	for i := range gates / 10 {
		value := object{"number": i, "text": "some longer text of a parameter", "list": []int{1, 2, 3}, "on": i%2 == 0}
		s := b.spec(fmt.Sprint("experiment_", i), "dynamic_config", "experiment", object{}, []object{
			b.rule(fmt.Sprint("control_", i), 50, value, publicCondition()),
			b.rule(fmt.Sprint("test_", i), 100, value, publicCondition()),
		})
		s["isActive"], s["explicitParameters"] = true, []string{"number"}
		b.configs = append(b.configs, s)
	}
	for i := range gates / 100 {
		l := b.rule(fmt.Sprint("layer_rule_", i), 100, object{}, publicCondition())
		l["configDelegate"] = fmt.Sprint("experiment_", i)
		b.layers = append(b.layers,
			b.spec(fmt.Sprint("layer_", i), "dynamic_config", "layer", object{"number": 0}, []object{l}))
	}
	return b.json()
}

func largeFlag(i int) feature {
	emails := make([]string, 16)
	for j := range emails {
		emails[j] = fmt.Sprintf("someone%d.of.many%d@example.com", j, i)
	}
	staff := condition{endsWithAny, "email", []string{"@statsig.com", fmt.Sprint(i, "@example.com")}}
	country := condition{isAnyOf, "country", []string{"US", "CA"}}
	version := condition{isVersionFrom, "appVersion", []string{fmt.Sprintf("1.2.%d", i%100)}}
	return feature{name: fmt.Sprint("gate_number_", i), rules: []rule{
		{fmt.Sprint("staff:", i), 100, []condition{staff}},
		{fmt.Sprint("country:", i), 50, []condition{country, version}},
		{fmt.Sprint("list:", i), 10, []condition{{isAnyOf, "email", emails}}},
	}}
}

// legacyForm turns a document of the v2 form into one of the v1 form, for the Go SDK.
func legacyForm(text []byte) ([]byte, error) {
	var document object
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	conditions, _ := document["condition_map"].(object)
	for _, list := range []string{"feature_gates", "dynamic_configs", "layer_configs"} {
		named, ok := document[list].(object)
		if !ok {
			continue
		}
		specs := []any{}
		for _, name := range slices.Sorted(maps.Keys(named)) {
			spec, _ := named[name].(object)
			spec["name"] = name
			inlineConditions(spec, conditions)
			specs = append(specs, spec)
		}
		document[list] = specs
	}
	delete(document, "condition_map")
	return json.Marshal(document)
}

func inlineConditions(spec, conditions object) {
	rules, _ := spec["rules"].([]any)
	for _, l := range rules {
		rule, _ := l.(object)
		names, _ := rule["conditions"].([]any)
		for i := range names {
			name, _ := names[i].(string)
			names[i] = conditions[name]
		}
	}
}
