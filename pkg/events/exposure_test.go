package events

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestWhatCountsAsAnExposure(t *testing.T) {
	layer := eval.Result{Ref: eval.Ref{Kind: eval.KindLayer, Name: "ranking"}, Value: `{"model":"b","nothing":null}`}
	overridden := with(gateResult(), func(r *eval.Result) { r.Details.Source = eval.SourceLocalOverride })
	unknown := with(gateResult(), func(r *eval.Result) { r.RuleID, r.Details.Reason = "", eval.ReasonUnrecognized })
	tests := map[string]struct {
		options  Options
		exposure Exposure
		want     bool
	}{
		"a gate":                                         {exposure: Exposure{Result: gateResult()}, want: true},
		"a gate that is not known":                       {exposure: Exposure{Result: unknown}, want: true},
		"a layer parameter":                              {exposure: Exposure{Result: layer, Parameter: "model"}, want: true},
		"a layer parameter that is null":                 {exposure: Exposure{Result: layer, Parameter: "nothing"}, want: true},
		"not a layer parameter that the value lacks":     {exposure: Exposure{Result: layer, Parameter: "depth"}},
		"a missing layer parameter that is told by hand": {exposure: Exposure{Result: layer, Parameter: "depth", Manual: true}, want: true},
		"not a layer as such":                            {exposure: Exposure{Result: layer, Manual: true}},
		"not a parameter of an unknown layer": {
			exposure: Exposure{Result: eval.Result{Ref: layer.Ref}, Parameter: "model"},
		},
		"not a value that an override gave":       {exposure: Exposure{Result: overridden}},
		"a value that an override gave, if asked": {options: Options{ExposeOverridden: true}, exposure: Exposure{Result: overridden}, want: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLogger(mustOptions(t, tc.options), &fakeSender{})
			if got := l.Expose(tc.exposure); got != tc.want {
				t.Errorf("queued = %t, want %t", got, tc.want)
			}
			if got := l.Stats(); len(got.Dropped) != 0 {
				t.Errorf("counted as dropped: %v", got.Dropped)
			}
		})
	}
}

// As recorded: after the automatic exposure the manual one of a gate and an experiment is sent, that of a dynamic config
// and a layer is taken for a repetition.
func TestManualExposuresBesideAutomaticOnes(t *testing.T) {
	result := eval.Result{Value: `{"p":1}`, RuleID: "r", Version: -1}
	for kind, want := range map[eval.Kind]bool{
		eval.KindGate: true, eval.KindExperiment: true, eval.KindDynamicConfig: false, eval.KindLayer: false,
	} {
		l := newLogger(mustOptions(t, Options{}), &fakeSender{})
		e := Exposure{Result: result, Parameter: "p", Unit: "u"}
		e.Result.Kind, e.Result.Name = kind, "x"
		manual := e
		manual.Manual = true
		if diff := cmp.Diff([]bool{true, want, false}, []bool{l.Expose(e), l.Expose(manual), l.Expose(manual)}); diff != "" {
			t.Errorf("kind %s: queued differs (-want +got):\n%s", kind, diff)
		}
	}
}

