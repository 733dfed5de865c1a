package events

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

// TestALoggerSendsWhatTheOfficialSDKSends makes the calls of a recorded session again and compares all that was sent, in
// order: what is left out as a repetition, manual exposures, custom events and counted checks included. The recording was
// made with a real project, whose document is not part of this repository.
func TestALoggerSendsWhatTheOfficialSDKSends(t *testing.T) {
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set")
	}
	document, err := os.ReadFile(filepath.Join(dir, "..", "data", "eval_proj_dcs.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := recordedSession(t, filepath.Join(dir, "transcripts", "node-core.exposures_and_events.jsonl"))
	evaluator := newEvaluator(t, document, eval.Options{Environment: "development", UserAgent: useragent.FirstParty{}, Country: country.New()})
	user := parseUser(t, want[0]["user"])
	loggable := evaluator.LoggableUser(nil, user)

	got, _ := capture(t, Options{RepeatEvery: SDKRepeatEvery}, func(_ *testing.T, l *Logger) {
		var recorder eval.Recorder
		expose := func(kind eval.Kind, name, parameter string, manual bool) {
			r := evaluator.Evaluate(eval.Ref{Kind: kind, Name: name}, user, time.UnixMilli(1795186904150), &recorder)
			l.Expose(Exposure{Result: r, Parameter: parameter, User: loggable, Manual: manual})
		}
		for _, gate := range []string{"test_public", "no_such_gate", "segment:a_segment", "test_nested_gate_condition"} {
			expose(eval.KindGate, gate, "", false)
		}
		l.CountCheck("test_50_50")
		expose(eval.KindDynamicConfig, "test_email_config", "", false)
		expose(eval.KindDynamicConfig, "no_such_config", "", false)
		expose(eval.KindExperiment, "test_exp_50_50_with_targeting", "", false)
		expose(eval.KindExperiment, "test_switchback", "", false)
		for _, parameter := range []string{"layer_param", "layer_param", "another_param", "no_such_param"} {
			expose(eval.KindLayer, "test_layer", parameter, false)
		}
		expose(eval.KindLayer, "no_such_layer", "layer_param", false)
		l.CountCheck("test_parameter_store")
		expose(eval.KindGate, "test_public", "", true)
		expose(eval.KindDynamicConfig, "test_email_config", "", true)
		expose(eval.KindExperiment, "test_switchback", "", true)
		expose(eval.KindLayer, "test_layer", "layer_param", true)
		l.Log(CustomEvent{Name: "plain", User: loggable})
		l.Log(CustomEvent{Name: "with_str", User: loggable, Value: String("v"), Metadata: map[string]Value{"a": String("b")}})
		l.Log(CustomEvent{Name: "with_num", User: loggable, Value: Number(12.5), Metadata: map[string]Value{"z": {}, "b": Bool(true), "n": Number(1)}})
		l.Log(CustomEvent{Name: "with_int", User: loggable, Value: Number(3)})
		l.Log(CustomEvent{Name: "empty_user", User: evaluator.LoggableUser(nil, parseUser(t, map[string]any{"userID": ""}))})
		l.Log(CustomEvent{Name: "statsig::identify", User: loggable})
	})
	for _, events := range [][]map[string]any{want, got} {
		for _, e := range events {
			delete(e, "time")
			if m, ok := e["metadata"].(map[string]any); ok {
				delete(m, "receivedAt")
				if text, ok := m["checks"].(string); ok {
					m["checks"] = decodeJSON(t, []byte(text)) // its members come in any order
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
}

// recordedSession returns the events of a transcript, without those that tell of the SDK's own doings.
func recordedSession(t *testing.T, path string) []map[string]any {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var recorded []map[string]any
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var exchange struct{ Body json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &exchange); err != nil {
			t.Fatal(err)
		}
		var body struct{ Events []map[string]any }
		if json.Unmarshal(exchange.Body, &body) != nil {
			continue // a request without events
		}
		for _, e := range body.Events {
			if e["eventName"] != "statsig::diagnostics" {
				recorded = append(recorded, e)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(recorded) == 0 {
		t.Fatal("the recording holds no events")
	}
	return recorded
}

func parseUser(t *testing.T, object any) *eval.User {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	user, err := eval.ParseUser(text)
	if err != nil {
		t.Fatal(err)
	}
	return user
}
