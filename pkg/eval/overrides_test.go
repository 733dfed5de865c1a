package eval_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func overridesDocument() *evaltest.Document {
	return evaltest.NewDocument(
		evaltest.NewGate("g"),
		evaltest.NewGate("parent").Rule(evaltest.NewRule("r").When(evaltest.PassGate("g"))),
		evaltest.NewDynamicConfig("c").Default(values{"a": 1}),
		evaltest.NewExperiment("e").Rule(
			evaltest.NewRule("c").Percent(0).Group("Control").Return(values{"v": "control"}),
			evaltest.NewRule("t").Percent(0).Group("Test").Return(values{"v": "test"})),
		evaltest.NewLayer("l").Rule(evaltest.NewRule("r").Delegate("e")),
	)
}

func TestLocalOverrides(t *testing.T) {
	user := eval.UserAttributes{UserID: "u", CustomIDs: map[string]string{"companyID": "acme", "teamID": "blue"}}
	tests := map[string]struct {
		override  func(o *eval.Overrides)
		kind      eval.Kind
		name      string
		wantPass  bool
		wantValue string
		untouched bool
	}{
		"a gate is overridden for everyone": {
			override: func(o *eval.Overrides) { o.Gate("g", true) }, kind: eval.KindGate, name: "g", wantPass: true,
		},
		"an unknown gate can be overridden": {
			override: func(o *eval.Overrides) { o.Gate("unknown", true) }, kind: eval.KindGate, name: "unknown", wantPass: true,
		},
		"the user ID is looked for first": {
			override: func(o *eval.Overrides) { o.Gate("g", false); o.Gate("g", false, "acme"); o.Gate("g", true, "u") },
			kind:     eval.KindGate, name: "g", wantPass: true,
		},
		"custom IDs are looked for next": {
			override: func(o *eval.Overrides) { o.Gate("g", false); o.Gate("g", true, "acme") },
			kind:     eval.KindGate, name: "g", wantPass: true,
		},
		"of several custom IDs the least ID type counts": {
			override: func(o *eval.Overrides) { o.Gate("g", false, "blue"); o.Gate("g", true, "acme") },
			kind:     eval.KindGate, name: "g", wantPass: true,
		},
		"another ID is not overridden": {
			override: func(o *eval.Overrides) { o.Gate("g", true, "someone") }, kind: eval.KindGate, name: "g", untouched: true,
		},
		"a dynamic config is overridden": {
			override: func(o *eval.Overrides) { o.DynamicConfig("c", `{"a":2}`) },
			kind:     eval.KindDynamicConfig, name: "c", wantValue: `{"a":2}`,
		},
		"text that is no object counts as an empty one": {
			override: func(o *eval.Overrides) { o.DynamicConfig("c", `{"a":`) },
			kind:     eval.KindDynamicConfig, name: "c", wantValue: `{}`,
		},
		"an override of a dynamic config is none of an experiment": {
			override: func(o *eval.Overrides) { o.DynamicConfig("e", `{"a":2}`) },
			kind:     eval.KindExperiment, name: "e", untouched: true,
		},
		"an experiment is overridden": {
			override: func(o *eval.Overrides) { o.Experiment("e", ` {"v":1} `) },
			kind:     eval.KindExperiment, name: "e", wantValue: `{"v":1}`,
		},
		"an experiment is overridden by group": {
			override: func(o *eval.Overrides) { o.ExperimentGroup("e", "Test") },
			kind:     eval.KindExperiment, name: "e", wantValue: `{"v":"test"}`,
		},
		"an unknown group gives an empty object": {
			override: func(o *eval.Overrides) { o.ExperimentGroup("e", "Nobody") },
			kind:     eval.KindExperiment, name: "e", wantValue: `{}`,
		},
		"an unknown experiment's group gives an empty object": {
			override: func(o *eval.Overrides) { o.ExperimentGroup("none", "Test") },
			kind:     eval.KindExperiment, name: "none", wantValue: `{}`,
		},
		"a layer is overridden": {
			override: func(o *eval.Overrides) { o.Layer("l", `{"x":1}`) },
			kind:     eval.KindLayer, name: "l", wantValue: `{"x":1}`,
		},
		"a removed override counts no more": {
			override: func(o *eval.Overrides) { o.Gate("g", true); o.Remove(eval.Ref{Kind: eval.KindGate, Name: "g"}) },
			kind:     eval.KindGate, name: "g", untouched: true,
		},
		"one removed for an ID leaves the one for everyone": {
			override: func(o *eval.Overrides) {
				o.Gate("g", true)
				o.Gate("g", false, "u")
				o.Remove(eval.Ref{Kind: eval.KindGate, Name: "g"}, "u")
			},
			kind: eval.KindGate, name: "g", wantPass: true,
		},
		"none is left after all were removed": {
			override: func(o *eval.Overrides) { o.Gate("g", true); o.RemoveAll() },
			kind:     eval.KindGate, name: "g", untouched: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var o eval.Overrides
			tc.override(&o)
			res := askWith(t, overridesDocument(), eval.Options{Overrides: &o}, tc.kind, tc.name, user)
			if tc.untouched {
				if res.Details.Source == eval.SourceLocalOverride || res.RuleID == "override" {
					t.Errorf("overridden: %+v", res)
				}
				return
			}
			if res.Pass != tc.wantPass || res.Value != tc.wantValue || res.RuleID != "override" {
				t.Errorf("%t, %q by %q; want %t, %q by override", res.Pass, res.Value, res.RuleID, tc.wantPass, tc.wantValue)
			}
			if got := res.Details.String(); got != "LocalOverride:Recognized" {
				t.Errorf("details %s, want LocalOverride:Recognized", got)
			}
		})
	}
}

