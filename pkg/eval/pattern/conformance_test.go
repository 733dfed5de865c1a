package pattern_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval/pattern"
)

// recorded holds what Statsig's Server Core answered: which texts of the users each expression matches.
type recorded struct {
	// texts are the custom values of the users; nil where the value is no string.
	texts []*string
	// passes is true for each user whom the gate of the expression lets pass.
	passes map[string][]bool
}

// TestConformance checks every pair of an expression and a text that Server Core was asked about. Each gate of the
// document has one rule with one str_matches condition, so that its value is the answer.
func TestConformance(t *testing.T) {
	rec := readRecorded(t, filepath.FromSlash("../../../testdata/conformance/fuzz/op_str_matches"))
	checked := 0
	for expr, passes := range rec.passes {
		p, err := pattern.Compile(expr)
		for i, text := range rec.texts {
			if text == nil {
				continue
			}
			checked++
			if got := err == nil && p.Match(*text); got != passes[i] {
				t.Errorf("%q on %q = %v, want %v (compile error: %v)", expr, *text, got, passes[i], err)
			}
		}
	}
	if want := 4000; checked < want {
		t.Errorf("checked %d pairs, want at least %d", checked, want)
	}
}

func readRecorded(t *testing.T, prefix string) recorded {
	t.Helper()
	rec := recorded{passes: make(map[string][]bool)}
	for line := range lines(t, prefix+".users.jsonl.gz") {
		var user struct {
			Custom map[string]any `json:"custom"`
		}
		unmarshal(t, line, &user)
		if s, ok := user.Custom["f"].(string); ok {
			rec.texts = append(rec.texts, &s)
		} else {
			rec.texts = append(rec.texts, nil)
		}
	}
	exprs := readExpressions(t, prefix+".dcs.json.gz")
	for line := range lines(t, prefix+".expected.jsonl.gz") {
		var entity struct {
			Idx   []int `json:"idx"`
			Name  string
			Table []struct {
				Get struct{ Value bool }
			}
		}
		unmarshal(t, line, &entity)
		expr, ok := exprs[entity.Name]
		if !ok {
			continue
		}
		for _, i := range entity.Idx {
			rec.passes[expr] = append(rec.passes[expr], entity.Table[i].Get.Value)
		}
	}
	return rec
}

// readExpressions returns the expression of each gate whose target is a string.
func readExpressions(t *testing.T, path string) map[string]string {
	t.Helper()
	var doc struct {
		Gates map[string]struct {
			Rules []struct{ Conditions []string }
		} `json:"feature_gates"`
		Conditions map[string]struct{ TargetValue any } `json:"condition_map"`
	}
	data, err := io.ReadAll(open(t, path))
	if err != nil {
		t.Fatal(err)
	}
	unmarshal(t, data, &doc)
	exprs := make(map[string]string)
	for name, gate := range doc.Gates {
		if expr, ok := doc.Conditions[gate.Rules[0].Conditions[0]].TargetValue.(string); ok {
			exprs[name] = expr
		}
	}
	return exprs
}

func lines(t *testing.T, path string) func(yield func([]byte) bool) {
	t.Helper()
	return func(yield func([]byte) bool) {
		scanner := bufio.NewScanner(open(t, path))
		scanner.Buffer(nil, 1<<24)
		for scanner.Scan() {
			if !yield(bytes.Clone(scanner.Bytes())) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, path string) io.Reader {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	zr, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	return zr
}

func unmarshal(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
