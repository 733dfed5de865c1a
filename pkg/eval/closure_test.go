package eval_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestClosure(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewSegment("beta").Rule(evaltest.NewRule("r").When(evaltest.InSegmentList("beta_ids").IDType("companyID"))),
		evaltest.NewHoldout("holdout").Rule(evaltest.NewRule("r").Percent(5)),
		evaltest.NewGate("alone"),
		evaltest.NewGate("mapped"),
		evaltest.NewGate("timed").Rule(evaltest.NewRule("r").When(evaltest.CurrentTime("after", 1))),
		evaltest.NewGate("many").Rule(
			evaltest.NewRule("a").When(evaltest.PassGate("segment:beta"), evaltest.FailGate("gone")),
			evaltest.NewRule("b").When(
				evaltest.IPBased("country", "any", "DE"), evaltest.UserAgentBased("os_name", "any", "iOS"),
				evaltest.Environment("tier", "any", "prod"), evaltest.UserField("email", "any", "x"))),
		evaltest.NewExperiment("e").Rule(evaltest.NewRule("r").Group("G").When(evaltest.PassGate("timed"))),
		evaltest.NewLayer("l").Rule(
			evaltest.NewRule("h").When(evaltest.PassGate("holdout")), evaltest.NewRule("d").Delegate("e"),
			evaltest.NewRule("v").Delegate("vanished")),
		evaltest.NewGate("grouped").Rule(evaltest.NewRule("r").When(evaltest.ExperimentGroup("e", "any", "G"))),
	).Store("s", values{"a": evaltest.FromLayer("l", "x"), "b": evaltest.Static(1)}).
		OverrideRule(evaltest.NewRule("german").When(evaltest.UserField("country", "any", "DE"))).
		MappingFrom("mapped", "alone", "german", 99)
	gate := func(name string) eval.Ref { return eval.Ref{Kind: eval.KindGate, Name: name} }
	experiment := func(name string) eval.Ref { return eval.Ref{Kind: eval.KindExperiment, Name: name} }
	layer := eval.Ref{Kind: eval.KindLayer, Name: "l"}
	tests := map[string]struct {
		of   eval.Ref
		want eval.Closure
	}{
		"a gate without rules depends on itself": {
			of: gate("alone"), want: eval.Closure{Refs: []eval.Ref{gate("alone")}},
		},
		"a name that doesn't exist depends on its coming": {
			of: gate("nowhere"), want: eval.Closure{Refs: []eval.Ref{gate("nowhere")}},
		},
		"fields, lists, nested and missing gates count": {
			of: gate("many"),
			want: eval.Closure{
				Refs: []eval.Ref{gate("gone"), gate("many"), gate("segment:beta")}, IDLists: []string{"beta_ids"},
				Fields: []string{
					"country", "customIDs.companyID", "email", "ip", "os_name", "statsigEnvironment.tier", "userAgent",
				},
				UsesIP: true, UsesUserAgent: true,
			},
		},
		"a layer depends on its holdouts and experiments, and what they depend on": {
			of: layer,
			want: eval.Closure{
				Refs: []eval.Ref{
					gate("holdout"), gate("timed"), experiment("e"), experiment("vanished"), layer,
				},
				Fields: []string{"userID"}, UsesTime: true,
			},
		},
		"the group of an experiment counts": {
			of: gate("grouped"),
			want: eval.Closure{
				Refs: []eval.Ref{gate("grouped"), gate("timed"), experiment("e")}, UsesTime: true,
			},
		},
		"a mapping counts with its rules, target and start": {
			of: gate("mapped"),
			want: eval.Closure{
				Refs: []eval.Ref{gate("alone"), gate("mapped")}, Fields: []string{"country"}, UsesTime: true,
			},
		},
		"a parameter store depends on what its parameters stand for": {
			of: eval.Ref{Kind: eval.KindParameterStore, Name: "s"},
			want: eval.Closure{
				Refs: []eval.Ref{
					gate("holdout"), gate("timed"), experiment("e"), experiment("vanished"), layer,
					{Kind: eval.KindParameterStore, Name: "s"},
				},
				Fields: []string{"userID"}, UsesTime: true,
			},
		},
	}
	s := evaltest.Compile(t, d)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.Closure(tc.of)
			if tc.want.IDLists == nil {
				tc.want.IDLists = []string{}
			}
			if tc.want.Fields == nil {
				tc.want.Fields = []string{}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestClosureOfABandit(t *testing.T) {
	s := evaltest.Compile(t, banditDocument(func(b values) { b["targetingGateName"] = "adults" }))
	bandit := eval.Ref{Kind: eval.KindExperiment, Name: "bandit"}
	want := eval.Closure{
		Refs:    []eval.Ref{{Kind: eval.KindGate, Name: "adults"}, bandit},
		IDLists: []string{}, Fields: []string{"age", "country", "userID"},
	}
	if diff := cmp.Diff(want, s.Closure(bandit)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
