package eval_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// stickyDocument has an experiment for users with targeted=yes, in which one user is put into a group of his own, and a
// layer that hands its users to it.
func stickyDocument(active any) *evaltest.Document {
	return evaltest.NewDocument(
		evaltest.NewGate("targeting").Rule(evaltest.NewRule("t").When(evaltest.UserField("targeted", "any", "yes"))),
		evaltest.NewExperiment("exp").With("isActive", active).With("version", 3).
			With("explicitParameters", []string{"v"}).Default(values{"v": "default"}).Rule(
			evaltest.NewRule("own:userID:id_override").Group("Own").Return(values{"v": "own"}).
				When(evaltest.UserField("userID", "any", "chosen")).With("isExperimentGroup", false),
			evaltest.NewRule("targetingGate").Return(values{}).When(evaltest.FailGate("targeting")).
				With("isExperimentGroup", false),
			evaltest.NewRule("live").Group("Test").Return(values{"v": "live"}).With("isExperimentGroup", true)),
		evaltest.NewLayer("layer").Default(values{"v": "layer"}).Rule(evaltest.NewRule("a").Delegate("exp")),
		evaltest.NewLayer("plain").Default(values{"v": "layer"}),
		evaltest.NewDynamicConfig("config").Rule(evaltest.NewRule("r").Return(values{"v": 1})),
	).Time(1234)
}

var stickyUser = eval.UserAttributes{UserID: "u", Custom: values{"targeted": "yes"}}

// keptValue is a sticky value as an earlier document gave it.
func keptValue(delegate string) eval.StickyValue {
	return eval.StickyValue{
		Value: `{"v":"kept"}`, RuleID: "kept_rule", GroupName: "Kept", ConfigDelegate: delegate, Version: 2, Time: 99,
		SecondaryExposures: []eval.SecondaryExposure{{Gate: "past", GateValue: "true", RuleID: "p"}},
		ExplicitParameters: []string{"v"},
	}
}