// A parameter store exposes what its parameter was read from, as if that had been asked for itself.
func TestParametersOfAStoreAreExposedByWhatTheyReferTo(t *testing.T) {
	limits := evaltest.NewDynamicConfig("limits").Rule(evaltest.NewRule("r1").Return(map[string]any{"rps": 10.0}))
	ranking := evaltest.NewLayer("ranking").Rule(evaltest.NewRule("r2").Return(map[string]any{"model": "b"}))
	document := evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r3")), limits, ranking).
		With("param_stores", map[string]any{"ui": map[string]any{"parameters": map[string]any{
			"static": map[string]any{"ref_type": "static", "param_type": "string", "value": "x"},
			"gate":   map[string]any{"ref_type": "gate", "param_type": "boolean", "gate_name": "g", "pass_value": true, "fail_value": false},
			"config": map[string]any{"ref_type": "dynamic_config", "param_type": "number", "config_name": "limits", "param_name": "rps"},
			"layer":  map[string]any{"ref_type": "layer", "param_type": "string", "layer_name": "ranking", "param_name": "model"},
		}}})
	evaluator := eval.NewEvaluator(evaltest.Compile(t, document), eval.Options{})
	user := eval.NewUser(eval.UserAttributes{UserID: "u"})
	events, _ := capture(t, Options{}, func(_ *testing.T, l *Logger) {
		var recorder eval.Recorder
		for _, name := range []string{"static", "gate", "config", "layer"} {
			p := evaluator.Parameter("ui", name, user, testEpoch, &recorder)
			l.Expose(Exposure{Result: p.From, Parameter: p.FromParameter, User: evaluator.LoggableUser(nil, user)})
		}
	})
	var got []string
	for _, e := range events {
		m := e["metadata"].(map[string]any)
		for _, field := range []string{"gate", "config", "parameterName", "ruleID"} {
			if text, ok := m[field].(string); ok {
				got = append(got, text)
			}
		}
	}
	if diff := cmp.Diff([]string{"g", "r3", "limits", "r1", "ranking", "model", "r2"}, got); diff != "" {
		t.Errorf("exposures differ (-want +got):\n%s", diff)
	}
}

// Whatever is logged carries the user as it may leave the process: without private attributes, with the project's
// fields below the user's own, and with an environment.
func TestUsersAreTheSameInAllEvents(t *testing.T) {
	document := evaltest.NewDocument(
		evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(evaltest.UserField("account", "any", "hidden"))),
		evaltest.NewDynamicConfig("c").Rule(evaltest.NewRule("r").Return(map[string]any{"p": 1.0})),
		evaltest.NewLayer("l").Rule(evaltest.NewRule("r").Return(map[string]any{"p": 1.0})),
	)
	globals := map[string]any{"cluster": "eu1", "region": "global"}
	tests := map[string]struct {
		environment map[string]string
		want        map[string]any
	}{
		"with the project's environment": {want: map[string]any{"tier": "production"}},
		"with an environment of its own": {
			environment: map[string]string{"tier": "staging", "zone": "b"}, want: map[string]any{"tier": "staging", "zone": "b"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			evaluator := eval.NewEvaluator(evaltest.Compile(t, document), eval.Options{Environment: "production", GlobalCustomFields: globals})
			user := eval.NewUser(eval.UserAttributes{
				UserID: "shop/checkout", CustomIDs: map[string]string{"pod": "p1"}, Custom: map[string]any{"region": "eu", "replicas": 3},
				PrivateAttributes: map[string]any{"account": "hidden"}, Environment: tc.environment,
			})
			loggable := evaluator.LoggableUser(nil, user)
			events, _ := capture(t, Options{}, func(t *testing.T, l *Logger) {
				for _, ref := range []eval.Ref{
					{Kind: eval.KindGate, Name: "g"}, {Kind: eval.KindDynamicConfig, Name: "c"},
					{Kind: eval.KindExperiment, Name: "c"}, {Kind: eval.KindLayer, Name: "l"},
				} {
					r := evaluator.Evaluate(ref, user, testEpoch, nil)
					if !r.Pass || !l.Expose(Exposure{Result: r, Parameter: "p", User: loggable}) {
						t.Errorf("%s was not passed and queued: %+v", ref, r)
					}
				}
				l.Log(CustomEvent{Name: "custom", User: loggable, Value: Number(1)})
				l.ForwardLogLine(LogLine{Message: "line", User: loggable})
				l.Log(Rollout{Phase: RolloutStarted, User: loggable}.CustomEvent())
				l.CountCheck("c")
			})
			want := map[string]any{
				"userID": "shop/checkout", "customIDs": map[string]any{"pod": "p1"}, "statsigEnvironment": tc.want,
				"custom": map[string]any{"region": "eu", "replicas": 3.0, "cluster": "eu1"},
			}
			if len(events) != 8 {
				t.Errorf("%d events, want 8", len(events))
			}
			for _, e := range events {
				want := want
				if e["eventName"] == nonExposedChecksEvent {
					want = map[string]any{} // counts are of nobody
				}
				if diff := cmp.Diff(want, e["user"]); diff != "" {
					t.Errorf("user of %s differs (-want +got):\n%s", e["eventName"], diff)
				}
			}
		})
	}
}
