package main

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
)

// operators with what their targets look like.
var operators = map[string]func(*rand.Rand) any{
	"any": stringSet, "none": stringSet, "any_case_sensitive": stringList, "none_case_sensitive": stringList,
	"str_starts_with_any": stringList, "str_ends_with_any": stringList, "str_contains_any": stringList, "str_contains_none": stringList,
	"str_matches": func(r *rand.Rand) any { return pick(r, patterns) },
	"gt":          numeric, "gte": numeric, "lt": numeric, "lte": numeric,
	"version_gt": version, "version_gte": version, "version_lt": version, "version_lte": version, "version_eq": version,
	"version_neq": version,
	"before":      instant, "after": instant, "on": instant,
	"eq": anything, "neq": anything,
	"in_segment_list": idList, "not_in_segment_list": idList,
	"array_contains_any": elements, "array_contains_none": elements, "array_contains_all": elements,
	"not_array_contains_all": elements,
}

// operatorNames are in a fixed order, so that a seed always gives the same document.
var operatorNames = sortedKeys(operators)

func stringList(r *rand.Rand) any {
	return list(r, 5, func(r *rand.Rand) any {
		if chance(r, 15) {
			return number(r)
		}
		return pick(r, texts)
	})
}

func stringSet(r *rand.Rand) any {
	if chance(r, 85) {
		return stringList(r)
	}
	o := map[string]any{}
	for range r.IntN(4) {
		o[pick(r, texts)] = true
	}
	return o
}

func numeric(r *rand.Rand) any {
	if chance(r, 25) {
		return scalar(r)
	}
	return number(r)
}

func version(r *rand.Rand) any {
	if chance(r, 10) {
		return scalar(r)
	}
	return pick(r, versions)
}

func instant(r *rand.Rand) any {
	if chance(r, 50) {
		return number(r)
	}
	return pick(r, instants)
}

// anything is a target of eq. Arrays have no two elements that differ in case only, or the SDK may abort.
func anything(r *rand.Rand) any {
	switch r.IntN(8) {
	case 0:
		return nil
	case 1:
		return object(r)
	case 2, 3:
		seen, unique := map[string]bool{}, []any{}
		for _, x := range list(r, 3, scalar) {
			text, err := json.Marshal(x)
			if key := strings.Trim(strings.ToLower(string(text)), `"`); err == nil && !seen[key] {
				seen[key] = true
				unique = append(unique, x)
			}
		}
		return unique
	default:
		return scalar(r)
	}
}

func idList(r *rand.Rand) any { return pick(r, []string{"l0", "l1", "missing", ""}) }

// elements is a target of the operators on arrays, without "": the SDK finds that by chance.
func elements(r *rand.Rand) any {
	return list(r, 4, func(r *rand.Rand) any {
		for {
			if x := scalar(r); x != "" {
				return x
			}
		}
	})
}

// condition makes a condition that refers to none but earlier entities, and returns its key.
func (g *generator) condition() string {
	r := g.r
	c := map[string]any{
		"type": "public", "targetValue": nil, "operator": nil, "field": nil, "additionalValues": map[string]any{},
		"idType": pick(r, idTypes),
	}
	g.fillCondition(c)
	if chance(r, 2) { // any operator on any target
		c["operator"], c["targetValue"] = pick(r, operatorNames), anything(r)
		if strings.HasPrefix(c["operator"].(string), "array_") || c["operator"] == "not_array_contains_all" {
			c["targetValue"] = elements(r)
		}
	}
	key := strconv.Itoa(len(g.conditions) + 1)
	g.conditions[key] = c
	return key
}

