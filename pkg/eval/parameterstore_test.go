package eval_test

import (
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestParameterStores(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("on").Rule(evaltest.NewRule("r")),
		evaltest.NewGate("off"),
		evaltest.NewDynamicConfig("c").Default(values{"x": []int{1}}),
		evaltest.NewExperiment("e").Rule(evaltest.NewRule("r").Group("G").Return(values{"x": "exp"})),
		evaltest.NewLayer("l").Default(values{"x": 1.5}),
	).Store("s", values{
		"static": evaltest.Static(values{"a": 1}), "null": evaltest.Static(nil),
		"on": evaltest.FromGate("on", "yes", "no"), "off": evaltest.FromGate("off", "yes", "no"),
		"config": evaltest.FromDynamicConfig("c", "x"), "experiment": evaltest.FromExperiment("e", "x"),
		"layer": evaltest.FromLayer("l", "x"), "no_such_parameter": evaltest.FromLayer("l", "y"),
		"no_such_config": evaltest.FromDynamicConfig("gone", "x"), "no_such_gate": evaltest.FromGate("gone", "yes", "no"),
	})
	tests := map[string]struct {
		parameter, want string
		wantFrom        eval.Ref
		wantParameter   string
	}{
		"a static value stands for itself": {parameter: "static", want: `{"a":1}`},
		"a static null is null":            {parameter: "null", want: `null`},
		"a gate that passes":               {parameter: "on", want: `"yes"`, wantFrom: eval.Ref{Kind: eval.KindGate, Name: "on"}},
		"a gate that fails":                {parameter: "off", want: `"no"`, wantFrom: eval.Ref{Kind: eval.KindGate, Name: "off"}},
		"a gate that doesn't exist fails":  {parameter: "no_such_gate", want: `"no"`, wantFrom: eval.Ref{Kind: eval.KindGate, Name: "gone"}},
		"a dynamic config's parameter": {
			parameter: "config", want: `[1]`, wantFrom: eval.Ref{Kind: eval.KindDynamicConfig, Name: "c"}, wantParameter: "x",
		},
		"an experiment's parameter": {
			parameter: "experiment", want: `"exp"`, wantFrom: eval.Ref{Kind: eval.KindExperiment, Name: "e"}, wantParameter: "x",
		},
		"a layer's parameter": {
			parameter: "layer", want: `1.5`, wantFrom: eval.Ref{Kind: eval.KindLayer, Name: "l"}, wantParameter: "x",
		},
		"a parameter its layer doesn't have": {
			parameter: "no_such_parameter", wantFrom: eval.Ref{Kind: eval.KindLayer, Name: "l"},
		},
		"a parameter of a config that doesn't exist": {
			parameter: "no_such_config", wantFrom: eval.Ref{Kind: eval.KindDynamicConfig, Name: "gone"},
		},
		"a parameter the store doesn't have": {parameter: "gone"},
	}
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	u := eval.NewUser(eval.UserAttributes{UserID: "u"})
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := e.Parameter("s", tc.parameter, u, evaluatedAt, nil)
			if got.Value != tc.want || got.From.Ref != tc.wantFrom || got.FromParameter != tc.wantParameter {
				t.Errorf("%q from %v %q; want %q from %v %q", got.Value, got.From.Ref, got.FromParameter, tc.want,
					tc.wantFrom, tc.wantParameter)
			}
			if got.Details.String() != "Network:Recognized" {
				t.Errorf("details %v", got.Details)
			}
		})
	}
	if got := e.Parameter("gone", "static", u, evaluatedAt, nil); got.Details.Reason != eval.ReasonUnrecognized || got.Value != "" {
		t.Errorf("unknown store: %+v", got)
	}
}

func TestOverriddenParameterStores(t *testing.T) {
	d := evaltest.NewDocument(evaltest.NewGate("on").Rule(evaltest.NewRule("r"))).
		Store("s", values{"a": evaltest.Static(1), "b": evaltest.Static(2)})
	var o eval.Overrides
	o.ParameterStore("s", `{"a":5,"g":{"ref_type":"gate","param_type":"string","gate_name":"on","pass_value":"p","fail_value":"f"},`+
		`"o":{"ref_type":"none"}}`)
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{Overrides: &o})
	for parameter, want := range map[string]string{"a": "5", "b": "", "g": `"p"`, "o": `{"ref_type":"none"}`} {
		got := e.Parameter("s", parameter, nil, evaluatedAt, nil)
		if got.Value != want || got.Details.String() != "LocalOverride:Recognized" {
			t.Errorf("%s = %q, %v; want %q", parameter, got.Value, got.Details, want)
		}
	}
}