func TestStickyValues(t *testing.T) {
	untargeted := eval.UserAttributes{UserID: "u", Custom: values{"targeted": "no"}}
	chosen := eval.UserAttributes{UserID: "chosen", Custom: values{"targeted": "yes"}}
	tests := map[string]struct {
		active     any
		user       eval.UserAttributes
		ref        eval.Ref
		sticky     eval.Sticky
		wantRule   string
		wantChange string // save or delete
	}{
		"a user's first group is saved": {
			active: true, ref: experimentRef("exp"), sticky: eval.Sticky{Values: kept()}, wantRule: "live", wantChange: "save",
		},
		"a kept value wins": {
			active: true, ref: experimentRef("exp"), sticky: eval.Sticky{Values: kept("exp")}, wantRule: "kept_rule",
		},
		"values of other experiments don't count": {
			active: true, ref: experimentRef("exp"), sticky: eval.Sticky{Values: kept("other")}, wantRule: "live",
			wantChange: "save",
		},
		"without values what is kept is deleted": {
			active: true, ref: experimentRef("exp"), wantRule: "live", wantChange: "delete",
		},
		"the end of the experiment is the end of the value": {
			active: false, ref: experimentRef("exp"), sticky: eval.Sticky{Values: kept("exp")}, wantRule: "live",
			wantChange: "delete",
		},
		"nothing is deleted where nothing is kept": {
			active: false, ref: experimentRef("exp"), sticky: eval.Sticky{Values: kept()}, wantRule: "live",
		},
		"an experiment that doesn't say so isn't active": {
			active: nil, ref: experimentRef("exp"), sticky: eval.Sticky{Values: kept("exp")}, wantRule: "live",
			wantChange: "delete",
		},
		"a user outside of the groups isn't kept": {
			active: true, user: untargeted, ref: experimentRef("exp"), sticky: eval.Sticky{Values: kept()},
			wantRule: "targetingGate",
		},
		"a value outlives targeting": {
			active: true, user: untargeted, ref: experimentRef("exp"),
			sticky: eval.Sticky{Values: kept("exp"), EnforceOverrides: true}, wantRule: "kept_rule",
		},
		"unless targeting is enforced": {
			active: true, user: untargeted, ref: experimentRef("exp"),
			sticky: eval.Sticky{Values: kept("exp"), EnforceTargeting: true}, wantRule: "targetingGate",
		},
		"enforced targeting leaves targeted users alone": {
			active: true, ref: experimentRef("exp"), sticky: eval.Sticky{Values: kept("exp"), EnforceTargeting: true},
			wantRule: "kept_rule",
		},
		"a value outlives an override rule": {
			active: true, user: chosen, ref: experimentRef("exp"),
			sticky: eval.Sticky{Values: kept("exp"), EnforceTargeting: true}, wantRule: "kept_rule",
		},
		"unless override rules are enforced": {
			active: true, user: chosen, ref: experimentRef("exp"),
			sticky: eval.Sticky{Values: kept("exp"), EnforceOverrides: true}, wantRule: "own:userID:id_override",
		},
		"a layer keeps its experiment's group": {
			active: true, ref: layerRef("layer"), sticky: eval.Sticky{Values: kept()}, wantRule: "live", wantChange: "save",
		},
		"a layer's kept value wins": {
			active: true, ref: layerRef("layer"), sticky: eval.Sticky{Values: kept("layer")}, wantRule: "kept_rule",
		},
		"a layer's value ends with its experiment": {
			active: false, ref: layerRef("layer"), sticky: eval.Sticky{Values: keptFor("layer", "exp")}, wantRule: "live",
			wantChange: "delete",
		},
		"a layer's value is kept where its experiment still runs elsewhere": {
			active: true, ref: layerRef("plain"), sticky: eval.Sticky{Values: keptFor("plain", "exp")}, wantRule: "kept_rule",
		},
		"a layer without an experiment has nothing to keep": {
			active: true, ref: layerRef("plain"), sticky: eval.Sticky{Values: kept()}, wantRule: "default",
		},
		"a layer's value of an experiment that is gone ends with the layer's present one": {
			active: true, ref: layerRef("plain"), sticky: eval.Sticky{Values: keptFor("plain", "gone")}, wantRule: "default",
			wantChange: "delete",
		},
		"a layer's experiment is asked for its targeting": {
			active: true, user: untargeted, ref: layerRef("layer"),
			sticky: eval.Sticky{Values: keptFor("layer", "exp"), EnforceTargeting: true}, wantRule: "targetingGate",
		},
		"a layer's value that names no experiment can't be released": {
			active: true, user: untargeted, ref: layerRef("layer"),
			sticky:   eval.Sticky{Values: keptFor("layer", ""), EnforceTargeting: true, EnforceOverrides: true},
			wantRule: "kept_rule",
		},
		"dynamic configs don't stick": {
			active: true, ref: eval.Ref{Kind: eval.KindDynamicConfig, Name: "exp"}, sticky: eval.Sticky{Values: kept("exp")},
			wantRule: "live",
		},
		"gates don't stick": {
			active: true, ref: eval.Ref{Kind: eval.KindGate, Name: "targeting"}, sticky: eval.Sticky{Values: kept("targeting")},
			wantRule: "t",
		},
		"unknown experiments don't stick": {
			active: true, ref: experimentRef("none"), sticky: eval.Sticky{Values: kept("none")}, wantRule: "",
		},
		"a user without a unit ID has no values": {
			active: true, user: eval.UserAttributes{Email: "a@example.com", Custom: values{"targeted": "yes"}},
			ref: experimentRef("exp"), wantRule: "live",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.user.Custom == nil {
				tc.user = stickyUser
			}
			e := eval.NewEvaluator(evaltest.Compile(t, stickyDocument(tc.active)), eval.Options{})
			u := eval.NewUser(tc.user)
			got, change := e.Stick(e.Evaluate(tc.ref, u, evaluatedAt, &eval.Recorder{}), u, evaluatedAt, tc.sticky)
			if got.RuleID != tc.wantRule {
				t.Errorf("rule %q, want %q", got.RuleID, tc.wantRule)
			}
			if persisted := got.Details.Reason == eval.ReasonPersisted; persisted != (tc.wantRule == "kept_rule") {
				t.Errorf("details %v by rule %s", got.Details, got.RuleID)
			}
			gotChange := ""
			if change != nil {
				gotChange = map[bool]string{true: "save", false: "delete"}[change.Save != nil]
				if wantKey := tc.user.UserID + ":userID"; change.Key != wantKey || change.Name != tc.ref.Name {
					t.Errorf("change of %q, %q; want %q, %q", change.Key, change.Name, wantKey, tc.ref.Name)
				}
			}
			if gotChange != tc.wantChange {
				t.Errorf("change %q, want %q", gotChange, tc.wantChange)
			}
		})
	}
}

func experimentRef(name string) eval.Ref { return eval.Ref{Kind: eval.KindExperiment, Name: name} }

func layerRef(name string) eval.Ref { return eval.Ref{Kind: eval.KindLayer, Name: name} }

// kept are values for some names. Those of layers are handed to exp.
func kept(names ...string) map[string]eval.StickyValue {
	m := map[string]eval.StickyValue{}
	for _, name := range names {
		m[name] = keptValue("exp")
	}
	return m
}

func keptFor(layer, experiment string) map[string]eval.StickyValue {
	return map[string]eval.StickyValue{layer: keptValue(experiment)}
}

func TestLocalOverridesDontStick(t *testing.T) {
	var o eval.Overrides
	o.Experiment("exp", `{"v":"mine"}`)
	e := eval.NewEvaluator(evaltest.Compile(t, stickyDocument(true)), eval.Options{Overrides: &o})
	u := eval.NewUser(stickyUser)
	live := e.Evaluate(experimentRef("exp"), u, evaluatedAt, nil)
	got, change := e.Stick(live, u, evaluatedAt, eval.Sticky{Values: kept("exp")})
	if got.Value != `{"v":"mine"}` || change != nil {
		t.Errorf("value %s and change %+v, want the override and none", got.Value, change)
	}
}

