package eval_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// malformedDocument is a damaged or odd document, and what the official SDK made of it.
type malformedDocument struct {
	Case string `json:"case"`
	Doc  string `json:"doc"`
	Init struct {
		IsSuccess bool `json:"isSuccess"`
	} `json:"init"`
	Gate   answer     `json:"g"`
	Gate2  answer     `json:"g2"`
	Config answer     `json:"c"`
	Layer  answer     `json:"l"`
	Lists  [][]string `json:"lists"`
}

// acceptedMore are documents that the official SDK refuses and this package reads.
var acceptedMore = map[string]string{
	"v1_arrays": "documents of the v1 form are normalised here; Server Core doesn't know them",
}

func TestMalformedDocumentsAreTreatedAsByTheOfficialSDK(t *testing.T) {
	lines := readLines(t, filepath.Join(conformanceData, "malformed", "malformed_docs.jsonl.gz"))
	for _, line := range lines {
		var tc malformedDocument
		mustUnmarshal(t, line, &tc)
		t.Run(tc.Case, func(t *testing.T) {
			if reason, ok := acceptedMore[tc.Case]; ok {
				t.Skip(reason)
			}
			tc.check(t)
		})
	}
}

func (tc *malformedDocument) check(t *testing.T) {
	t.Helper()
	d, err := eval.Decode([]byte(tc.Doc))
	if (err == nil) != tc.Init.IsSuccess {
		t.Fatalf("Decode: %v, want success %t", err, tc.Init.IsSuccess)
	}
	if err != nil {
		if !errors.Is(err, eval.ErrMalformed) {
			t.Errorf("error %v doesn't wrap ErrMalformed", err)
		}
		return
	}
	s, err := eval.Compile(d, eval.Origin{Source: "Network"})
	if !d.HasUpdates() {
		if !errors.Is(err, eval.ErrMalformed) {
			t.Errorf("Compile without updates: %v, want ErrMalformed", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, kind := range []eval.Kind{eval.KindGate, eval.KindDynamicConfig} {
		slices.Sort(tc.Lists[i])
		if got := s.Names(kind); !slices.Equal(got, tc.Lists[i]) {
			t.Errorf("Names(%v) = %q, want %q", kind, got, tc.Lists[i])
		}
	}
	u := eval.NewUser(eval.UserAttributes{UserID: "u", Custom: map[string]any{"f": "a"}})
	r := &groupRun{t: t, group: conformanceGroup{name: tc.Case}, decoded: map[string]any{}}
	r.evaluator = eval.NewEvaluator(s, eval.Options{})
	r.users, r.instants = []*eval.User{u}, append(r.instants, evaluatedAt)
	compare := func(kind, name string) *comparison { return &comparison{run: r, kind: kind, name: name} }
	compare("gate", "g").gate(&tc.Gate, r.evaluate(eval.KindGate, "g", 0))
	compare("gate", "g2").gate(&tc.Gate2, r.evaluate(eval.KindGate, "g2", 0))
	config := r.evaluate(eval.KindDynamicConfig, "c", 0)
	compare("config", "c").common(&tc.Config, &config)
	compare("config", "c").value(&tc.Config, config.Value)
	compare("layer", "l").config(&tc.Layer, r.evaluate(eval.KindLayer, "l", 0))
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
