package main

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
)

// operators with what their targets look like.
var operators = map[string]func(*rand.Rand) any{
	"any": stringSet, "none": stringSet, "any_case_sensitive": strings_, "none_case_sensitive": strings_,
	"str_starts_with_any": strings_, "str_ends_with_any": strings_, "str_contains_any": strings_, "str_contains_none": strings_,
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

func strings_(r *rand.Rand) any {
	return list(r, 5, func(r *rand.Rand) any {
		if chance(r, 15) {
			return number(r)
		}
		return pick(r, texts)
	})
}

func stringSet(r *rand.Rand) any {
	if chance(r, 85) {
		return strings_(r)
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

func (g *generator) fillCondition(c map[string]any) {
	r := g.r
	operate := func(kind, field string, names ...string) {
		if len(names) == 0 {
			names = operatorNames
		}
		c["type"], c["field"], c["operator"] = kind, field, pick(r, names)
		c["targetValue"] = operators[c["operator"].(string)](r)
	}
	switch n := r.IntN(100); {
	case n < 12: // public
	case n < 24 && (len(g.names["gate"]) > 0 || !g.responds):
		c["type"], c["targetValue"] = pick(r, []string{"pass_gate", "fail_gate"}), g.earlier("gate")
	case n < 60:
		operate("user_field", pick(r, userFields))
	case n < 66:
		operate("ua_based", pick(r, agentFields))
		if chance(r, 60) {
			c["operator"], c["targetValue"] = pick(r, []string{"any", "none", "str_contains_any"}), []string{pick(r, agentValues), pick(r, agentValues)}
		}
	case n < 71:
		operate("ip_based", pick(r, []string{"country", "country", "ip", "Country"}), "any", "none", "any_case_sensitive", "eq")
	case n < 76:
		operate("environment_field", pick(r, []string{"tier", "Tier", "region"}))
		if chance(r, 70) {
			c["operator"], c["targetValue"] = pick(r, []string{"any", "none"}), []string{pick(r, environments)}
		}
	case n < 79: // far from now, whenever that is
		operate("current_time", "", "before", "after", "on", "gt", "lt")
		c["targetValue"] = pick(r, []any{1600000000000, 4102444800000, "2020-01-01T00:00:00Z", "2099-12-31T00:00:00Z", "", nil})
	case n < 86:
		operate("user_bucket", "", "lt", "gte", "gt", "lte", "any", "none")
		c["additionalValues"] = map[string]any{"salt": pick(r, texts)}
		c["targetValue"] = r.IntN(1001)
		if c["operator"] == "any" || c["operator"] == "none" {
			buckets := map[string]any{}
			for range 300 {
				buckets[strconv.Itoa(r.IntN(1000))] = true
			}
			c["targetValue"] = buckets
		}
	case n < 92:
		operate("unit_id", "", "any", "none", "in_segment_list", "not_in_segment_list", "str_contains_any", "str_matches", "eq")
		if chance(r, 50) {
			c["targetValue"] = []string{"u" + strconv.Itoa(r.IntN(40)), pick(r, texts)}
		}
	case n < 95 && g.limits == limits{}:
		operate("experiment_group", g.earlier("experiment"), "any", "none", "eq", "any_case_sensitive")
		c["targetValue"] = []string{pick(r, texts), "Control"}
	case n < 97 || g.responds:
		operate("target_app", "", "any", "none", "eq")
		c["targetValue"] = []string{"app", "other"}
	case n < 98:
		operate(pick(r, []string{"layer", "javascript", "multi_pass_gate", "", "Public"}), "f")
	default:
		operate("user_field", "f")
		c["operator"] = pick(r, []any{"ANY", "like", "", nil})
	}
}