// conditionKinds are the kinds of conditions: the first that is allowed and whose share is above a number below 100.
var conditionKinds = []struct {
	below   int
	allowed func(*generator) bool
	fill    func(*generator, map[string]any)
}{
	{12, always, func(*generator, map[string]any) {}}, // public
	{24, func(g *generator) bool { return len(g.names["gate"]) > 0 || !g.responds }, (*generator).nestedGate},
	{60, always, func(g *generator, c map[string]any) { g.operate(c, "user_field", pick(g.r, userFields)) }},
	{66, always, (*generator).userAgent},
	{71, always, func(g *generator, c map[string]any) {
		g.operate(c, "ip_based", pick(g.r, []string{"country", "country", "ip", "Country"}), "any", "none", "any_case_sensitive", "eq")
	}},
	{76, always, (*generator).environment},
	{79, always, (*generator).currentTime},
	{86, always, (*generator).userBucket},
	{92, always, (*generator).unitID},
	{95, func(g *generator) bool { return g.limits == limits{} }, (*generator).experimentGroup},
	{97, always, (*generator).targetApp},
	{100, func(g *generator) bool { return g.responds }, (*generator).targetApp},
	{98, always, func(g *generator, c map[string]any) {
		g.operate(c, pick(g.r, []string{"layer", "javascript", "multi_pass_gate", "", "Public"}), "f")
	}},
	{100, always, func(g *generator, c map[string]any) {
		g.operate(c, "user_field", "f")
		c["operator"] = pick(g.r, []any{"ANY", "like", "", nil})
	}},
}

func always(*generator) bool { return true }

func (g *generator) fillCondition(c map[string]any) {
	n := g.r.IntN(100)
	for _, kind := range conditionKinds {
		if n < kind.below && kind.allowed(g) {
			kind.fill(g, c)
			return
		}
	}
}

// operate makes a condition with an operator, one of all where none are named, and a target that suits it.
func (g *generator) operate(c map[string]any, kind, field string, names ...string) {
	if len(names) == 0 {
		names = operatorNames
	}
	operator := pick(g.r, names)
	c["type"], c["field"], c["operator"], c["targetValue"] = kind, field, operator, operators[operator](g.r)
}

func (g *generator) nestedGate(c map[string]any) {
	c["type"] = pick(g.r, []string{"pass_gate", "fail_gate"})
	c["targetValue"] = g.earlier("gate")
}

func (g *generator) userAgent(c map[string]any) {
	r := g.r
	g.operate(c, "ua_based", pick(r, agentFields))
	if chance(r, 60) {
		c["operator"] = pick(r, []string{"any", "none", "str_contains_any"})
		c["targetValue"] = []string{pick(r, agentValues), pick(r, agentValues)}
	}
}

func (g *generator) environment(c map[string]any) {
	r := g.r
	g.operate(c, "environment_field", pick(r, []string{"tier", "Tier", "region"}))
	if chance(r, 70) {
		c["operator"] = pick(r, []string{"any", "none"})
		c["targetValue"] = []string{pick(r, environments)}
	}
}

// currentTime compares with times far from now, whenever that is.
func (g *generator) currentTime(c map[string]any) {
	g.operate(c, "current_time", "", "before", "after", "on", "gt", "lt")
	c["targetValue"] = pick(g.r, []any{1600000000000, 4102444800000, "2020-01-01T00:00:00Z", "2099-12-31T00:00:00Z", "", nil})
}

func (g *generator) userBucket(c map[string]any) {
	r := g.r
	g.operate(c, "user_bucket", "", "lt", "gte", "gt", "lte", "any", "none")
	c["additionalValues"] = map[string]any{"salt": pick(r, texts)}
	c["targetValue"] = r.IntN(1001)
	if c["operator"] == "any" || c["operator"] == "none" {
		buckets := map[string]any{}
		for range 300 {
			buckets[strconv.Itoa(r.IntN(1000))] = true
		}
		c["targetValue"] = buckets
	}
}

func (g *generator) unitID(c map[string]any) {
	r := g.r
	g.operate(c, "unit_id", "", "any", "none", "in_segment_list", "not_in_segment_list", "str_contains_any", "str_matches", "eq")
	if chance(r, 50) {
		c["targetValue"] = []string{"u" + strconv.Itoa(r.IntN(40)), pick(r, texts)}
	}
}

func (g *generator) experimentGroup(c map[string]any) {
	g.operate(c, "experiment_group", g.earlier("experiment"), "any", "none", "eq", "any_case_sensitive")
	c["targetValue"] = []string{pick(g.r, texts), "Control"}
}

func (g *generator) targetApp(c map[string]any) {
	g.operate(c, "target_app", "", "any", "none", "eq")
	c["targetValue"] = []string{"app", "other"}
}
