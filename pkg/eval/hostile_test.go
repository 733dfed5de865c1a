package eval_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// manyReferences has n gates of which each names the next one twice: 2^n paths lead to the last.
func manyReferences(t testing.TB, n int) []byte {
	t.Helper()
	d := evaltest.NewDocument(evaltest.NewGate("g000").Rule(evaltest.NewRule("r").When(evaltest.InSegmentList("l"))))
	for i := 1; i < n; i++ {
		below := evaltest.PassGate(fmt.Sprintf("g%03d", i-1))
		d.Add(evaltest.NewGate(fmt.Sprintf("g%03d", i)).Rule(evaltest.NewRule("r").When(below, below)))
	}
	return d.JSON(t)
}

// countingLists holds everybody, and counts how often it is asked: once for each time that a rule with a list is
// evaluated.
type countingLists struct{ asked int }

func (l *countingLists) Contains(string, string) bool {
	l.asked++
	return true
}

func TestGatesThatNameOneAnotherTwiceAreBounded(t *testing.T) {
	const gates, kept = 200, 65_536
	lists := &countingLists{}
	e := eval.NewEvaluator(compile(t, manyReferences(t, gates)), eval.Options{IDLists: lists})
	u := eval.NewUser(eval.UserAttributes{UserID: "u"})
	last := eval.Ref{Kind: eval.KindGate, Name: fmt.Sprintf("g%03d", gates-1)}

	var rec eval.Recorder
	res := e.Evaluate(last, u, evaluatedAt, &rec)
	if !res.Pass || res.Details.Reason != eval.ReasonRecognized {
		t.Errorf("gate = %t, %v; want true", res.Pass, res.Details)
	}
	if n := len(res.SecondaryExposures); n != kept {
		t.Errorf("%d exposures, want %d", n, kept)
	}
	want := eval.SecondaryExposure{Gate: "g000", GateValue: "true", RuleID: "r"}
	if got := res.SecondaryExposures[0]; got != want {
		t.Errorf("first exposure %+v, want %+v", got, want)
	}
	explained, _ := e.Explain(last, u, evaluatedAt)
	if !sameAnswer(&explained, &res) {
		t.Errorf("explained %+v, evaluated %+v", explained, res)
	}
	if lists.asked != 2 {
		t.Errorf("the last gate was evaluated %d times for two calls, want once each", lists.asked)
	}

	response := e.AppendClientInitialize(nil, u, evaluatedAt, eval.ClientInitializeOptions{})
	var got struct {
		Gates map[string]struct {
			Exposures []any `json:"secondary_exposures"`
		} `json:"feature_gates"`
	}
	mustUnmarshal(t, response, &got)
	if entry := got.Gates[eval.DJB2(last.Name)]; len(entry.Exposures) != gates-1 {
		t.Errorf("%d exposures in the response, want each of the %d gates below once", len(entry.Exposures), gates-1)
	}
}

// Trying a mapping drops exposures, which must not be a way around the bound.
func TestExposuresThatAreDroppedCountToo(t *testing.T) {
	d := evaltest.NewDocument(evaltest.NewGate("leaf").Rule(evaltest.NewRule("r")),
		evaltest.NewGate("top").Rule(evaltest.NewRule("r").When(evaltest.PassGate("many"), evaltest.PassGate("mapped"))),
		evaltest.NewGate("mapped").Rule(evaltest.NewRule("r").When(evaltest.PassGate("leaf"))))
	many := evaltest.NewRule("r")
	for range 1000 {
		many.When(evaltest.PassGate("leaf"))
	}
	d.Add(evaltest.NewGate("many").Rule(many))
	d.OverrideRule(evaltest.NewRule("o").When(evaltest.PassGate("many"), evaltest.FailGate("leaf")))
	for range 5000 {
		d.Mapping("mapped", "elsewhere", "o")
	}
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	top := eval.Ref{Kind: eval.KindGate, Name: "top"}
	var rec eval.Recorder
	bytesPerRun := allocatedBytes(func() {
		if res := e.Evaluate(top, nil, evaluatedAt, &rec); !res.Pass || len(res.SecondaryExposures) > 65_536 {
			t.Errorf("gate = %t with %d exposures", res.Pass, len(res.SecondaryExposures))
		}
	})
	if bytesPerRun > 32<<20 {
		t.Errorf("%d bytes allocated, want at most 32 MiB", bytesPerRun)
	}
}

