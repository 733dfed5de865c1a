package statsigtest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Edits splice the text instead of decoding and encoding it again: the spelling of numbers and the order of keys
// decide answers.

var (
	errNotDocument = errors.New("editing config specs: the document is not a JSON object")
	errNotObject   = errors.New("editing config specs: the value is not a JSON object")
)

const (
	gatesKey   = "feature_gates"
	configsKey = "dynamic_configs"

	// overrideID is the rule ID of what SetGate and SetDynamicConfig put first. Statsig's own override rules end
	// alike.
	overrideID = "statsigtest:override"
)

// member returns an object's member by its exact name; the last one wins, as in most decoders. Paths of gjson are no
// option: entity names may hold its special characters.
func member(object gjson.Result, name string) gjson.Result {
	var found gjson.Result
	if !object.IsObject() {
		return found
	}
	object.ForEach(func(key, value gjson.Result) bool {
		if key.String() == name {
			found = value
		}
		return true
	})
	return found
}

// replace puts raw in the place of part, which was parsed from text.
func replace(text []byte, part gjson.Result, raw string) []byte {
	return slices.Concat(text[:part.Index], []byte(raw), text[part.Index+len(part.Raw):])
}

// setMember sets a top-level member of text, a valid JSON object.
func setMember(text []byte, name, raw string) []byte {
	root := gjson.ParseBytes(text)
	if m := member(root, name); m.Exists() {
		return replace(text, m, raw)
	}
	end := strings.LastIndexByte(string(text), '}')
	separator := ","
	if len(root.Map()) == 0 {
		separator = ""
	}
	return slices.Concat(text[:end], []byte(separator+strconv.Quote(name)+":"+raw), text[end:])
}

// findSpec finds a spec in a v2 document, where specs are members, or a v1 document, where they are elements with a
// name.
func findSpec(text []byte, kind, name string) (gjson.Result, error) {
	specs := member(gjson.ParseBytes(text), kind)
	found := member(specs, name)
	if specs.IsArray() {
		specs.ForEach(func(_, spec gjson.Result) bool {
			if n := member(spec, "name"); n.Exists() && n.String() == name {
				found = spec
			}
			return !found.Exists()
		})
	}
	if !found.IsObject() {
		return found, fmt.Errorf("editing config specs: %s has no %q", kind, name)
	}
	return found, nil
}

// ownRules returns a spec's rules without the override this package may have put before them.
func ownRules(kind, name string, spec gjson.Result) (node gjson.Result, rules []string, err error) {
	node = member(spec, "rules")
	if !node.IsArray() {
		return node, nil, fmt.Errorf("editing config specs: %s %q has no list of rules", kind, name)
	}
	node.ForEach(func(_, rule gjson.Result) bool {
		if member(rule, "id").String() != overrideID {
			rules = append(rules, rule.Raw)
		}
		return true
	})
	return node, rules, nil
}

// override places a rule that gives everyone value before a spec's own rules, or takes it away where value is "".
func override(text []byte, kind, name, value string) ([]byte, error) {
	spec, err := findSpec(text, kind, name)
	if err != nil {
		return nil, err
	}
	node, rules, err := ownRules(kind, name, spec)
	if err != nil {
		return nil, err
	}
	if value != "" {
		idType := member(spec, "idType").Raw
		if idType == "" {
			idType = `"userID"`
		}
		// A rule without conditions passes for everyone, in both forms of the document.
		rule := fmt.Sprintf(`{"name":%[1]s,"id":%[1]s,"salt":"","passPercentage":100,"conditions":[],`+
			`"returnValue":%[2]s,"idType":%[3]s}`, quote(overrideID), value, idType)
		rules = slices.Insert(rules, 0, rule)
	}
	return replace(text, node, "["+strings.Join(rules, ",")+"]"), nil
}

func withPassPercentage(text []byte, gate, rule string, percentage float64) ([]byte, error) {
	if !(percentage >= 0 && percentage <= 100) { // in this form it refuses NaN too
		return nil, fmt.Errorf("editing config specs: percentage %v is not between 0 and 100", percentage)
	}
	spec, err := findSpec(text, gatesKey, gate)
	if err != nil {
		return nil, err
	}
	node, rules, err := ownRules(gatesKey, gate, spec)
	if err != nil {
		return nil, err
	}
	i := len(rules) - 1
	if rule != "" {
		i = slices.IndexFunc(rules, func(raw string) bool {
			r := gjson.Parse(raw)
			return member(r, "id").String() == rule || member(r, "name").String() == rule
		})
	}
	if i < 0 {
		return nil, fmt.Errorf("editing config specs: gate %q has no rule %q", gate, rule)
	}
	rules[i] = string(setMember([]byte(rules[i]), "passPercentage", strconv.FormatFloat(percentage, 'f', -1, 64)))
	return replace(text, node, "["+strings.Join(rules, ",")+"]"), nil
}
