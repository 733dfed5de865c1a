package eval_test

import (
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestTheRecorderTellsOfShares(t *testing.T) {
	share := func() *evaltest.RuleBuilder { return evaltest.NewRule("share").When(evaltest.Public()).Percent(50) }
	d := evaltest.NewDocument(
		evaltest.NewGate("share").Rule(share()),
		evaltest.NewGate("company").Rule(share().IDType("companyID")),
		evaltest.NewGate("all").Rule(evaltest.NewRule("all").When(evaltest.Public())),
		evaltest.NewGate("none").Rule(evaltest.NewRule("none").When(evaltest.Public()).Percent(0)),
		evaltest.NewGate("unmet").Rule(share().When(evaltest.UserField("email", "any", "x"))),
		evaltest.NewGate("nested").Rule(evaltest.NewRule("nested").When(evaltest.PassGate("share")), evaltest.NewRule("rest")),
		evaltest.NewGate("bucket").Rule(evaltest.NewRule("bucket").When(evaltest.UserBucket("salt", "lt", 500)), evaltest.NewRule("rest")),
		evaltest.NewGate("listed").Rule(evaltest.NewRule("listed").When(evaltest.UnitID("any", "alice"))),
		evaltest.NewLayer("layer").Rule(evaltest.NewRule("delegated").When(evaltest.Public()).Delegate("experiment")),
		evaltest.NewExperiment("experiment").Rule(share()),
	)
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	tests := map[string]struct {
		ref                   eval.Ref
		wantShare, wantNobody bool
	}{
		"a rule for a share":                      {eval.Ref{Kind: eval.KindGate, Name: "share"}, true, true},
		"a share of another unit":                 {eval.Ref{Kind: eval.KindGate, Name: "company"}, true, false},
		"a rule for all":                          {eval.Ref{Kind: eval.KindGate, Name: "all"}, false, false},
		"a rule for nobody":                       {eval.Ref{Kind: eval.KindGate, Name: "none"}, false, false},
		"a rule whose conditions aren't met":      {eval.Ref{Kind: eval.KindGate, Name: "unmet"}, false, false},
		"a rule behind a gate for a share":        {eval.Ref{Kind: eval.KindGate, Name: "nested"}, false, true},
		"a condition on the bucket":               {eval.Ref{Kind: eval.KindGate, Name: "bucket"}, false, true},
		"a condition on the ID":                   {eval.Ref{Kind: eval.KindGate, Name: "listed"}, false, false},
		"a layer's experiment":                    {eval.Ref{Kind: eval.KindLayer, Name: "layer"}, true, true},
		"an unknown name, after all those others": {eval.Ref{Kind: eval.KindGate, Name: "unknown"}, false, false},
	}
	rec := &eval.Recorder{}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			res := e.Evaluate(tc.ref, nil, evaluatedAt, rec)
			if got := rec.TookShare(&res); got != tc.wantShare {
				t.Errorf("TookShare = %v, want %v", got, tc.wantShare)
			}
			if got := rec.HashedNobody(); got != tc.wantNobody {
				t.Errorf("HashedNobody = %v, want %v", got, tc.wantNobody)
			}
			e.Evaluate(tc.ref, eval.NewUser(eval.UserAttributes{UserID: "alice"}), evaluatedAt, rec)
			if rec.HashedNobody() {
				t.Error("HashedNobody is true for a user with an ID")
			}
		})
	}
}

func TestConfigKindTellsExperimentsFromDynamicConfigs(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewExperiment("experiment"), evaltest.NewDynamicConfig("config"), evaltest.NewGate("gate"),
		evaltest.NewDynamicConfig("autotune").With("entity", "autotune"),
		evaltest.NewLayer("layer").Rule(evaltest.NewRule("delegated").Delegate("missing")),
	)
	s := evaltest.Compile(t, d)
	for name, want := range map[string]eval.Kind{
		"experiment": eval.KindExperiment, "config": eval.KindDynamicConfig, "autotune": eval.KindDynamicConfig,
		"gate": 0, "layer": 0, "missing": 0, "unknown": 0,
	} {
		if got := s.ConfigKind(name); got != want {
			t.Errorf("ConfigKind(%s) = %v, want %v", name, got, want)
		}
	}
}

func TestFirstBoundaryIsThatOfTheEntityWhichFlipsFirst(t *testing.T) {
	after := func(name string, at time.Duration) *evaltest.SpecBuilder {
		return evaltest.NewGate(name).Rule(evaltest.NewRule("r").When(evaltest.CurrentTime("after", evaluatedAt.Add(at).UnixMilli())))
	}
	s := evaltest.Compile(t, evaltest.NewDocument(after("late", time.Hour), after("soon", time.Minute), after("past", -time.Minute)))
	got, ok := s.FirstBoundary(evaluatedAt)
	want, _ := s.NextBoundary(eval.Ref{Kind: eval.KindGate, Name: "soon"}, evaluatedAt)
	if !ok || !got.Equal(want) || got.Before(evaluatedAt) {
		t.Errorf("FirstBoundary = %v, %v, want that of the gate that flips first, %v", got, ok, want)
	}
	if got, ok := s.FirstBoundary(evaluatedAt.Add(100 * time.Hour)); ok {
		t.Errorf("FirstBoundary after all = %v, want none", got)
	}
}
