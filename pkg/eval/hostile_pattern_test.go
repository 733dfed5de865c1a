//go:build !race

package eval_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// Nothing here is concurrent, and the race detector makes what is slow on purpose ten times slower.

// matchRule passes where the field f matches.
func matchRule(pattern string) *evaltest.RuleBuilder {
	return evaltest.NewRule("r").When(evaltest.UserFieldValue("f", "str_matches", pattern))
}

func TestPatternsMadeToBeSlowEndTheEvaluation(t *testing.T) {
	all, one := evaltest.NewGate("all"), evaltest.NewGate("one")
	for i := range 2000 {
		slow := fmt.Sprintf(`^(?=(a|aa)+$)(a|aa|b{%d})+\1!$`, i)
		all.Rule(matchRule(slow))
		if i == 0 {
			one.Rule(matchRule(slow))
		}
	}
	e := eval.NewEvaluator(evaltest.Compile(t, evaltest.NewDocument(all, one)), eval.Options{})
	u := eval.NewUser(eval.UserAttributes{Custom: values{"f": strings.Repeat("a", 10_000)}})
	if res := e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "all"}, u, evaluatedAt, nil); res.Details.Reason != eval.ReasonError {
		t.Errorf("details %v, want an error", res.Details)
	}
	if _, trace := e.Explain(eval.Ref{Kind: eval.KindGate, Name: "all"}, u, evaluatedAt); trace.Reason != "Error" {
		t.Errorf("trace ends with %s, want Error", trace.Reason)
	}
	if response := e.AppendClientInitialize(nil, u, evaluatedAt, eval.ClientInitializeOptions{}); !blankOrJSON(t, response) {
		t.Errorf("response of %d bytes, want a blank one", len(response))
	}
	// One of them alone is as the reference's: it doesn't match.
	res := e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "one"}, u, evaluatedAt, nil)
	if res.Pass || res.Details.Reason != eval.ReasonRecognized {
		t.Errorf("gate = %t, %v; want false", res.Pass, res.Details)
	}
}

func TestPatternsThatUnfoldAreBoundedTogether(t *testing.T) {
	d := evaltest.NewDocument(evaltest.NewGate("first").Rule(matchRule("^a")), evaltest.NewGate("last").Rule(matchRule("^a")))
	for i := range 300 {
		d.Add(evaltest.NewGate(fmt.Sprint("g", i)).Rule(matchRule(fmt.Sprintf(`(?=(?:a{1000}){30}%d)`, i))))
	}
	text := d.JSON(t) // in order of name
	var s *eval.Snapshot
	if n := allocatedBytes(func() { s = compile(t, text) }); n > 1<<30 {
		t.Errorf("compiling %d bytes allocated %d, want at most 1 GiB", len(text), n)
	}
	e := eval.NewEvaluator(s, eval.Options{})
	u := eval.NewUser(eval.UserAttributes{Custom: values{"f": "a"}})
	for name, want := range map[string]bool{"first": true, "last": false} {
		if res := e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: name}, u, evaluatedAt, nil); res.Pass != want {
			t.Errorf("%s = %t, want %t", name, res.Pass, want)
		}
	}
}
