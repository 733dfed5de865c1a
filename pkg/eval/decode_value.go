package eval

import (
	"slices"
	"strconv"
)

// readable reads a value of any type that the reference can represent, and rejects others.
func (r *reader) readable() string {
	text := r.raw()
	if r.unreadable {
		r.reject("value nests too deeply or holds a number out of range")
	}
	return text
}

// tristate reads true or false.
func (r *reader) tristate() tristate {
	switch r.raw() {
	case "true":
		return yes
	case "false":
		return no
	default:
		r.reject("want a boolean")
		return unset
	}
}

// number reads a JSON number as a double.
func (r *reader) number() float64 {
	text := r.raw()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !isNumber(text) {
		r.reject("want a number")
		return 0
	}
	return f
}

// isNumber tells a JSON number from the other values by its first byte.
func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || ('0' <= text[0] && text[0] <= '9'))
}

// unsigned reads a whole number from 0 to limit. As in the reference 1.0 is not a whole number.
func (r *reader) unsigned(limit int64) int64 {
	text := r.raw()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > limit || text[0] == '-' {
		r.reject("want a whole number from 0 to %d", limit)
		return 0
	}
	return n
}

// signed reads a whole number.
func (r *reader) signed() int64 {
	n, err := strconv.ParseInt(r.raw(), 10, 64)
	if err != nil {
		r.reject("want a whole number")
		return 0
	}
	return n
}

// weights reads a map from name to number.
func (r *reader) weights() map[string]float64 {
	w := map[string]float64{}
	r.each(func(name string) { w[name] = r.number() })
	return w
}

// returnable reads a return or default value; values that are neither boolean, null nor a readable object count as {}.
func (r *reader) returnable() returnable {
	text := r.raw()
	switch {
	case text == "":
		return returnable{}
	case text == "true":
		return returnable{literal: yes}
	case text == "false":
		return returnable{literal: no}
	case text == "null":
		return returnable{}
	case text[0] == '{' && !r.unreadable:
		return returnable{object: text}
	default:
		return returnable{object: "{}"}
	}
}

// readRules reads a spec's rules into a slice of their exact number.
func (r *reader) readRules() []rawRule {
	r.rules = r.rules[:0]
	r.elements(func() {
		r.rules = append(r.rules, rawRule{})
		rule := &r.rules[len(r.rules)-1]
		ruleObject.read(r, rule)
		if r.legacy && rule.idType == "" {
			rule.idType = userIDType
		}
	})
	return slices.Clone(r.rules)
}

// readRuleConditions reads a rule's conditions: hashes in a v2 document, whole conditions in a v1 document.
func (r *reader) readRuleConditions(l *rawRule) {
	first := len(r.ruleConditions)
	r.elements(func() {
		var c ruleCondition
		if r.legacy {
			c.inlined = r.inlinedCondition()
		} else {
			c.hash = r.str()
		}
		r.ruleConditions = append(r.ruleConditions, c)
	})
	l.firstCondition, l.conditions = first, len(r.ruleConditions)-first
}