func TestAStickyResultIsThatOfThen(t *testing.T) {
	e := eval.NewEvaluator(evaltest.Compile(t, stickyDocument(true)), eval.Options{})
	u := eval.NewUser(stickyUser)
	live := e.Evaluate(layerRef("layer"), u, evaluatedAt, &eval.Recorder{})
	got, _ := e.Stick(live, u, evaluatedAt.Add(time.Hour), eval.Sticky{Values: keptFor("layer", "exp")})
	value := keptValue("exp")
	want := eval.Result{
		Ref: layerRef("layer"), Pass: true, Value: value.Value, RuleID: "kept_rule", GroupName: "Kept", IDType: "userID",
		Version: 2, IsExperimentActive: true, IsExperimentGroup: true, ConfigDelegate: "exp",
		ExplicitParameters: []string{"v"}, SecondaryExposures: value.SecondaryExposures, SamplingRate: -1,
		HasSeenAnalyticalGates: true,
		Details:                eval.Details{Reason: eval.ReasonPersisted, LCUT: 99, ReceivedAt: evaluatedAt.Add(time.Hour)},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(eval.Result{})); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if text := got.Details.String(); text != "Persisted" {
		t.Errorf("details %q, want Persisted", text)
	}
}

// The texts are what the SDKs' own serialisation gives for such values.
func TestStickyValuesAreWrittenAsTheSDKsDo(t *testing.T) {
	const exposures = `[{"gate":"targeting","gateValue":"true","ruleID":"t"}]`
	tests := map[string]struct {
		ref  eval.Ref
		want string
	}{
		"an experiment has no delegate": {
			ref: experimentRef("exp"),
			want: `{"value":true,"json_value":{"v":"live"},"rule_id":"live","group_name":"Test","secondary_exposures":` +
				exposures + `,"undelegated_secondary_exposures":` + exposures + `,"config_delegate":null,` +
				`"explicit_parameters":["v"],"time":1234,"config_version":3}`,
		},
		"a layer has one, and an empty list of undelegated exposures": {
			ref: layerRef("layer"),
			want: `{"value":true,"json_value":{"v":"live"},"rule_id":"live","group_name":"Test","secondary_exposures":` +
				exposures + `,"undelegated_secondary_exposures":[],"config_delegate":"exp",` +
				`"explicit_parameters":["v"],"time":1234,"config_version":1}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := eval.NewEvaluator(evaltest.Compile(t, stickyDocument(true)), eval.Options{})
			u := eval.NewUser(stickyUser)
			var rec eval.Recorder
			_, change := e.Stick(e.Evaluate(tc.ref, u, evaluatedAt, &rec), u, evaluatedAt, eval.Sticky{Values: kept()})
			e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "targeting"}, u, evaluatedAt, &rec) // must not reach the value
			got, err := json.Marshal(change.Save)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			var back eval.StickyValue
			mustUnmarshal(t, got, &back)
			if diff := cmp.Diff(*change.Save, back); diff != "" {
				t.Errorf("value read again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStickyValuesAreReadLeniently(t *testing.T) {
	tests := map[string]struct {
		text string
		want eval.StickyValue
	}{
		"members that are missing or null": {
			text: `{"value":true,"rule_id":null,"group_name":null}`, want: eval.StickyValue{Version: -1},
		},
		"a time with a fraction": {
			text: `{"time":1757974789243.9}`, want: eval.StickyValue{Time: 1_757_974_789_243, Version: -1},
		},
		"a time that is no number": {text: `{"time":"soon"}`, want: eval.StickyValue{Version: -1}},
		"a time out of range":      {text: `{"time":1e300}`, want: eval.StickyValue{Time: 1<<63 - 1, Version: -1}},
		"a value that is no object": {
			text: `{"json_value":[1],"config_version":0}`, want: eval.StickyValue{},
		},
		"members of other SDKs": {text: `{"json_value":{"a":1.0},"more":1}`, want: eval.StickyValue{Value: `{"a":1.0}`, Version: -1}},
		"lists that are empty": {
			text: `{"secondary_exposures":[],"undelegated_secondary_exposures":[],"explicit_parameters":[]}`,
			want: eval.StickyValue{
				SecondaryExposures: []eval.SecondaryExposure{}, Undelegated: []eval.SecondaryExposure{},
				ExplicitParameters: []string{}, Version: -1,
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got eval.StickyValue
			mustUnmarshal(t, []byte(tc.text), &got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{`[]`, `{"rule_id":5}`, `{"secondary_exposures":{}}`, `{"config_version":"x"}`} {
		if err := json.Unmarshal([]byte(text), new(eval.StickyValue)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
