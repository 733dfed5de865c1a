//go:build !race

package eval_test

import (
	"fmt"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// The race detector makes sync.Pool drop values at random, so these tests are left out under it.

func TestEvaluationDoesNotAllocate(t *testing.T) {
	e := benchEvaluator(t)
	u := eval.NewUser(benchUser(1))
	var rec eval.Recorder
	for _, ref := range benchEntities {
		t.Run(ref.String(), func(t *testing.T) {
			if n := testing.AllocsPerRun(200, func() { e.Evaluate(ref, u, evaluatedAt, nil) }); n != 0 {
				t.Errorf("%v allocations without exposures, want 0", n)
			}
			if n := testing.AllocsPerRun(200, func() { e.Evaluate(ref, u, evaluatedAt, &rec) }); n != 0 {
				t.Errorf("%v allocations with a recorder in use, want 0", n)
			}
		})
	}
}

func TestManyNestedGatesDoNotAllocate(t *testing.T) {
	d := evaltest.NewDocument()
	top := evaltest.NewRule("r")
	for i := range 40 {
		name := fmt.Sprint("g", i)
		d.Add(evaltest.NewGate(name).Rule(evaltest.NewRule("r")))
		top.When(evaltest.PassGate(name), evaltest.PassGate(name))
	}
	e := eval.NewEvaluator(evaltest.Compile(t, d.Add(evaltest.NewGate("top").Rule(top))), eval.Options{})
	u := eval.NewUser(eval.UserAttributes{UserID: "u"})
	ref := eval.Ref{Kind: eval.KindGate, Name: "top"}
	if n := testing.AllocsPerRun(200, func() { e.Evaluate(ref, u, evaluatedAt, nil) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if got := len(e.Evaluate(ref, u, evaluatedAt, &eval.Recorder{}).SecondaryExposures); got != 80 {
		t.Errorf("%d exposures, want 80", got)
	}
}

// TestNoConditionAllocates has a gate for every kind of condition and operator, which each compares two values.
func TestNoConditionAllocates(t *testing.T) {
	when := func(operator string, target any) evaltest.Condition {
		return evaltest.UserFieldValue("when", operator, target)
	}
	tests := map[string]evaltest.Condition{
		"any":                    evaltest.UserField("text", "any", "x", "Some Text"),
		"none":                   evaltest.UserField("text", "none", "x"),
		"any_case_sensitive":     evaltest.UserField("text", "any_case_sensitive", "x", "some text"),
		"none_case_sensitive":    evaltest.UserField("text", "none_case_sensitive", "x"),
		"str_starts_with_any":    evaltest.UserField("text", "str_starts_with_any", "x", "SOME"),
		"str_ends_with_any":      evaltest.UserField("text", "str_ends_with_any", "x", "TEXT"),
		"str_contains_any":       evaltest.UserField("text", "str_contains_any", "x", "E T"),
		"str_contains_none":      evaltest.UserField("text", "str_contains_none", "z"),
		"str_matches":            evaltest.UserFieldValue("text", "str_matches", "^s.*t$"),
		"str_matches, by trying": evaltest.UserFieldValue("text", "str_matches", `^(?!z)some(?=\s)`),
		"a set of 1,000":         evaltest.UserField("text", "any", thousand()...),
		"gt":                     evaltest.UserFieldValue("number", "gt", 1),
		"lte":                    evaltest.UserFieldValue("number", "lte", "7.5"),
		"a number as a text":     evaltest.UserField("number", "any", "5"),
		"version_gt":             evaltest.UserFieldValue("version", "version_gt", "1.2.3"),
		"version_eq":             evaltest.UserFieldValue("version", "version_eq", "1.10.0.0"),
		"version_neq":            evaltest.UserFieldValue("version", "version_neq", "1.10.1"),
		"before":                 when("before", 1_800_000_000_000),
		"after":                  when("after", "2026-01-15T11:00:00Z"),
		"on":                     when("on", 1_768_478_400_000),
		"the instant":            evaltest.CurrentTime("after", 1_700_000_000_000),
		"eq with a text":         evaltest.UserFieldValue("text", "eq", "some text"),
		"eq with a number":       evaltest.UserFieldValue("number", "eq", 5),
		"neq with null":          evaltest.UserFieldValue("number", "neq", nil),
		"eq with an array":       evaltest.UserField("list", "eq", "a", 1),
		"array_contains_any":     evaltest.UserField("list", "array_contains_any", "z", "a"),
		"array_contains_none":    evaltest.UserField("list", "array_contains_none", "z"),
		"array_contains_all":     evaltest.UserField("list", "array_contains_all", "a", 1),
		"not_array_contains_all": evaltest.UserField("list", "not_array_contains_all", "a", "z"),
		"a private attribute":    evaltest.UserField("private", "any", "p"),
		"a missing field":        evaltest.UserField("missing", "none", "p"),
		"a unit ID":              evaltest.UnitID("any", "c").IDType("companyID"),
		"an ID list":             evaltest.InSegmentList("l"),
		"a bucket":               evaltest.UserBucket("salt", "lt", 1000),
		"the environment":        evaltest.Environment("tier", "any", "production"),
		"an address":             evaltest.IPBased("country", "any", "US"),
		"a user agent":           evaltest.UserAgentBased("os_name", "any", "iOS"),
	}
	u := eval.NewUser(eval.UserAttributes{
		UserID: "u", IP: "8.8.8.8", UserAgent: "agent", CustomIDs: map[string]string{"companyID": "c"},
		Custom: values{
			"text": "some text", "number": 5, "version": "1.10.0-beta", "when": "2026-01-15 12:00:00", "list": []any{"a", 1},
		},
		PrivateAttributes: values{"private": "p"},
	})
	lists := &countingLists{}
	for name, condition := range tests {
		t.Run(name, func(t *testing.T) {
			d := evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").Percent(99.99).When(condition)))
			e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{
				UserAgent: fixedAgent{}, Country: fixedCountry{}, IDLists: lists, Environment: "production",
			})
			g := eval.Ref{Kind: eval.KindGate, Name: "g"}
			if res := e.Evaluate(g, u, evaluatedAt, nil); res.RuleID != "r" {
				t.Fatalf("gate = %t by %q: the condition should hold", res.Pass, res.RuleID)
			}
			if n := testing.AllocsPerRun(100, func() { e.Evaluate(g, u, evaluatedAt, nil) }); n != 0 {
				t.Errorf("%v allocations, want 0", n)
			}
		})
	}
}

// thousand are targets of which the last holds.
func thousand() []any {
	list := make([]any, 0, 1001)
	for i := range 1000 {
		list = append(list, fmt.Sprintf("text %d", i))
	}
	return append(list, "some text")
}
