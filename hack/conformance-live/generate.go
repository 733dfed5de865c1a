package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// generated is a random document with its users, and how to ask about it.
type generated struct {
	document []byte
	users    []json.RawMessage
	options  map[string]any
	idLists  map[string]string
	entities [][]any
	limits
}

// limits say what can be compared of a document, and so keep things out of it.
type limits struct {
	// exposes: exposures can be compared. Conditions on experiment groups are left out, as the SDK exposes the experiment
	// as a side effect.
	exposes bool
	// responds: client initialize responses can be compared. What leaks from one entity into another is left out, because
	// it does so in the order of a hash map: groups of gates, gates that aren't there, mappings, and what is unsupported.
	// Only without these are layers of the new kind, which keep some of what leaks and lose the rest.
	responds bool
}

// generator makes one document. Every draw comes from r, in a fixed order.
type generator struct {
	r          *rand.Rand
	conditions map[string]any
	limits
	// names are those of the entities so far, by kind. What refers to another entity refers to an earlier one: the SDK
	// never comes back from most circles.
	names map[string][]string
}

// generate makes the document of a seed.
func generate(seed uint64, users int) (*generated, error) {
	g := &generator{r: rand.New(rand.NewPCG(seed, 1)), conditions: map[string]any{}, names: map[string][]string{}}
	r := g.r
	g.limits = limits{exposes: chance(r, 60), responds: chance(r, 60)}
	gates, configs, layers := map[string]any{}, map[string]any{}, map[string]any{}
	for i := range 45 {
		if chance(r, 70) {
			name, spec := g.gate(i)
			gates[name] = spec
		} else {
			name, spec := g.config(i)
			configs[name] = spec
		}
	}
	experimentToLayer := map[string]string{}
	for i := range 8 {
		name, spec := g.layer(i)
		layers[name] = spec
		if e := g.earlier("experiment"); chance(r, 50) {
			experimentToLayer[e] = name
		}
	}
	document := map[string]any{
		"company_id": "c", "response_format": "dcs-v2", "has_updates": true, "time": 1700000000000 + int64(seed%1000), "checksum": "1",
		"feature_gates": gates, "dynamic_configs": configs, "layer_configs": layers, "experiment_to_layer": experimentToLayer,
		"param_stores": g.stores(), "id_lists": map[string]bool{"l0": true, "l1": true}, "diagnostics": map[string]any{},
		"cmab_configs": g.bandits(),
	}
	if chance(r, 30) {
		document["app_id"] = "app"
	}
	if chance(r, 30) {
		document["default_environment"] = pick(r, environments)
	}
	if !g.responds && chance(r, 60) {
		document["override_rules"], document["overrides"] = g.mappings()
	}
	document["condition_map"] = g.conditions
	out := &generated{options: g.options(), idLists: g.idLists(), entities: g.entities(document["param_stores"]), limits: g.limits}
	var err error
	if out.document, err = json.Marshal(document); err != nil {
		return nil, fmt.Errorf("encoding the document: %w", err)
	}
	for i := range users {
		user, err := json.Marshal(g.user(i))
		if err != nil {
			return nil, fmt.Errorf("encoding a user: %w", err)
		}
		out.users = append(out.users, user)
	}
	return out, nil
}

// earlier is the name of an entity that is there already, or now and then of one that isn't.
func (g *generator) earlier(kind string) string {
	names := g.names[kind]
	if len(names) > 0 && (g.responds || !chance(g.r, 3)) {
		return pick(g.r, names)
	}
	return pick(g.r, []string{"missing", "segment:missing", ""})
}

func (g *generator) spec(kind, entity, name string) map[string]any {
	r := g.r
	s := map[string]any{
		"type": kind, "entity": entity, "salt": pick(r, []string{name, "salt", "", "Sältz"}), "enabled": chance(r, 85),
		"idType": pick(r, idTypes), "isDeviceBased": false,
	}
	s["version"] = r.IntN(100)
	s["targetAppIDs"] = pick(r, [][]string{nil, {}, {"app"}, {"other"}})
	s["isActive"] = chance(r, 50)
	for _, optional := range []string{"version", "targetAppIDs", "isActive"} {
		if chance(r, 40) {
			delete(s, optional)
		}
	}
	return s
}