func TestLocalOverridesReachNestedGatesAndDelegates(t *testing.T) {
	var o eval.Overrides
	o.Gate("g", true)
	o.Experiment("e", `{"v":"mine"}`)
	options := eval.Options{Overrides: &o}
	if res := askWith(t, overridesDocument(), options, eval.KindGate, "parent", eval.UserAttributes{}); !res.Pass {
		t.Errorf("gate above an overridden one = %+v", res)
	}
	if res := askWith(t, overridesDocument(), options, eval.KindLayer, "l", eval.UserAttributes{}); res.Value != `{"v":"mine"}` {
		t.Errorf("layer above an overridden experiment = %+v", res)
	}
}

func TestAClonedSetOfOverridesIsApart(t *testing.T) {
	var o eval.Overrides
	o.Gate("g", true, "u")
	c := o.Clone()
	c.Remove(eval.Ref{Kind: eval.KindGate, Name: "g"}, "u")
	res := askWith(t, overridesDocument(), eval.Options{Overrides: &o}, eval.KindGate, "g", eval.UserAttributes{UserID: "u"})
	if !res.Pass {
		t.Error("changing the clone changed the original")
	}
}

func TestMappings(t *testing.T) {
	german := evaltest.UserField("country", "any", "DE")
	base := func() *evaltest.Document {
		return evaltest.NewDocument(
			evaltest.NewGate("old").Rule(evaltest.NewRule("old_rule").Return(false)),
			evaltest.NewGate("new").IDType("companyID").Rule(evaltest.NewRule("new_rule")),
			evaltest.NewGate("parent").Rule(evaltest.NewRule("r").When(evaltest.PassGate("old"))),
			evaltest.NewGate("a"), evaltest.NewGate("b"),
		).OverrideRule(evaltest.NewRule("german").When(german)).
			OverrideRule(evaltest.NewRule("nobody").Percent(0)).
			OverrideRule(evaltest.NewRule("odd").When(evaltest.NewCondition("moon_phase"))).
			OverrideRule(evaltest.NewRule("all"))
	}
	tests := map[string]struct {
		reason     string
		document   *evaltest.Document
		name       string
		wantPass   bool
		wantRule   string
		wantConfig string
	}{
		"users of the rule get the other gate": {
			document: base().Mapping("old", "new", "german"), name: "old",
			wantPass: true, wantRule: "new_rule", wantConfig: "new",
		},
		"a rule that nobody passes maps nobody": {
			document: base().Mapping("old", "new", "nobody"), name: "old", wantRule: "old_rule",
		},
		"an unsupported rule maps nobody": {
			document: base().Mapping("old", "new", "odd"), name: "old", wantRule: "old_rule",
		},
		"a rule that doesn't exist maps nobody": {
			document: base().Mapping("old", "new", "gone"), name: "old", wantRule: "old_rule",
		},
		"a target that doesn't exist leaves the next mapping": {
			document: base().Mapping("old", "gone", "all").Mapping("old", "new", "german"), name: "old",
			wantPass: true, wantRule: "new_rule", wantConfig: "new",
		},
		"a mapping that starts later doesn't count yet": {
			document: base().MappingFrom("old", "new", "all", evaluatedAt.UnixMilli()+1), name: "old", wantRule: "old_rule",
		},
		"a mapping that starts now counts": {
			document: base().MappingFrom("old", "new", "all", evaluatedAt.UnixMilli()), name: "old",
			wantPass: true, wantRule: "new_rule", wantConfig: "new",
		},
		"a name without a gate can be mapped": {
			document: base().Mapping("ghost", "new", "all"), name: "ghost",
			wantPass: true, wantRule: "new_rule", wantConfig: "new",
		},
		"a nested gate is mapped too": {
			document: base().Mapping("old", "new", "all"), name: "parent", wantPass: true, wantRule: "r", wantConfig: "new",
		},
		"mappings in a circle end at a gate": {
			reason:   "the official SDK never comes back",
			document: base().Mapping("a", "b", "all").Mapping("b", "a", "all"), name: "a",
			wantRule: "default", wantConfig: "a",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			res := ask(t, tc.document, eval.KindGate, tc.name, eval.UserAttributes{UserID: "u", Country: "DE"})
			if res.Pass != tc.wantPass || res.RuleID != tc.wantRule || res.OverrideConfigName != tc.wantConfig {
				t.Errorf("gate = %t by %q, mapped to %q; want %t by %q, mapped to %q (%s)", res.Pass, res.RuleID,
					res.OverrideConfigName, tc.wantPass, tc.wantRule, tc.wantConfig, tc.reason)
			}
		})
	}
}

func TestTryingAMappingLeavesNoExposures(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("asked").Rule(evaltest.NewRule("asked_rule")),
		evaltest.NewGate("first").Rule(evaltest.NewRule("first_rule")),
		evaltest.NewGate("old").Rule(evaltest.NewRule("old_rule").When(evaltest.PassGate("asked"))),
		evaltest.NewGate("top").Rule(evaltest.NewRule("r").When(evaltest.PassGate("first"), evaltest.PassGate("old"),
			evaltest.PassGate("asked"))),
	).OverrideRule(evaltest.NewRule("o").Percent(0).When(evaltest.PassGate("asked"))).Mapping("old", "new", "o")
	res := ask(t, d, eval.KindGate, "top", eval.UserAttributes{})
	asked := eval.SecondaryExposure{Gate: "asked", GateValue: "true", RuleID: "asked_rule"}
	want := []eval.SecondaryExposure{
		{Gate: "first", GateValue: "true", RuleID: "first_rule"}, asked,
		{Gate: "old", GateValue: "true", RuleID: "old_rule"}, asked,
	}
	if diff := cmp.Diff(want, res.SecondaryExposures); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