// firstHash is the hash of the first condition of a document that is built.
const firstHash = "1000"

// blankOrJSON reports whether a response is one that tells the client to keep what it has.
func blankOrJSON(t *testing.T, response []byte) (blank bool) {
	t.Helper()
	if !json.Valid(response) {
		t.Fatalf("response is no JSON: %.200s", response)
	}
	return string(response) == blankResponse
}

// What many entities share stands in a document once, and in a response as often as it is shared.
func TestResponsesThatMultiplySharedPartsAreBlank(t *testing.T) {
	const sharers = 20_000
	long := strings.Repeat("x", 100_000)
	tests := map[string]func() *evaltest.Document{
		"layers share the value of an experiment": func() *evaltest.Document {
			d := evaltest.NewDocument(evaltest.NewExperiment("e").Rule(evaltest.NewRule("r").Return(values{"v": long})))
			for i := range sharers {
				d.Add(evaltest.NewLayer(fmt.Sprint("l", i)).Rule(evaltest.NewRule("r").Delegate("e")))
			}
			return d
		},
		"gates share a gate with a long name": func() *evaltest.Document {
			d := evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(evaltest.PassGate(long))),
				evaltest.NewGate(long).Rule(evaltest.NewRule("r")))
			for i := range sharers {
				d.Add(evaltest.NewGate(fmt.Sprint("g", i)).Rule(evaltest.NewRule("r").WhenHash(firstHash)))
			}
			return d
		},
		"each gate exposes all gates below it": func() *evaltest.Document {
			d := evaltest.NewDocument(evaltest.NewGate("g00000").Rule(evaltest.NewRule("r")))
			for i := 1; i < sharers; i++ {
				below := evaltest.PassGate(fmt.Sprintf("g%05d", i-1))
				d.Add(evaltest.NewGate(fmt.Sprintf("g%05d", i)).Rule(evaltest.NewRule("r").When(below)))
			}
			return d
		},
	}
	for name, document := range tests {
		t.Run(name, func(t *testing.T) {
			e := eval.NewEvaluator(evaltest.Compile(t, document()), eval.Options{})
			response := e.AppendClientInitialize(nil, nil, evaluatedAt, eval.ClientInitializeOptions{Hash: eval.HashNone})
			if !blankOrJSON(t, response) {
				t.Errorf("response of %d bytes, want a blank one", len(response))
			}
		})
	}
}

// A trace shows much of a document at once, and must not show the same part without end.
func TestTracesOfHostileDocumentsAreShort(t *testing.T) {
	const references = 5000
	long := strings.Repeat("x", 100_000)
	tests := map[string]func() *evaltest.Document{
		"a long value is asked for many times": func() *evaltest.Document {
			rule := evaltest.NewRule("r")
			for range references {
				rule.When(evaltest.ExperimentGroup("e", "none", "Nobody"))
			}
			return evaltest.NewDocument(evaltest.NewGate("g").Rule(rule),
				evaltest.NewExperiment("e").Rule(evaltest.NewRule("r").Group("G").Return(values{"v": long})))
		},
		"a long target is compared many times": func() *evaltest.Document {
			targets := make([]any, 10_000)
			for i := range targets {
				targets[i] = long[:i%1000]
			}
			rule := evaltest.NewRule("r").When(evaltest.UserField("f", "none", targets...))
			for range references {
				rule.WhenHash(firstHash)
			}
			return evaltest.NewDocument(evaltest.NewGate("g").Rule(rule))
		},
		"a circle of gates": func() *evaltest.Document {
			return evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(evaltest.PassGate("h"))),
				evaltest.NewGate("h").Rule(evaltest.NewRule("r").When(evaltest.PassGate("g"))))
		},
	}
	for name, document := range tests {
		t.Run(name, func(t *testing.T) {
			e := eval.NewEvaluator(evaltest.Compile(t, document()), eval.Options{})
			var trace *eval.Trace
			bytesPerRun := allocatedBytes(func() {
				_, trace = e.Explain(eval.Ref{Kind: eval.KindGate, Name: "g"}, nil, evaluatedAt)
			})
			if bytesPerRun > 64<<20 {
				t.Errorf("%d bytes allocated, want at most 64 MiB", bytesPerRun)
			}
			if text, err := json.Marshal(trace); err != nil || len(text) > 32<<20 {
				t.Errorf("trace of %d bytes (%v), want at most 32 MiB", len(text), err)
			}
		})
	}
}

