package events

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// A private attribute decides the gate and must not leave the process by any way.
func TestPrivateAttributesAreNotSent(t *testing.T) {
	const document = `{"has_updates":true,"time":1,"feature_gates":{"vip":{"type":"feature_gate","entity":"feature_gate","salt":"s",
		"enabled":true,"defaultValue":false,"idType":"userID","version":1,"rules":[{"name":"r","id":"rule1","salt":"r","passPercentage":100,
		"conditions":["c"],"returnValue":true,"idType":"userID"}]}},"dynamic_configs":{},"layer_configs":{},"experiment_to_layer":{},
		"condition_map":{"c":{"type":"user_field","operator":"any","targetValue":["hidden-value"],"field":"account","additionalValues":{},
		"idType":"userID"}}}`
	evaluator := newEvaluator(t, []byte(document), eval.Options{Environment: "production", GlobalCustomFields: map[string]any{"cluster": "eu1"}})
	user := eval.NewUser(eval.UserAttributes{
		UserID:            "shop/checkout",
		Custom:            map[string]any{"region": "eu"},
		PrivateAttributes: map[string]any{"account": "hidden-value"},
	})
	r := evaluator.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "vip"}, user, time.UnixMilli(0), nil)
	if !r.Pass {
		t.Fatalf("the private attribute did not decide the gate: %+v", r)
	}
	l := newLogger(mustOptions(t, Options{}), &fakeSender{})
	loggable := evaluator.LoggableUser(nil, user)
	l.Expose(Exposure{Result: r, User: loggable})
	l.Log(CustomEvent{Name: "done", User: loggable, Metadata: map[string]Value{}})
	events := takeEvents(t, l)
	want := map[string]any{
		"userID":             "shop/checkout",
		"custom":             map[string]any{"region": "eu", "cluster": "eu1"},
		"statsigEnvironment": map[string]any{"tier": "production"},
	}
	if len(events) != 2 {
		t.Fatalf("%d events, want 2", len(events))
	}
	for _, e := range events {
		if diff := cmp.Diff(want, e["user"]); diff != "" {
			t.Errorf("user of %s differs (-want +got):\n%s", e["eventName"], diff)
		}
		if text, _ := json.Marshal(e); strings.Contains(string(text), "hidden") || strings.Contains(string(text), "account") {
			t.Errorf("event holds the private attribute: %s", text)
		}
	}
}

func newEvaluator(t *testing.T, document []byte, o eval.Options) *eval.Evaluator {
	t.Helper()
	d, err := eval.Decode(document)
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	s, err := eval.Compile(d, eval.Origin{Source: "Network", ReceivedAt: time.UnixMilli(1795186904149)})
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return eval.NewEvaluator(s, o)
}

// takeEvents empties the logger's queue by way of a request body.
func takeEvents(t *testing.T, l *Logger) []map[string]any {
	t.Helper()
	var events []map[string]any
	for b := l.queue.take(true); b != nil; b = l.queue.take(true) {
		var body struct{ Events []map[string]any }
		if err := json.Unmarshal(gunzip(l.encoder.encode(b)), &body); err != nil {
			t.Fatalf("batch is not JSON: %v", err)
		}
		l.queue.resolve(b, nil)
		events = append(events, body.Events...)
	}
	for _, e := range events {
		delete(e, "time")
		delete(e["metadata"].(map[string]any), "receivedAt")
	}
	return events
}
