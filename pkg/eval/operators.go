package eval

import (
	"errors"
	"math"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval/pattern"
)

// operatorFunc compares a user's value with a condition's target.
type operatorFunc func(t *target, v *value) bool

// operator is one entry of the table: how it compares, and what must be prepared in the target beyond its kind.
type operator struct {
	match   operatorFunc
	prepare func(t *target, json gjson.Result)
}

// operators are all that the reference evaluates. Any other name makes a condition unsupported.
var operators = map[string]operator{
	"gt":  {match: matchGreater},
	"gte": {match: matchGreaterOrEqual},
	"lt":  {match: matchLess},
	"lte": {match: matchLessOrEqual},

	"version_gt":  {match: matchVersion(func(order int) bool { return order > 0 }), prepare: prepareVersion},
	"version_gte": {match: matchVersion(func(order int) bool { return order >= 0 }), prepare: prepareVersion},
	"version_lt":  {match: matchVersion(func(order int) bool { return order < 0 }), prepare: prepareVersion},
	"version_lte": {match: matchVersion(func(order int) bool { return order <= 0 }), prepare: prepareVersion},
	"version_eq":  {match: matchVersion(func(order int) bool { return order == 0 }), prepare: prepareVersion},
	"version_neq": {match: matchVersion(func(order int) bool { return order != 0 }), prepare: prepareVersion},

	"any":                 {match: matchAny, prepare: prepareSet},
	"none":                {match: not(matchAny), prepare: prepareSet},
	"any_case_sensitive":  {match: matchAnyCase, prepare: prepareItems},
	"none_case_sensitive": {match: not(matchAnyCase), prepare: prepareItems},

	"str_starts_with_any": {match: matchStrings(strings.HasPrefix), prepare: prepareKeys},
	"str_ends_with_any":   {match: matchStrings(strings.HasSuffix), prepare: prepareKeys},
	"str_contains_any":    {match: matchStrings(strings.Contains), prepare: prepareKeys},
	"str_contains_none":   {match: not(matchStrings(strings.Contains)), prepare: prepareKeys},
	matchesOperator:       {match: matchPattern},

	"eq":  {match: matchEqual, prepare: prepareItems},
	"neq": {match: not(matchEqual), prepare: prepareItems},

	"before": {match: matchBefore},
	"after":  {match: matchAfter},
	"on":     {match: matchOn},

	"array_contains_any":     {match: matchArrays(containsAny), prepare: prepareItems},
	"array_contains_none":    {match: matchArrays(not(containsAny)), prepare: prepareItems},
	"array_contains_all":     {match: matchArrays(containsAll), prepare: prepareItems},
	"not_array_contains_all": {match: matchArrays(not(containsAll)), prepare: prepareItems},
}

// listOperators test membership in an ID list; they need the evaluator's lists, so they have no operatorFunc.
var listOperators = map[string]conditionKind{
	"in_segment_list":     conditionInList,
	"not_in_segment_list": conditionNotInList,
}

func not(match operatorFunc) operatorFunc {
	return func(t *target, v *value) bool { return !match(t, v) }
}

func matchGreater(t *target, v *value) bool {
	return v.hasNumber && t.hasNumber && v.number > t.number
}

func matchGreaterOrEqual(t *target, v *value) bool {
	return v.hasNumber && t.hasNumber && v.number >= t.number
}

func matchLess(t *target, v *value) bool {
	return v.hasNumber && t.hasNumber && v.number < t.number
}

func matchLessOrEqual(t *target, v *value) bool {
	return v.hasNumber && t.hasNumber && v.number <= t.number
}

// matchVersion compares texts; a number in a document is none, a user's number is.
func matchVersion(holds func(order int) bool) operatorFunc {
	return func(t *target, v *value) bool {
		if !v.hasText || t.kind != kindString {
			return false
		}
		order, ok := compareVersion(v.text, t.version)
		return ok && holds(order)
	}
}

func prepareVersion(t *target, _ gjson.Result) {
	if t.kind == kindString {
		t.version = parseVersion(t.text)
	}
}

// matchAny ignores case. A value without a text counts as "". The names of an object target keep their case, so that
// one with an upper-case letter never matches: the reference does so.
func matchAny(t *target, v *value) bool { return t.has(v.lower) }

// matchAnyCase finds the last spelling of a target only, because targets are kept by their lower-case text.
func matchAnyCase(t *target, v *value) bool {
	if t.kind != kindArray {
		return false
	}
	item := t.items.find(v.lower)
	return item != nil && item.text == v.text
}

