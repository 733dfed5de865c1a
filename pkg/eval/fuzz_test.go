package eval_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// FuzzDecodeCompileEvaluate takes any text for a document: nothing may panic, and values must be JSON objects.
func FuzzDecodeCompileEvaluate(f *testing.F) {
	for _, line := range readLines(f, filepath.Join(conformanceData, "malformed", "malformed_docs.jsonl.gz"))[:60] {
		var seed malformedDocument
		mustUnmarshal(f, line, &seed)
		f.Add([]byte(seed.Doc))
	}
	f.Add([]byte(v1Document))
	f.Add(diffDocument(nil).JSON(f))
	f.Add(layerDocument(evaltest.NewLayer("l").With("useNewLayerEval", true).Rule(evaltest.NewRule("r").Delegate("exp"))).JSON(f))
	f.Add(banditDocument(func(values) {}).JSON(f))
	u := eval.NewUser(eval.UserAttributes{
		UserID: "u", Email: "a@example.com", Country: "DE", IP: "8.8.8.8", UserAgent: "agent", AppVersion: "1.2.3",
		CustomIDs: map[string]string{"companyID": "c"},
		Custom:    values{"f": "a", "level": 5, "list": []any{"a", 1, nil}, "map": values{"a": 1}, "when": "2026-01-15 12:00:00"},
	})
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := eval.Decode(text)
		if err != nil {
			return
		}
		s, err := eval.Compile(d, eval.Origin{Source: "Network"})
		if err != nil {
			return
		}
		exercise(t, s, u)
	})
}

// exercise uses all of a snapshot.
func exercise(t *testing.T, s *eval.Snapshot, u *eval.User) {
	t.Helper()
	e := eval.NewEvaluator(s, eval.Options{UserAgent: fixedAgent{}, Country: fixedCountry{}, IDLists: idLists{}})
	var rec eval.Recorder
	for _, r := range eval.Diff(nil, s).Refs() {
		s.Closure(r)
		if next, ok := s.NextBoundary(r, evaluatedAt); ok && !next.After(evaluatedAt) {
			t.Errorf("%v: boundary %v is not after now", r, next)
		}
		if r.Kind == eval.KindParameterStore {
			e.Parameter(r.Name, "p", u, evaluatedAt, &rec)
			continue
		}
		res := e.Evaluate(r, u, evaluatedAt, &rec)
		if res.Value != "" && (res.Value[0] != '{' || !json.Valid([]byte(res.Value))) {
			t.Errorf("%v: value %q is no JSON object", r, res.Value)
		}
		if bare := e.Evaluate(r, u, evaluatedAt, nil); bare.Pass != res.Pass || bare.RuleID != res.RuleID || bare.Value != res.Value {
			t.Errorf("%v: %+v without exposures, %+v with them", r, bare, res)
		}
	}
	if c := eval.Diff(s, s); !c.Empty() {
		t.Errorf("a snapshot differs from itself: %v", c.Refs())
	}
}

// FuzzConditions takes any operator, target and user value: nothing may panic.
func FuzzConditions(f *testing.F) {
	operators := []string{
		"gt", "lte", "version_gt", "version_neq", "any", "none", "any_case_sensitive", "str_starts_with_any",
		"str_contains_none", "str_matches", "eq", "neq", "before", "on", "in_segment_list", "array_contains_any",
		"not_array_contains_all",
	}
	for i, target := range []string{`["a","A"]`, `5`, `"1.2.3"`, `null`, `{"a":1}`, `"^a(?=b)"`, `"2026-01-15T12:00:00Z"`} {
		f.Add(operators[i], target, `{"custom":{"f":"a"}}`)
		f.Add(operators[i+len(operators)/2], target, `{"custom":{"f":[1,null,{"x":2}]}}`)
	}
	f.Fuzz(func(t *testing.T, operator, target, user string) {
		u, err := eval.ParseUser([]byte(user))
		if err != nil || !json.Valid([]byte(target)) || !utf8.ValidString(target) {
			return
		}
		d := evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(
			evaltest.UserFieldValue("f", operator, json.RawMessage(target)),
			evaltest.CurrentTime(operator, json.RawMessage(target)),
		)))
		exercise(t, compile(t, d.JSON(t)), u)
		e := eval.NewEvaluator(compile(t, d.JSON(t)), eval.Options{})
		if !json.Valid(e.LoggableUser(nil, u)) {
			t.Errorf("loggable user of %q is no JSON", user)
		}
	})
}
