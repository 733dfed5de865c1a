package eval_test

import (
	"errors"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func TestWhatIsRefusedIsMalformed(t *testing.T) {
	tests := map[string]string{
		"nothing":                    "",
		"text that is no JSON":       "{",
		"another JSON value":         "[]",
		"an object without sections": "{}",
		"a bad condition":            `{"has_updates":true,"time":1,"feature_gates":{},"dynamic_configs":{},"layer_configs":{},"condition_map":{"c":5},"experiment_to_layer":{}}`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := eval.Decode([]byte(text)); !errors.Is(err, eval.ErrMalformed) {
				t.Errorf("Decode: %v, want ErrMalformed", err)
			}
		})
	}
}

func TestADocumentWithoutUpdatesCannotBeCompiled(t *testing.T) {
	d, err := eval.Decode([]byte(`{"has_updates":false}`))
	if err != nil || d.HasUpdates() {
		t.Fatalf("Decode: %v", err)
	}
	if _, err := eval.Compile(d, eval.Origin{Source: "Network"}); !errors.Is(err, eval.ErrMalformed) {
		t.Errorf("Compile: %v, want ErrMalformed", err)
	}
}

func TestProblemsNameTheSpecsLeftOut(t *testing.T) {
	doc := `{"has_updates":true,"time":1,"feature_gates":{"bad":{"type":"feature_gate"}},` +
		`"dynamic_configs":{"worse":5},"layer_configs":{},"condition_map":{},"experiment_to_layer":{}}`
	d, err := eval.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	problems := d.Problems()
	if len(problems) != 2 {
		t.Fatalf("problems %+v, want two", problems)
	}
	want := eval.Problem{Kind: eval.KindGate, Name: "bad", Message: `missing field "salt"`}
	if problems[0] != want {
		t.Errorf("problem %+v, want %+v", problems[0], want)
	}
	if problems[1].Name != "worse" || problems[1].Kind != eval.KindDynamicConfig {
		t.Errorf("problem %+v, want one of dynamic config worse", problems[1])
	}
}