func (g *generator) rule(id string, value any) map[string]any {
	r := g.r
	conditions := []string{}
	for range 1 + r.IntN(3) {
		conditions = append(conditions, g.condition())
	}
	if !g.responds && chance(r, 2) {
		conditions = append(conditions, "missing")
	}
	rule := map[string]any{
		"name": id, "id": id, "conditions": conditions, "returnValue": value, "idType": pick(r, idTypes), "isDeviceBased": false,
		"passPercentage": pick(r, []json.RawMessage{[]byte("0"), []byte("100"), []byte("100"), []byte("50"), []byte("33.33"), []byte("0.5"), []byte("99.995")}),
		"groupName":      pick(r, []any{nil, "Control", "Test", "control"}),
		"salt":           pick(r, []any{nil, "", "rs", id}),
	}
	if chance(r, 30) {
		delete(rule, "salt")
	}
	if chance(r, 40) {
		rule["isExperimentGroup"] = chance(r, 50)
	}
	return rule
}

func (g *generator) rules(id string, value func() any) []any {
	rules := make([]any, g.r.IntN(5))
	for i := range rules {
		rules[i] = g.rule(fmt.Sprintf("%s_%d", id, i), value())
	}
	return rules
}

func (g *generator) gate(i int) (string, map[string]any) {
	r := g.r
	entity := pick(r, []string{"feature_gate", "feature_gate", "feature_gate", "segment", "holdout"})
	name := fmt.Sprintf("g%d", i)
	if entity == "segment" {
		name = "segment:" + name
	}
	s := g.spec("feature_gate", entity, name)
	rules := g.rules(name, func() any { return !chance(r, 15) })
	if g.responds {
		for _, rule := range rules {
			delete(rule.(map[string]any), "groupName")
		}
	}
	s["rules"] = rules
	s["defaultValue"] = chance(r, 15)
	g.names["gate"] = append(g.names["gate"], name)
	return name, s
}

// value is that of a config: mostly an object.
func (g *generator) value() any {
	r := g.r
	if chance(r, 6) {
		return pick(r, []any{nil, true, false, "text", 5, []any{1}})
	}
	v := object(r)
	v["p"] = scalar(r)
	if chance(r, 30) {
		v["deep"] = map[string]any{"l": list(r, 3, scalar), "o": object(r), "null": nil}
	}
	return v
}

func (g *generator) config(i int) (string, map[string]any) {
	r := g.r
	entity := pick(r, []string{"dynamic_config", "experiment", "experiment", "autotune"})
	name := fmt.Sprintf("c%d", i)
	s := g.spec("dynamic_config", entity, name)
	s["rules"], s["defaultValue"] = g.rules(name, g.value), g.value()
	if chance(r, 40) {
		s["explicitParameters"] = pick(r, [][]string{{}, {"p"}, {"p", "a", "none"}})
	}
	if chance(r, 40) {
		s["hasSharedParams"] = chance(r, 50)
	}
	g.names["config"] = append(g.names["config"], name)
	if entity == "experiment" {
		g.names["experiment"] = append(g.names["experiment"], name)
	}
	return name, s
}

func (g *generator) layer(i int) (string, map[string]any) {
	r := g.r
	name := fmt.Sprintf("l%d", i)
	s := g.spec("dynamic_config", "layer", name)
	rules := g.rules(name, g.value)
	for _, rule := range rules {
		if chance(r, 60) {
			rule.(map[string]any)["configDelegate"] = g.earlier("config")
		}
	}
	s["rules"], s["defaultValue"] = rules, g.value()
	if g.responds && chance(r, 40) {
		s["useNewLayerEval"] = true
	}
	g.names["layer"] = append(g.names["layer"], name)
	return name, s
}

