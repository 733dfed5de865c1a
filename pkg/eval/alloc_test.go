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
