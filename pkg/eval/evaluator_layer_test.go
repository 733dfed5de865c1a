package eval_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

type values = map[string]any

// holdout and targeting leave an exposure each: one of a layer itself, one of its experiment.
func layerDocument(layer *evaltest.SpecBuilder) *evaltest.Document {
	return evaltest.NewDocument(
		evaltest.NewHoldout("holdout").Rule(evaltest.NewRule("h").When(evaltest.UserField("country", "any", "XX"))),
		evaltest.NewGate("targeting").Rule(evaltest.NewRule("t")),
		evaltest.NewExperiment("exp").With("version", 7).With("explicitParameters", []string{"model"}).
			Default(values{"model": "default"}).Rule(
			evaltest.NewRule("exp_rule").Group("Test").Return(values{"model": "test"}).When(evaltest.PassGate("targeting"))),
		layer.Default(values{"model": "layer", "size": 1}),
	)
}

var (
	holdoutExposure   = eval.SecondaryExposure{Gate: "holdout", GateValue: "false", RuleID: "default"}
	targetingExposure = eval.SecondaryExposure{Gate: "targeting", GateValue: "true", RuleID: "t"}
)

func TestLayersDelegateToExperiments(t *testing.T) {
	layer := evaltest.NewLayer("l").Rule(
		evaltest.NewRule("held").When(evaltest.PassGate("holdout")),
		evaltest.NewRule("allocated").Delegate("exp").Percent(0),
	)
	want := eval.Result{
		Ref: eval.Ref{Kind: eval.KindLayer, Name: "l"}, Pass: true, Value: `{"model":"test"}`, RuleID: "exp_rule",
		GroupName: "Test", IDType: "userID", Version: 1, IsExperimentActive: true, IsExperimentGroup: true,
		ConfigDelegate: "exp", ExplicitParameters: []string{"model"}, HasSeenAnalyticalGates: true, SamplingRate: -1,
		SecondaryExposures: []eval.SecondaryExposure{holdoutExposure, targetingExposure},
		Undelegated:        []eval.SecondaryExposure{holdoutExposure},
	}
	got := ask(t, layerDocument(layer), eval.KindLayer, "l", eval.UserAttributes{UserID: "u"})
	if diff := cmp.Diff(want, got, ignoreDetails); diff != "" {
		t.Errorf("the rule's percentage doesn't count where it delegates (-want +got):\n%s", diff)
	}
	if rule := got.RuleIDFor("model"); rule != "exp_rule" {
		t.Errorf("rule of model %q, want exp_rule", rule)
	}
}

func TestLayersWithoutADelegateUseTheirOwnValue(t *testing.T) {
	layer := evaltest.NewLayer("l").Rule(
		evaltest.NewRule("held").When(evaltest.PassGate("holdout")),
		evaltest.NewRule("own").Delegate("vanished").Return(values{"model": "own"}),
	)
	got := ask(t, layerDocument(layer), eval.KindLayer, "l", eval.UserAttributes{})
	if got.Value != `{"model":"own"}` || got.RuleID != "own" || got.ConfigDelegate != "" {
		t.Errorf("layer = %s by %q, delegate %q", got.Value, got.RuleID, got.ConfigDelegate)
	}
	if diff := cmp.Diff(got.SecondaryExposures, got.Undelegated); diff != "" {
		t.Errorf("without a delegate all exposures are the layer's (-all +layer's):\n%s", diff)
	}
}

func TestUndelegatedExposuresTellNoneFromEmpty(t *testing.T) {
	none := ask(t, layerDocument(evaltest.NewLayer("l")), eval.KindLayer, "l", eval.UserAttributes{})
	if none.Undelegated != nil {
		t.Errorf("a layer that met no gate has exposures %v, want nil", none.Undelegated)
	}
	layer := evaltest.NewLayer("l").Rule(evaltest.NewRule("allocated").Delegate("exp"))
	empty := ask(t, layerDocument(layer), eval.KindLayer, "l", eval.UserAttributes{})
	if empty.Undelegated == nil || len(empty.Undelegated) != 0 {
		t.Errorf("a layer that delegated before it met a gate has exposures %v, want an empty list", empty.Undelegated)
	}
}

func TestNewLayerEvaluation(t *testing.T) {
	newLayer := func(rules ...*evaltest.RuleBuilder) *evaltest.SpecBuilder {
		return evaltest.NewLayer("l").With("useNewLayerEval", true).Rule(rules...)
	}
	tests := map[string]struct {
		reason    string
		layer     *evaltest.SpecBuilder
		wantValue string
		wantRule  string
		wantRules map[string]string
		delegate  string
	}{
		"without a rule that passes all is default": {
			layer: newLayer(), wantValue: `{"model":"layer","size":1}`, wantRule: "default",
			wantRules: map[string]string{"model": "default", "size": "default"},
		},
		"the first rule that sets a parameter decides it": {
			layer: newLayer(
				evaltest.NewRule("one").Return(values{"size": 2}),
				evaltest.NewRule("two").Return(values{"size": 3, "model": "two"})),
			wantValue: `{"size":2,"model":"two"}`, wantRule: "default",
			wantRules: map[string]string{"model": "two", "size": "one"},
		},
		"an experiment in the first rule that passes takes part": {
			layer: newLayer(
				evaltest.NewRule("none").Percent(0).Return(values{"size": 9}),
				evaltest.NewRule("exp_in").Delegate("exp"),
				evaltest.NewRule("more").Return(values{"model": "more", "size": 5})),
			wantValue: `{"model":"test","size":5}`, wantRule: "exp_in", delegate: "exp",
			wantRules: map[string]string{"model": "exp_in", "size": "more"},
		},
		"an experiment behind another rule that passed doesn't": {
			layer: newLayer(
				evaltest.NewRule("one").Return(values{"size": 2}),
				evaltest.NewRule("exp_in").Delegate("exp")),
			wantValue: `{"size":2,"model":"layer"}`, wantRule: "default",
			wantRules: map[string]string{"model": "default", "size": "one"},
		},
		"the percentage counts before the experiment": {
			reason:    "without new layer evaluation it doesn't count at all",
			layer:     newLayer(evaltest.NewRule("exp_in").Delegate("exp").Percent(0)),
			wantValue: `{"model":"layer","size":1}`, wantRule: "default",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := ask(t, layerDocument(tc.layer), eval.KindLayer, "l", eval.UserAttributes{})
			if got.Value != tc.wantValue || got.RuleID != tc.wantRule || got.ConfigDelegate != tc.delegate {
				t.Errorf("layer = %s by %q, delegate %q; want %s by %q, delegate %q", got.Value, got.RuleID,
					got.ConfigDelegate, tc.wantValue, tc.wantRule, tc.delegate)
			}
			for parameter, want := range tc.wantRules {
				if rule := got.RuleIDFor(parameter); rule != want {
					t.Errorf("rule of %s = %q, want %q", parameter, rule, want)
				}
			}
		})
	}
}

func TestNewLayerEvaluationDropsExposuresOfARejectedExperiment(t *testing.T) {
	layer := evaltest.NewLayer("l").With("useNewLayerEval", true).Rule(
		evaltest.NewRule("one").Return(values{"size": 2}).When(evaltest.FailGate("holdout")),
		evaltest.NewRule("exp_in").Delegate("exp"),
	)
	got := ask(t, layerDocument(layer), eval.KindLayer, "l", eval.UserAttributes{})
	if diff := cmp.Diff([]eval.SecondaryExposure{holdoutExposure}, got.SecondaryExposures); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
