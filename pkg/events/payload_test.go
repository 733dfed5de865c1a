package events_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

func TestAppendExposure(t *testing.T) {
	gate := eval.Result{Ref: eval.Ref{Kind: eval.KindGate, Name: "g"}, Pass: true, RuleID: "r", Version: 3}
	layer := eval.Result{Ref: eval.Ref{Kind: eval.KindLayer, Name: "l"}, Value: `{"p":1}`, RuleID: "r", Version: -1, OverrideConfigName: "other"}
	gate.Details.Reason, layer.Details.Reason = eval.ReasonRecognized, eval.ReasonRecognized
	const (
		gateEvent = `{"eventName":"statsig::gate_exposure","value":null,"metadata":{"gate":"g","gateValue":"true","ruleID":"r",` +
			`"reason":"Recognized","configVersion":"3"},"statsigMetadata":{},"user":{"userID":"u"}`
		layerEvent = `{"eventName":"statsig::layer_exposure","value":null,"metadata":{"config":"l","parameterName":"p",` +
			`"allocatedExperiment":"","isExplicitParameter":"false","ruleID":"r","reason":"Recognized"},"statsigMetadata":{},"user":{}`
	)
	tests := map[string]struct {
		exposure events.Exposure
		want     string
		reason   string
	}{
		"without a time there is no time": {
			exposure: events.Exposure{Result: gate, User: []byte(`{"userID":"u"}`)}, want: gateEvent + `,"secondaryExposures":[]}`,
		},
		"a time is sent in milliseconds": {
			exposure: events.Exposure{Result: gate, User: []byte(`{"userID":"u"}`), Time: time.UnixMilli(5)},
			want:     gateEvent + `,"time":5,"secondaryExposures":[]}`,
		},
		"a layer doesn't tell what was put in its place": {
			exposure: events.Exposure{Result: layer, Parameter: "p"}, want: layerEvent + `,"secondaryExposures":null}`,
			reason: "gates and configs do",
		},
		"a layer without a parameter is no exposure": {exposure: events.Exposure{Result: layer}},
		"nothing is no exposure":                     {},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := string(events.AppendExposure([]byte("x"), tc.exposure))
			if diff := cmp.Diff("x"+tc.want, got); diff != "" {
				t.Errorf("AppendExposure %s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
