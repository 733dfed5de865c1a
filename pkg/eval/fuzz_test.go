package eval_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// maxSeed keeps recorded documents out that are so large that a fuzzer would spend its time on copying them.
const maxSeed = 32 << 10

// seedDocuments are documents of every form: damaged ones, recorded ones, and those that other tests build.
func seedDocuments(f *testing.F) [][]byte {
	f.Helper()
	documents := [][]byte{
		[]byte(v1Document), diffDocument(nil).JSON(f), overridesDocument().JSON(f), responseDocument().JSON(f),
		banditDocument(func(values) {}).JSON(f), manyReferences(f, 3),
		layerDocument(evaltest.NewLayer("l").With("useNewLayerEval", true).
			Rule(evaltest.NewRule("r").Delegate("exp"))).JSON(f),
	}
	for _, line := range readLines(f, filepath.Join(conformanceData, "malformed", "malformed_docs.jsonl.gz")) {
		var seed struct{ Doc string }
		mustUnmarshal(f, line, &seed)
		documents = append(documents, []byte(seed.Doc))
	}
	recorded, err := filepath.Glob(filepath.Join(conformanceData, "fuzz", "*.dcs.json.gz"))
	if err != nil || len(recorded) == 0 {
		f.Fatalf("no recorded documents: %v", err)
	}
	for _, name := range recorded {
		if text := bytes.Join(readLines(f, name), nil); len(text) <= maxSeed {
			documents = append(documents, text)
		}
	}
	return documents
}

// seedUsers have a value for every field that the seed documents look at.
var seedUsers = []string{
	`{"userID":"u","email":"a@example.com","country":"DE","ip":"8.8.8.8","userAgent":"agent","appVersion":"1.2.3",` +
		`"customIDs":{"companyID":"c"},"custom":{"f":"a","level":5,"list":["a",1,null],"map":{"a":1},` +
		`"when":"2026-01-15 12:00:00"},"privateAttributes":{"p":"x"},"statsigEnvironment":{"tier":"dev"}}`,
	`{"userID":7,"custom":{"f":1e21,"g":["\u0130",{}]},"customIDs":{"stableID":""}}`,
}

// FuzzDecode takes any text for a document: it is read, or refused with the error for that.
func FuzzDecode(f *testing.F) {
	for _, text := range seedDocuments(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := eval.Decode(text)
		again, errAgain := eval.DecodeString(string(text))
		if (err == nil) != (errAgain == nil) {
			t.Fatalf("Decode: %v, DecodeString: %v", err, errAgain)
		}
		if err != nil {
			if !errors.Is(err, eval.ErrMalformed) || err.Error() != errAgain.Error() {
				t.Fatalf("errors %v and %v, want equal ones that wrap ErrMalformed", err, errAgain)
			}
			return
		}
		if len(d.Problems()) != len(again.Problems()) || d.HasUpdates() != again.HasUpdates() {
			t.Error("Decode and DecodeString differ")
		}
	})
}

// FuzzCompile uses all of a snapshot that needs no user.
func FuzzCompile(f *testing.F) {
	for _, text := range seedDocuments(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := compileAny(text)
		if s == nil {
			return
		}
		for _, r := range eval.Diff(nil, s).Refs() {
			s.Closure(r)
			s.FieldsNeeded(r)
			if next, ok := s.NextBoundary(r, evaluatedAt); ok && !next.After(evaluatedAt) {
				t.Errorf("%v: boundary %v is not after now", r, next)
			}
		}
		for _, name := range append(s.Names(eval.KindExperiment), s.Autotunes()...) {
			if !s.Has(eval.Ref{Kind: eval.KindExperiment, Name: name}) {
				t.Errorf("experiment %q is listed and not known", name)
			}
		}
		if c := eval.Diff(s, s); !c.Empty() {
			t.Errorf("a snapshot differs from itself: %v", c.Refs())
		}
		if changed := compileAny(append(bytes.TrimSpace(text), ' ')); changed != nil && !eval.Diff(s, changed).Empty() {
			t.Error("a blank behind the document changes answers")
		}
	})
}

// compileAny returns nil for text that is no document with specs.
func compileAny(text []byte) *eval.Snapshot {
	d, err := eval.Decode(text)
	if err != nil {
		return nil
	}
	s, err := eval.Compile(d, eval.Origin{Source: "Network"})
	if err != nil {
		return nil
	}
	return s
}