func (g *generator) stores() map[string]any {
	r := g.r
	stores := map[string]any{}
	for i := range 3 {
		parameters := map[string]any{}
		for j := range 6 {
			p := map[string]any{"param_type": pick(r, []string{"string", "number", "boolean", "object", "array"})}
			switch r.IntN(5) {
			case 0:
				p["ref_type"], p["value"] = "static", scalar(r)
			case 1:
				p["ref_type"], p["gate_name"], p["pass_value"], p["fail_value"] = "gate", g.earlier("gate"), scalar(r), scalar(r)
			case 2:
				p["ref_type"], p["config_name"], p["param_name"] = "dynamic_config", g.earlier("config"), pick(r, []string{"p", "a", "deep"})
			case 3:
				p["ref_type"], p["experiment_name"], p["param_name"] = "experiment", g.earlier("experiment"), pick(r, []string{"p", "b", "deep"})
			default:
				p["ref_type"], p["layer_name"], p["param_name"] = "layer", g.earlier("layer"), pick(r, []string{"p", "n", "deep"})
			}
			parameters[fmt.Sprintf("p%d", j)] = p
		}
		store := map[string]any{"parameters": parameters}
		if chance(r, 30) {
			store["targetAppIDs"] = []string{"app"}
		}
		stores[fmt.Sprintf("s%d", i)] = store
	}
	return stores
}

// bandits are contextual bandits that don't draw: every group has a score of its own.
func (g *generator) bandits() map[string]any {
	r := g.r
	bandits := map[string]any{}
	for i := range r.IntN(3) {
		groups, config := make([]any, 1+r.IntN(3)), map[string]any{}
		for j := range groups {
			id := fmt.Sprintf("arm%d", j)
			groups[j] = map[string]any{"name": strings.ToUpper(id), "id": id, "parameterValues": map[string]any{"v": j}}
			config[id] = map[string]any{
				"alpha": r.Float64(), "intercept": r.Float64(), "records": r.IntN(20), "weightsNumerical": map[string]any{"level": r.Float64()},
				"weightsCategorical": map[string]any{"country": map[string]any{"US": r.Float64(), "GB": -r.Float64()}},
			}
		}
		bandit := map[string]any{
			"salt": "cs", "defaultValue": map[string]any{"v": -1}, "idType": pick(r, idTypes), "enabled": chance(r, 80), "version": 3, "sampleRate": 0,
			"higherIsBetter": chance(r, 50), "groups": groups, "config": config, "targetingGateName": nil,
		}
		if chance(r, 50) {
			bandit["targetingGateName"] = g.earlier("gate")
		}
		name := fmt.Sprintf("b%d", i)
		g.names["bandit"] = append(g.names["bandit"], name)
		bandits[name] = bandit
	}
	return bandits
}

// mappings put one entity in the place of another. They lead to earlier entities only, and their rules ask for the
// first gates only, which nothing is put in place of.
func (g *generator) mappings() (rules, mappings map[string]any) {
	r, all := g.r, g.names
	g.names = map[string][]string{"gate": all["gate"][:min(3, len(all["gate"]))]}
	rules = map[string]any{}
	for i := range 4 {
		id := fmt.Sprintf("or%d", i)
		rules[id] = g.rule(id, true)
	}
	g.names = all
	mappings = map[string]any{}
	for _, kind := range []string{"gate", "config"} {
		names := all[kind]
		for i := 4; i < len(names); i++ {
			if !chance(r, 20) {
				continue
			}
			rule := map[string]any{"rule_name": pick(r, []string{"or0", "or1", "or2", "or3", "missing"})}
			if chance(r, 30) {
				rule["start_time"] = pick(r, []int64{1600000000000, 4102444800000})
			}
			mappings[names[i]] = []any{map[string]any{"new_config_name": names[r.IntN(i)], "rules": []any{rule}}}
		}
	}
	return rules, mappings
}

// entities are all that is asked for, sorted as exposures are.
func (g *generator) entities(stores any) [][]any {
	var entities [][]any
	for kind, names := range map[string][]string{
		"gate": g.names["gate"], "layer": g.names["layer"],
		"config": append(slices.Clone(g.names["config"]), g.names["bandit"]...),
	} {
		for _, name := range names {
			entities = append(entities, []any{kind, name})
		}
	}
	for name, store := range stores.(map[string]any) {
		parameters := store.(map[string]any)["parameters"].(map[string]any)
		entities = append(entities, []any{"store", name, sortedKeys(parameters)})
	}
	order := []string{"gate", "config", "layer", "store"}
	slices.SortFunc(entities, func(a, b []any) int {
		if a[0] != b[0] {
			return slices.Index(order, a[0].(string)) - slices.Index(order, b[0].(string))
		}
		return strings.Compare(a[1].(string), b[1].(string))
	})
	return entities
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
