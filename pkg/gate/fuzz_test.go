package gate

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzExpression looks for expressions that panic, that give neither an answer nor a problem, or whose verdicts are not
// bounded.
func FuzzExpression(f *testing.F) {
	for _, e := range expressions {
		f.Add(e.open)
	}
	for _, open := range []string{
		"gate(", "config('freeze')[config('freeze').state] == 3", "has(layer('ranking').model) || 'x' in parameterStore('ui')",
		"config('freeze').?tiers.?gold.rps.orValue(1.5) > 2", "namespace.metadata.labels['tier'] == cluster.name ? gate('no') : gate('odd')",
		"{'a': config('freeze')} == {'a': config('blank')}", "config('freeze').map(k, config('freeze')[k]).size() > 3",
		"'a' + config('freeze').state == \"b\" // x", "gate('loop') || gate('\\u0000')", "config('freeze').zones[-1] == 1",
	} {
		f.Add(open)
	}
	in := fixture(f)
	f.Fuzz(func(t *testing.T, open string) {
		references := References(open)
		e, err := Compile(open)
		if err != nil {
			checkMessage(t, err.Error())
			return
		}
		if len(references) != len(e.References()) {
			t.Errorf("references %v before it is compiled, %v afterwards", references, e.References())
		}
		got := e.Evaluate(in)
		if got.Problem == "" {
			checkMessage(t, got.Reason)
			return
		}
		checkMessage(t, got.Message)
		if got.Open || got.Reason != "" || got.Decisive != nil || strings.Contains(got.Message, "internal error") {
			t.Errorf("an expression without an answer gives %+v", got)
		}
	})
}

func checkMessage(t *testing.T, text string) {
	t.Helper()
	if text == "" || len(text) > 4*MaxReason || strings.ContainsAny(text, "\n\r") || !utf8.ValidString(text) {
		t.Errorf("no message for users: %q", text)
	}
}
