package eval_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestDecodeReadsTheDocumentsOwnFields(t *testing.T) {
	text := evaltest.NewDocument().Time(1_700_000_000_000).With("checksum", "123").
		With("hashed_sdk_key_used", eval.DJB2("secret-key")).JSON(t)
	d, err := eval.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if !d.HasUpdates() || d.Time() != 1_700_000_000_000 || d.Checksum() != "123" || d.HashedSDKKeyUsed() != "2842331586" {
		t.Errorf("updates %t, time %d, checksum %q, key %q", d.HasUpdates(), d.Time(), d.Checksum(), d.HashedSDKKeyUsed())
	}
	s, err := eval.Compile(d, eval.Origin{Source: "Bootstrap", ReceivedAt: evaluatedAt})
	if err != nil {
		t.Fatal(err)
	}
	if s.Time() != d.Time() || s.Checksum() != "123" || s.Origin() != (eval.Origin{Source: "Bootstrap", ReceivedAt: evaluatedAt}) {
		t.Errorf("snapshot: time %d, checksum %q, origin %v", s.Time(), s.Checksum(), s.Origin())
	}
}

func TestDJB2(t *testing.T) {
	for s, want := range map[string]string{
		"test_public": "3968762550", "client-hashed-key": "3172774401", "secret-key": "2842331586", "": "0",
		"é": "233", "日": "26085",
	} {
		if got := eval.DJB2(s); got != want {
			t.Errorf("DJB2(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestDecodeCopiesItsInput(t *testing.T) {
	text := evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("rule"))).JSON(t)
	s := compile(t, text)
	clear(text)
	res := eval.NewEvaluator(s, eval.Options{}).Evaluate(eval.Ref{Kind: eval.KindGate, Name: "g"}, nil, evaluatedAt, nil)
	if res.RuleID != "rule" {
		t.Errorf("rule %q after the text was overwritten", res.RuleID)
	}
}

func TestHashTellsDocumentsApart(t *testing.T) {
	text := evaltest.NewDocument().JSON(t)
	a, b := compile(t, text), compile(t, bytes.Clone(text))
	if a.Hash() != b.Hash() || a.Hash() == "" {
		t.Errorf("hashes of equal documents: %q, %q", a.Hash(), b.Hash())
	}
	if c := compile(t, evaltest.NewDocument().Time(2).JSON(t)); c.Hash() == a.Hash() {
		t.Error("another document has the same hash")
	}
	long := evaltest.NewDocument().With("checksum", strings.Repeat("x", 10_000))
	if compile(t, long.JSON(t)).Hash() == compile(t, long.With("checksum", strings.Repeat("x", 10_001)).JSON(t)).Hash() {
		t.Error("the end of a long document isn't hashed")
	}
}

func TestDecodeRefusesTextThatIsNotUTF8(t *testing.T) {
	text := evaltest.NewDocument(evaltest.NewGate("gate")).JSON(t)
	_, err := eval.Decode(bytes.Replace(text, []byte("gate_salt"), []byte("gate\xffsalt"), 1))
	if !errors.Is(err, eval.ErrMalformed) {
		t.Errorf("err %v, want ErrMalformed", err)
	}
}

func TestDocumentsWithoutUpdates(t *testing.T) {
	for _, text := range []string{`{"has_updates":false}`, `{"has_updates":false,"time":5,"feature_gates":7}`} {
		d, err := eval.Decode([]byte(text))
		if err != nil || d.HasUpdates() {
			t.Errorf("%s: updates, %v", text, err)
			continue
		}
		if _, err := eval.Compile(d, eval.Origin{}); !errors.Is(err, eval.ErrMalformed) {
			t.Errorf("%s: Compile gives %v, want ErrMalformed", text, err)
		}
	}
}

func TestNamesListsWhatTheSDKLists(t *testing.T) {
	s := evaltest.Compile(t, evaltest.NewDocument(
		evaltest.NewGate("b"), evaltest.NewGate("a").Rule(evaltest.NewRule("r").When(evaltest.PassGate("missing"))),
		evaltest.NewSegment("s"), evaltest.NewHoldout("h"), evaltest.NewDynamicConfig("c"), evaltest.NewExperiment("e"),
		evaltest.NewDynamicConfig("auto").With("entity", "autotune"), evaltest.NewLayer("l"),
	).Store("p", values{}))
	for kind, want := range map[eval.Kind][]string{
		eval.KindGate: {"a", "b"}, eval.KindDynamicConfig: {"c"}, eval.KindExperiment: {"e"}, eval.KindLayer: {"l"},
		eval.KindParameterStore: {"p"}, eval.Kind(0): {},
	} {
		if diff := cmp.Diff(want, s.Names(kind)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", kind, diff)
		}
	}
	for ref, want := range map[eval.Ref]bool{
		{Kind: eval.KindGate, Name: "segment:s"}: true, {Kind: eval.KindGate, Name: "missing"}: false,
		{Kind: eval.KindExperiment, Name: "c"}: true, {Kind: eval.KindDynamicConfig, Name: "e"}: true,
		{Kind: eval.KindLayer, Name: "l"}: true, {Kind: eval.KindParameterStore, Name: "p"}: true,
		{Kind: eval.KindParameterStore, Name: "x"}: false, {Kind: eval.Kind(9), Name: "a"}: false,
	} {
		if got := s.Has(ref); got != want {
			t.Errorf("Has(%v) = %t, want %t", ref, got, want)
		}
	}
}

// v1Document is a document of the older form: specs in arrays, conditions inside rules, much left out.
const v1Document = `{
	"has_updates": true, "time": 1631638014811, "company_id": "c",
	"feature_gates": [
		{"name": "staff", "type": "feature_gate", "salt": "s", "enabled": true, "defaultValue": false, "rules": [
			{"id": "staff_rule", "name": "n", "passPercentage": 100, "returnValue": true, "conditions": [
				{"type": "user_field", "field": "email", "operator": "str_ends_with_any", "targetValue": ["@example.com"]}]}]},
		{"name": "bucket", "type": "feature_gate", "entity": "segment", "salt": "s", "enabled": true, "defaultValue": false,
			"idType": "companyID", "rules": [
			{"id": "b", "name": "n", "passPercentage": 100, "returnValue": true, "conditions": [
				{"type": "user_bucket", "operator": "lt", "targetValue": 1000, "additionalValues": {"salt": 7}}]}]},
		{"name": "nested", "type": "feature_gate", "salt": "s", "enabled": true, "defaultValue": false, "rules": [
			{"id": "n", "name": "n", "passPercentage": 100, "returnValue": true, "conditions": [
				{"type": "pass_gate", "targetValue": "staff"}]}]},
		{"name": "bad", "salt": 5}
	],
	"dynamic_configs": [{"name": "conf", "type": "dynamic_config", "salt": "s", "enabled": true, "rules": [],
		"defaultValue": {"a": 1}}],
	"layer_configs": [],
	"layers": {"l": ["conf"]}
}`

func TestDocumentsOfTheOlderForm(t *testing.T) {
	d, err := eval.Decode([]byte(v1Document))
	if err != nil {
		t.Fatal(err)
	}
	want := []eval.Problem{{Kind: eval.KindGate, Name: "bad", Message: "want a string"}}
	if diff := cmp.Diff(want, d.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	s, err := eval.Compile(d, eval.Origin{Source: "Network"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"nested", "staff"}, s.Names(eval.KindGate)); diff != "" {
		t.Errorf("gates (-want +got):\n%s", diff)
	}
	e := eval.NewEvaluator(s, eval.Options{})
	staff := eval.NewUser(eval.UserAttributes{Email: "a@example.com"})
	for name, rule := range map[string]string{"staff": "staff_rule", "bucket": "b", "nested": "n"} {
		res := e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: name}, staff, evaluatedAt, nil)
		if !res.Pass || res.RuleID != rule || res.Details.Reason != eval.ReasonRecognized {
			t.Errorf("%s = %t by %q, %v; want true by %q", name, res.Pass, res.RuleID, res.Details, rule)
		}
	}
	res := e.Evaluate(eval.Ref{Kind: eval.KindDynamicConfig, Name: "conf"}, staff, evaluatedAt, nil)
	if res.Value != `{"a": 1}` || res.IDType != "userID" {
		t.Errorf("conf = %s of %s", res.Value, res.IDType)
	}
}
