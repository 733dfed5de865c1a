package eval_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// readAs checks what one text reads as; a text of another kind reads as the fallback.
func readAs[T eval.Readable](t *testing.T, text string, fallback, want T, wantOK bool) {
	t.Helper()
	got, ok := eval.As(text, fallback)
	if diff := cmp.Diff(want, got); diff != "" || ok != wantOK {
		t.Errorf("As(%s, %#v): ok %t, want %t; value (-want +got):\n%s", text, fallback, ok, wantOK, diff)
	}
}

func TestParametersAreReadByKind(t *testing.T) {
	readAs(t, `true`, false, true, true)
	readAs(t, `false`, true, false, true)
	readAs(t, `"blue"`, "red", "blue", true)
	readAs(t, `"a\"\u00e9"`, "", `a"é`, true)
	readAs(t, `""`, "red", "", true)
	readAs(t, `5`, 1, 5, true)
	readAs(t, `-5`, int64(1), int64(-5), true)
	readAs(t, `9223372036854775807`, int64(1), int64(9_223_372_036_854_775_807), true)
	readAs(t, `5`, 1.5, 5, true)
	readAs(t, `0.9999999999999991`, 1.5, 0.9999999999999991, true)
	readAs(t, `1E3`, 1.5, 1000, true)
	readAs(t, `[1,"a",null]`, nil, []any{json.Number("1"), "a", nil}, true)
	readAs(t, `[]`, []any{1}, []any{}, true)
	readAs(t, `{"a":{"b":[true]}}`, nil, map[string]any{"a": map[string]any{"b": []any{true}}}, true)
}

func TestParametersOfAnotherKindReadAsTheFallback(t *testing.T) {
	every := []string{``, `null`, `true`, `"5"`, `5`, `1.5`, `[5]`, `{"a":5}`}
	for _, text := range every {
		if text != `true` {
			readAs(t, text, true, true, false)
		}
		if text != `"5"` {
			readAs(t, text, "fallback", "fallback", false)
		}
		if text != `5` {
			readAs(t, text, 7, 7, false)
			readAs(t, text, int64(7), int64(7), false)
		}
		if text != `5` && text != `1.5` {
			readAs(t, text, 7.5, 7.5, false)
		}
		if text != `[5]` {
			readAs(t, text, []any{"fallback"}, []any{"fallback"}, false)
		}
		if text != `{"a":5}` {
			readAs(t, text, map[string]any{"fallback": 1}, map[string]any{"fallback": 1}, false)
		}
	}
}

func TestOnlyWholeNumbersThatFitAreIntegers(t *testing.T) {
	for _, text := range []string{`1.0`, `1e3`, `-0`, `9223372036854775808`, `-9223372036854775809`, `123456789012345678901234567890`} {
		readAs(t, text, int64(7), int64(7), false)
		readAs(t, text, 7, 7, false)
		if _, ok := eval.As(text, 7.5); !ok {
			t.Errorf("%s is no number", text)
		}
	}
}
