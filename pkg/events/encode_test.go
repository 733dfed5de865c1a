package events

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func TestExposureIsEncodedLikeTheOfficialSDK(t *testing.T) {
	details := eval.Details{
		Source:     "Network",
		Reason:     eval.ReasonRecognized,
		LCUT:       1767981029384,
		ReceivedAt: time.UnixMilli(1795186904149),
	}
	layer := eval.Result{
		Ref:                eval.Ref{Kind: eval.KindLayer, Name: "ranking"},
		Value:              `{"model":"b","depth":3}`,
		RuleID:             "rule3",
		Version:            4,
		ConfigDelegate:     "ranking_test",
		ExplicitParameters: []string{"model"},
		SecondaryExposures: []eval.SecondaryExposure{{Gate: "holdout", GateValue: "false", RuleID: "h"}, {Gate: "inner", GateValue: "true", RuleID: "i"}},
		Undelegated:        []eval.SecondaryExposure{{Gate: "holdout", GateValue: "false", RuleID: "h"}},
		Details:            details,
	}
	tests := map[string]struct {
		exposure Exposure
		want     string
	}{
		"a gate carries its value as a string and its secondary exposures with duplicates": {
			exposure: Exposure{
				Result: eval.Result{
					Ref:     eval.Ref{Kind: eval.KindGate, Name: "new_checkout"},
					Pass:    true,
					RuleID:  "rule1",
					Version: 70,
					SecondaryExposures: []eval.SecondaryExposure{
						{Gate: "holdout", GateValue: "false", RuleID: "h"},
						{Gate: "holdout", GateValue: "false", RuleID: "h"},
					},
					Details: details,
				},
				User: []byte(`{"userID":"shop/checkout"}`),
			},
			want: `{"eventName":"statsig::gate_exposure","value":null,
				"metadata":{"gate":"new_checkout","gateValue":"true","ruleID":"rule1","reason":"Network:Recognized",
					"lcut":"1767981029384","receivedAt":"1795186904149","configVersion":"70"},
				"statsigMetadata":{},"user":{"userID":"shop/checkout"},"time":1795186904150,
				"secondaryExposures":[{"gate":"holdout","gateValue":"false","ruleID":"h"},{"gate":"holdout","gateValue":"false","ruleID":"h"}]}`,
		},
		"an unknown gate has an empty rule and no version": {
			exposure: Exposure{Result: eval.Result{
				Ref:     eval.Ref{Kind: eval.KindGate, Name: "no_such_gate"},
				Version: -1,
				Details: eval.Details{Source: "Network", Reason: eval.ReasonUnrecognized, LCUT: 5},
			}},
			want: `{"eventName":"statsig::gate_exposure","value":null,
				"metadata":{"gate":"no_such_gate","gateValue":"false","ruleID":"","reason":"Network:Unrecognized","lcut":"5"},
				"statsigMetadata":{},"user":{},"time":1795186904150,"secondaryExposures":[]}`,
		},
		"an exposure before there is a document says nothing of one": {
			exposure: Exposure{Result: eval.Result{
				Ref: eval.Ref{Kind: eval.KindGate, Name: "early"}, Version: -1, Details: eval.Details{Reason: "NoValues"},
			}},
			want: `{"eventName":"statsig::gate_exposure","value":null,
				"metadata":{"gate":"early","gateValue":"false","ruleID":"","reason":"NoValues"},
				"statsigMetadata":{},"user":{},"time":1795186904150,"secondaryExposures":[]}`,
		},
		"a document may have the time 0": {
			exposure: Exposure{Result: eval.Result{
				Ref: eval.Ref{Kind: eval.KindGate, Name: "old"}, Version: -1,
				Details: eval.Details{Source: "Bootstrap", Reason: eval.ReasonRecognized, ReceivedAt: time.UnixMilli(1795186904149)},
			}},
			want: `{"eventName":"statsig::gate_exposure","value":null,
				"metadata":{"gate":"old","gateValue":"false","ruleID":"","reason":"Bootstrap:Recognized","lcut":"0","receivedAt":"1795186904149"},
				"statsigMetadata":{},"user":{},"time":1795186904150,"secondaryExposures":[]}`,
		},
		"an overridden config passed no rule": {
			exposure: Exposure{Result: eval.Result{
				Ref: eval.Ref{Kind: eval.KindDynamicConfig, Name: "limits"}, RuleID: "override", Version: -1,
				Details: eval.Details{Source: eval.SourceLocalOverride, Reason: eval.ReasonRecognized, LCUT: 5},
			}},
			want: `{"eventName":"statsig::config_exposure","value":null,
				"metadata":{"config":"limits","rulePassed":"false","ruleID":"override","reason":"LocalOverride:Recognized","lcut":"5"},
				"statsigMetadata":{},"user":{},"time":1795186904150,"secondaryExposures":[]}`,
		},
		"a dynamic config says whether a rule passed": {
			exposure: Exposure{Result: eval.Result{
				Ref: eval.Ref{Kind: eval.KindDynamicConfig, Name: "limits"}, RuleID: "default", Version: 1, Details: details,
			}},
			want: `{"eventName":"statsig::config_exposure","value":null,
				"metadata":{"config":"limits","rulePassed":"false","ruleID":"default","reason":"Network:Recognized",
					"lcut":"1767981029384","receivedAt":"1795186904149","configVersion":"1"},
				"statsigMetadata":{},"user":{},"time":1795186904150,"secondaryExposures":[]}`,
		},
		"an experiment says so too, and names the experiment it was mapped to": {
			exposure: Exposure{Result: eval.Result{
				Ref: eval.Ref{Kind: eval.KindExperiment, Name: "color"}, Pass: true, RuleID: "g1", Version: 0,
				OverrideConfigName: "color_v2", Details: details,
			}},
			want: `{"eventName":"statsig::config_exposure","value":null,
				"metadata":{"config":"color","rulePassed":"true","ruleID":"g1","reason":"Network:Recognized","lcut":"1767981029384",
					"receivedAt":"1795186904149","configVersion":"0","overrideConfigName":"color_v2"},
				"statsigMetadata":{},"user":{},"time":1795186904150,"secondaryExposures":[]}`,
		},
		"a manual experiment exposure does not": {
			exposure: Exposure{Manual: true, Result: eval.Result{
				Ref: eval.Ref{Kind: eval.KindExperiment, Name: "color"}, Pass: true, RuleID: "g1", Version: -1, Details: details,
			}},
			want: `{"eventName":"statsig::config_exposure","value":null,
				"metadata":{"config":"color","ruleID":"g1","reason":"Network:Recognized","lcut":"1767981029384",
					"receivedAt":"1795186904149","isManualExposure":"true"},
				"statsigMetadata":{},"user":{},"time":1795186904150,"secondaryExposures":[]}`,
		},
		"an explicit layer parameter counts for the allocated experiment": {
			exposure: Exposure{Result: layer, Parameter: "model"},
			want: `{"eventName":"statsig::layer_exposure","value":null,
				"metadata":{"config":"ranking","parameterName":"model","allocatedExperiment":"ranking_test","isExplicitParameter":"true",
					"ruleID":"rule3","reason":"Network:Recognized","lcut":"1767981029384","receivedAt":"1795186904149","configVersion":"4"},
				"statsigMetadata":{},"user":{},"time":1795186904150,
				"secondaryExposures":[{"gate":"holdout","gateValue":"false","ruleID":"h"},{"gate":"inner","gateValue":"true","ruleID":"i"}]}`,
		},
		"any other layer parameter has no experiment and the undelegated exposures": {
			exposure: Exposure{Result: layer, Parameter: "depth"},
			want: `{"eventName":"statsig::layer_exposure","value":null,
				"metadata":{"config":"ranking","parameterName":"depth","allocatedExperiment":"","isExplicitParameter":"false",
					"ruleID":"rule3","reason":"Network:Recognized","lcut":"1767981029384","receivedAt":"1795186904149","configVersion":"4"},
				"statsigMetadata":{},"user":{},"time":1795186904150,
				"secondaryExposures":[{"gate":"holdout","gateValue":"false","ruleID":"h"}]}`,
		},
		"a layer that met no gate has no list of exposures": {
			exposure: Exposure{Parameter: "depth", Result: eval.Result{
				Ref: eval.Ref{Kind: eval.KindLayer, Name: "ranking"}, Value: `{"depth":3}`, RuleID: "default", Version: 2, Details: details,
			}},
			want: `{"eventName":"statsig::layer_exposure","value":null,
				"metadata":{"config":"ranking","parameterName":"depth","allocatedExperiment":"","isExplicitParameter":"false",
					"ruleID":"default","reason":"Network:Recognized","lcut":"1767981029384","receivedAt":"1795186904149","configVersion":"2"},
				"statsigMetadata":{},"user":{},"time":1795186904150,"secondaryExposures":null}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := appendExposure(nil, &tc.exposure, time.UnixMilli(1795186904150))
			if diff := cmp.Diff(decodeJSON(t, []byte(tc.want)), decodeJSON(t, got)); diff != "" {
				t.Errorf("event differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCustomEventIsEncodedLikeTheOfficialSDK(t *testing.T) {
	long := strings.Repeat("long", 2048)
	tests := map[string]struct {
		event CustomEvent
		want  string
	}{
		"an event may be a bare name": {
			event: CustomEvent{Name: "plain"},
			want: `{"eventName":"plain","value":null,"metadata":null,"statsigMetadata":null,"user":{},"time":7,
				"secondaryExposures":null}`,
		},
		"metadata keeps its types": {
			event: CustomEvent{
				Name:     "rollout finished",
				User:     []byte(`{"userID":"u"}`),
				Value:    Number(12.5),
				Metadata: map[string]Value{"z": {}, "b": Bool(true), "n": Number(1), "s": String("a \"quoted\"\nline")},
			},
			want: `{"eventName":"rollout finished","value":12.5,
				"metadata":{"z":null,"b":true,"n":1,"s":"a \"quoted\"\nline"},
				"statsigMetadata":null,"user":{"userID":"u"},"time":7,"secondaryExposures":null}`,
		},
		"a value may be text": {
			event: CustomEvent{Name: "e", Value: String("v"), Metadata: map[string]Value{}},
			want: `{"eventName":"e","value":"v","metadata":{},"statsigMetadata":null,"user":{},"time":7,
				"secondaryExposures":null}`,
		},
		"a value may be any number": {
			event: CustomEvent{Name: "e", Value: Number(-0.25)},
			want: `{"eventName":"e","value":-0.25,"metadata":null,"statsigMetadata":null,"user":{},"time":7,
				"secondaryExposures":null}`,
		},
		"a boolean value is sent as text, which Statsig takes": {
			event: CustomEvent{Name: "e", Value: Bool(true)},
			want: `{"eventName":"e","value":"true","metadata":null,"statsigMetadata":null,"user":{},"time":7,
				"secondaryExposures":null}`,
		},
		"nothing is cut, however long": {
			event: CustomEvent{Name: long, Value: String(long), Metadata: map[string]Value{long: String(long)}},
			want: `{"eventName":"` + long + `","value":"` + long + `","metadata":{"` + long + `":"` + long + `"},"statsigMetadata":null,
				"user":{},"time":7,"secondaryExposures":null}`,
		},
		"a number that JSON cannot spell is null": {
			event: CustomEvent{Name: "e", Value: Number(math.Inf(1)), Metadata: map[string]Value{"n": Number(math.NaN())}},
			want: `{"eventName":"e","value":null,"metadata":{"n":null},"statsigMetadata":null,"user":{},"time":7,
				"secondaryExposures":null}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := appendCustomEvent(nil, &tc.event, time.UnixMilli(7))
			if diff := cmp.Diff(decodeJSON(t, []byte(tc.want)), decodeJSON(t, got)); diff != "" {
				t.Errorf("event differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumbersAreSpelledAsJSONEncodersDo(t *testing.T) {
	for _, n := range []float64{0, 3, -3, 12.5, 1e-6, 9e-7, 1e20, 1e21, 123456789012345680, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		want, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		var back float64
		got := appendValue(nil, Number(n))
		if err := json.Unmarshal(got, &back); err != nil || back != n {
			t.Errorf("number %s is sent as %s", want, got)
		}
		if !strings.Contains(string(want), "e") && string(got) != string(want) {
			t.Errorf("number %s is sent as %s", want, got)
		}
	}
}

func FuzzStringsAreEncodedAsJSON(f *testing.F) {
	for _, s := range []string{"", "plain", `quote " back \ slash /`, "tab\tnul\x00 del\x7f", "ünï 漢字 😀", "\u2028<&>", "cut \xe6\xbc", "\xff", "\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatalf("string %q is not JSON: %v", s, err)
		}
		// Each byte that is not UTF-8 turns into a replacement character, as ranging over a string does it.
		if want := string([]rune(s)); got != want {
			t.Errorf("string %q reads back as %q, want %q", s, got, want)
		}
	})
}

func decodeJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	return v
}
