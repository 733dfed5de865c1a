package eval_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

const blankResponse = `{"feature_gates":{},"dynamic_configs":{},"layer_configs":{},"time":0,"has_updates":false,` +
	`"hash_used":"","sdkParams":{},"evaluated_keys":{},"param_stores":{}}`

func responseDocument() *evaltest.Document {
	return evaltest.NewDocument().Add(
		evaltest.NewGate("a").Rule(evaltest.NewRule("r")).With("targetAppIDs", []string{"app"}),
		evaltest.NewGate("b").Rule(evaltest.NewRule("nested").When(evaltest.PassGate("a"), evaltest.PassGate("a"))),
		evaltest.NewGate("off"),
	)
}

func entryNames(tb testing.TB, response []byte, section string) []string {
	tb.Helper()
	var m map[string]json.RawMessage
	mustUnmarshal(tb, response, &m)
	var entries map[string]any
	mustUnmarshal(tb, m[section], &entries)
	names := []string{}
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestOptionsLeaveEntriesOutOfTheClientInitializeResponse(t *testing.T) {
	overrides := &eval.Overrides{}
	overrides.Gate("off", true)
	e := eval.NewEvaluator(evaltest.Compile(t, responseDocument()), eval.Options{Overrides: overrides})
	tests := map[string]struct {
		options eval.ClientInitializeOptions
		want    []string
	}{
		"all gates appear by default": {options: eval.ClientInitializeOptions{}, want: []string{"a", "b", "off"}},
		"gates for other apps are left out": {
			options: eval.ClientInitializeOptions{TargetAppID: "app"}, want: []string{"a"},
		},
		"gates that are not wanted are left out": {
			options: eval.ClientInitializeOptions{Include: func(r eval.Ref) bool { return r.Name != "a" }},
			want:    []string{"b", "off"},
		},
		"gates with their default value are left out, local overrides notwithstanding": {
			options: eval.ClientInitializeOptions{RemoveDefaultValueGates: true}, want: []string{"a", "b"},
		},
		"a local override counts when it is asked for": {
			options: eval.ClientInitializeOptions{RemoveDefaultValueGates: true, IncludeLocalOverrides: true},
			want:    []string{"a", "b", "off"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.options.Hash = eval.HashNone
			response := e.AppendClientInitialize(nil, nil, evaluatedAt, tc.options)
			if diff := cmp.Diff(tc.want, entryNames(t, response, "feature_gates")); diff != "" {
				t.Errorf("gates (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAClientWithTheSameResponseGetsABlankOne(t *testing.T) {
	e := eval.NewEvaluator(evaltest.Compile(t, responseDocument()), eval.Options{})
	o := eval.ClientInitializeOptions{PreviousResponseHash: "other"}
	var first struct {
		Checksum string `json:"full_checksum"`
	}
	mustUnmarshal(t, e.AppendClientInitialize(nil, nil, evaluatedAt, o), &first)
	o.PreviousResponseHash = first.Checksum
	if got := string(e.AppendClientInitialize([]byte("x"), nil, evaluatedAt, o)); got != "x"+blankResponse {
		t.Errorf("response = %s, want a blank one", got)
	}
}

func TestACircleMakesTheClientInitializeResponseBlank(t *testing.T) {
	d := responseDocument().Add(evaltest.NewGate("c").Rule(evaltest.NewRule("r").When(evaltest.PassGate("c"))))
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	if got := string(e.AppendClientInitialize(nil, nil, evaluatedAt, eval.ClientInitializeOptions{})); got != blankResponse {
		t.Errorf("response = %s, want a blank one", got)
	}
}

func TestEqualCallsGiveEqualClientInitializeResponses(t *testing.T) {
	e := benchEvaluator(t)
	u := eval.NewUser(benchUser(1))
	for format := eval.ResponseV1; format <= eval.ResponseInitV2; format++ {
		o := eval.ClientInitializeOptions{Format: format}
		first := e.AppendClientInitialize(nil, u, evaluatedAt, o)
		if !json.Valid(first) {
			t.Fatalf("response is not JSON: %s", first)
		}
		if second := e.AppendClientInitialize(nil, u, evaluatedAt, o); !bytes.Equal(first, second) {
			t.Errorf("responses differ:\n%s\n%s", first, second)
		}
	}
}

func TestSessionReplaySettingsAppear(t *testing.T) {
	text := bytes.Replace(responseDocument().JSON(t), []byte("{"), []byte(`{"session_replay_info":{"sampling_rate":0.0,`+
		`"targeting_gate":"a","recording_blocked":false,"session_recording_event_triggers":{"e":{"values":["v"],`+
		`"sampling_rate":1}}},`), 1)
	e := eval.NewEvaluator(compile(t, text), eval.Options{})
	var got map[string]any
	mustUnmarshal(t, e.AppendClientInitialize(nil, nil, evaluatedAt, eval.ClientInitializeOptions{}), &got)
	for name, want := range map[string]any{
		"can_record_session": false, "session_recording_rate": 0.0, "recording_blocked": false,
		"passes_session_recording_targeting": true,
		"session_recording_event_triggers":   map[string]any{"e": map[string]any{"values": []any{"v"}, "passes_sampling": true}},
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func BenchmarkClientInitialize(b *testing.B) {
	u := eval.NewUser(benchUser(1))
	e := benchEvaluator(b)
	if dir := os.Getenv("CONFORMANCE_DIR"); dir != "" {
		text := readFile(b, filepath.Join(dir, "..", "data", "eval_proj_dcs.json"))
		e = eval.NewEvaluator(compile(b, text), everything(nil))
	}
	for format := eval.ResponseV1; format <= eval.ResponseInitV2; format++ {
		b.Run(fmt.Sprint("format ", format), func(b *testing.B) {
			var buffer []byte
			b.ReportAllocs()
			for b.Loop() {
				buffer = e.AppendClientInitialize(buffer[:0], u, evaluatedAt, eval.ClientInitializeOptions{Format: format})
			}
			b.ReportMetric(float64(len(buffer)), "bytes")
		})
	}
}