// An override rule stands in a document once, and may be named by many mappings.
func TestMappingsThatShareARuleShareItsConditions(t *testing.T) {
	const mappings, conditions = 2000, 2000
	rule := evaltest.NewRule("o")
	for i := range conditions {
		rule.When(evaltest.UserField("f", "any", fmt.Sprint(i)))
	}
	d := evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r"))).OverrideRule(rule)
	for range mappings {
		d.Mapping("g", "elsewhere", "o")
	}
	text := d.JSON(t)
	var s *eval.Snapshot
	if n := allocatedBytes(func() { s = compile(t, text) }); n > 40*uint64(len(text)) {
		t.Errorf("compiling %d bytes allocated %d, want at most 40 times as many", len(text), n)
	}
	changed := compile(t, bytes.Replace(text, []byte(`"time":`), []byte(`"time":1`), 1))
	if c := eval.Diff(s, changed); !c.Empty() {
		t.Errorf("another time changes answers of %v", c.Refs())
	}
	if got := s.Closure(eval.Ref{Kind: eval.KindGate, Name: "g"}).Fields; len(got) != 1 || got[0] != "f" {
		t.Errorf("fields %q, want f", got)
	}
	res := eval.NewEvaluator(s, eval.Options{}).Evaluate(eval.Ref{Kind: eval.KindGate, Name: "g"}, nil, evaluatedAt, nil)
	if !res.Pass && res.Details.Reason != eval.ReasonError {
		t.Errorf("gate = %t, %v", res.Pass, res.Details)
	}
}

// TestLayersOfManyParameters covers a merge that would take time by the square of the parameters.
func TestLayersOfManyParameters(t *testing.T) {
	const parameters = 200_000
	value := values{}
	for i := range parameters {
		value[fmt.Sprint("p", i)] = i
	}
	d := evaltest.NewDocument(evaltest.NewLayer("l").With("useNewLayerEval", true).
		Default(values{"p0": "default", "last": 1}).Rule(evaltest.NewRule("r").Return(value)))
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	res := e.Evaluate(eval.Ref{Kind: eval.KindLayer, Name: "l"}, nil, evaluatedAt, nil)
	for name, want := range map[string]string{"p0": "0", "p199999": "199999", "last": "1"} {
		if got, _ := res.Parameter(name); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	if got := res.RuleIDFor("p7") + " " + res.RuleIDFor("last"); got != "r default" {
		t.Errorf("rules %q, want r and default", got)
	}
}

func TestInvalidUTF8IsRefusedOrReplaced(t *testing.T) {
	bad := "a\xff\xfe\xc3("
	if _, err := eval.Decode([]byte(`{"has_updates":true,"` + bad + `":1}`)); err == nil {
		t.Error("a document that is not UTF-8 was read")
	}
	if _, err := eval.ParseUser([]byte(`{"userID":"` + bad + `"}`)); err == nil {
		t.Error("a user that is not UTF-8 was read")
	}
	u := eval.NewUser(eval.UserAttributes{
		UserID: bad, CustomIDs: map[string]string{bad: bad}, Custom: values{bad: bad, "list": []any{bad}},
		PrivateAttributes: values{bad: bad},
	})
	d := evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").Percent(50).When(
		evaltest.UserField("list", "str_contains_none", "b"), evaltest.UserFieldValue("list", "str_matches", "^z"))))
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	if res := e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "g"}, u, evaluatedAt, nil); res.Pass {
		t.Errorf("gate = %+v", res)
	}
	blankOrJSON(t, e.AppendClientInitialize(nil, u, evaluatedAt, eval.ClientInitializeOptions{}))
	if !json.Valid(e.LoggableUser(nil, u)) {
		t.Error("the loggable user is no JSON")
	}
}