// FuzzEvaluate asks any document everything, for any user: the answers are the same with and without exposures and a
// trace.
func FuzzEvaluate(f *testing.F) {
	for i, text := range seedDocuments(f) {
		f.Add(text, seedUsers[i%len(seedUsers)])
	}
	f.Fuzz(func(t *testing.T, text []byte, user string) {
		s := compileAny(text)
		u, err := eval.ParseUser([]byte(user))
		if s == nil || err != nil {
			return
		}
		exercise(t, s, u)
	})
}

// exercise evaluates everything that a snapshot knows or refers to.
func exercise(t *testing.T, s *eval.Snapshot, u *eval.User) {
	t.Helper()
	e := eval.NewEvaluator(s, eval.Options{UserAgent: fixedAgent{}, Country: fixedCountry{}, IDLists: idLists{}})
	var rec eval.Recorder
	for _, r := range eval.Diff(nil, s).Refs() {
		if r.Kind == eval.KindParameterStore {
			for _, parameter := range append(s.Parameters(r.Name), "p") {
				if p := e.Parameter(r.Name, parameter, u, evaluatedAt, &rec); p.Value != "" && !json.Valid([]byte(p.Value)) {
					t.Errorf("%v: parameter %q has value %q, which is no JSON", r, parameter, p.Value)
				}
			}
			continue
		}
		res := e.Evaluate(r, u, evaluatedAt, &rec)
		if res.Value != "" && (res.Value[0] != '{' || !json.Valid([]byte(res.Value))) {
			t.Errorf("%v: value %q is no JSON object", r, res.Value)
		}
		if bare := e.Evaluate(r, u, evaluatedAt, nil); !sameAnswer(&bare, &res) {
			t.Errorf("%v: %+v without exposures, %+v with them", r, bare, res)
		}
		if traced, _ := e.Explain(r, u, evaluatedAt); !sameAnswer(&traced, &res) {
			t.Errorf("%v: %+v explained, %+v evaluated", r, traced, res)
		}
		kept := eval.StickyValue{Value: res.Value, RuleID: res.RuleID, ConfigDelegate: res.ConfigDelegate}
		e.Stick(res, u, evaluatedAt, eval.Sticky{
			Values: map[string]eval.StickyValue{r.Name: kept}, EnforceOverrides: true, EnforceTargeting: true,
		})
	}
	if !json.Valid(e.LoggableUser(nil, u)) {
		t.Error("the loggable user is no JSON")
	}
}

func sameAnswer(a, b *eval.Result) bool {
	return a.Pass == b.Pass && a.RuleID == b.RuleID && a.Value == b.Value && a.GroupName == b.GroupName &&
		a.Details == b.Details
}

// FuzzClientInitialize makes responses of any document for any user: they are JSON, and the same each time.
func FuzzClientInitialize(f *testing.F) {
	for i, text := range seedDocuments(f) {
		f.Add(text, seedUsers[i%len(seedUsers)], uint16(i))
	}
	f.Fuzz(func(t *testing.T, text []byte, user string, choice uint16) {
		s := compileAny(text)
		u, err := eval.ParseUser([]byte(user))
		if s == nil || err != nil {
			return
		}
		has := func(bit int) bool { return choice>>bit&1 != 0 }
		o := eval.ClientInitializeOptions{
			Hash: eval.HashAlgorithm(choice & 3), Format: eval.ResponseFormat(choice >> 2 & 3), RemoveIDType: has(4),
			RemoveDefaultValueGates: has(5), RemoveExperimentsInLayers: has(6), IncludeLocalOverrides: has(7),
		}
		if has(8) {
			o.TargetAppID = "app"
		}
		if has(9) {
			o.ClientKey = "client-key"
		}
		if has(10) {
			o.PreviousResponseHash = "x"
		}
		e := eval.NewEvaluator(s, eval.Options{UserAgent: fixedAgent{}, Country: fixedCountry{}, IDLists: idLists{}})
		response := e.AppendClientInitialize(nil, u, evaluatedAt, o)
		if utf8.Valid(text) && !json.Valid(response) {
			t.Fatalf("response is no JSON: %q", response)
		}
		if again := e.AppendClientInitialize(nil, u, evaluatedAt, o); !bytes.Equal(response, again) {
			t.Errorf("responses differ:\n%s\n%s", response, again)
		}
	})
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
	})
}