// matchStrings tests each element of an array target, ignoring case.
func matchStrings(test func(s, part string) bool) operatorFunc {
	return func(t *target, v *value) bool {
		if t.kind != kindArray {
			return false
		}
		for _, key := range t.keys {
			if test(v.lower, key) {
				return true
			}
		}
		return false
	}
}

// matchesOperator compares with a regular expression.
const matchesOperator = "str_matches"

// maxPatterns is how large the regular expressions of one document may be in all: a short one can unfold into megabytes,
// and take long to compile. It is room for 10,000 of usual size.
const maxPatterns = 1 << 21

// compilePattern leaves the pattern nil where the target is none, or where patterns before it took all the room; it then
// never matches.
func (c *compiler) compilePattern(k *condition) {
	if k.target.kind != kindString || c.patterns >= maxPatterns {
		return
	}
	p, err := pattern.Compile(k.target.text)
	switch {
	case err == nil:
		c.patterns += p.Size()
		k.target.pattern, k.scoped = p, conditionMatches
	case errors.Is(err, pattern.ErrTooLarge):
		c.patterns += pattern.MaxSize
	}
}

func matchPattern(t *target, v *value) bool {
	return t.pattern != nil && v.hasText && t.pattern.Match(v.text)
}

// matchEqual compares by the kind of the target; only a user's value is converted.
func matchEqual(t *target, v *value) bool {
	switch t.kind {
	case kindBool:
		return v.kind == kindBool && v.truth == t.truth
	case kindNumber:
		return v.hasNumber && v.number == t.number
	case kindString:
		return v.hasText && v.text == t.text
	case kindArray:
		return equalArrays(t, v)
	case kindObject:
		return equalObjects(t, v)
	case kindNull:
		return v.kind == kindNull
	default:
		return false
	}
}

// equalArrays compares place by place. Where elements of the target were dropped the places left may lie outside the
// user's array; that is a difference.
func equalArrays(t *target, v *value) bool {
	elements := v.elements()
	if v.kind != kindArray || len(elements) != len(t.items.list) {
		return false
	}
	for i := range t.items.list {
		item := &t.items.list[i]
		if item.place >= len(elements) || elements[item.place].text != item.text {
			return false
		}
	}
	return true
}

func equalObjects(t *target, v *value) bool {
	members := v.members()
	if v.kind != kindObject || len(members) != len(t.items.list) {
		return false
	}
	for _, item := range t.items.list {
		if text, ok := members[item.key]; !ok || text != item.text {
			return false
		}
	}
	return true
}

// instant is the target's time, which is in milliseconds always.
func (t *target) instant() (ms int64, ok bool) {
	switch {
	case t.hasTime:
		return t.time, true
	case t.hasNumber:
		return truncate(t.number), true
	default:
		return 0, false
	}
}

// truncate drops the fraction; what an int64 can't hold becomes its nearest bound.
func truncate(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= 1<<63:
		return math.MaxInt64
	case f < -1<<63:
		return math.MinInt64
	default:
		return int64(f)
	}
}

func matchBefore(t *target, v *value) bool {
	right, ok := t.instant()
	return ok && v.hasInstant && v.instant < right
}

func matchAfter(t *target, v *value) bool {
	right, ok := t.instant()
	return ok && v.hasInstant && v.instant > right
}

// matchOn compares UTC days. Division towards zero makes the days before and after the epoch one, as in the reference.
func matchOn(t *target, v *value) bool {
	right, ok := t.instant()
	return ok && v.hasInstant && v.instant/dayMilliseconds == right/dayMilliseconds
}

// matchArrays fails, whatever the operator, unless both sides are arrays.
func matchArrays(test operatorFunc) operatorFunc {
	return func(t *target, v *value) bool {
		return t.kind == kindArray && v.kind == kindArray && test(t, v)
	}
}

func containsAny(t *target, v *value) bool {
	elements := v.elements()
	for i := range elements {
		e := &elements[i]
		if item := t.items.find(e.lower); item != nil && e.hasText && item.text == e.text {
			return true
		}
	}
	return false
}

func containsAll(t *target, v *value) bool {
	for i := range t.items.list {
		if !contains(v.elements(), t.items.list[i].text) {
			return false
		}
	}
	return true
}

func contains(list []element, text string) bool {
	for i := range list {
		if list[i].hasText && list[i].text == text {
			return true
		}
	}
	return false
}
