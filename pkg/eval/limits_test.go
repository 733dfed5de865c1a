package eval_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestNestingUpToTheLimit(t *testing.T) {
	d := evaltest.NewDocument(evaltest.NewGate("g0").Rule(evaltest.NewRule("r")))
	for i := 1; i <= 302; i++ {
		d.Add(evaltest.NewGate(fmt.Sprint("g", i)).Rule(evaltest.NewRule("r").When(evaltest.PassGate(fmt.Sprint("g", i-1)))))
	}
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	for name, want := range map[string]eval.Reason{
		"g299": eval.ReasonRecognized, "g300": eval.ReasonRecognized, "g301": eval.ReasonError, "g302": eval.ReasonError,
	} {
		res := e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: name}, nil, evaluatedAt, &eval.Recorder{})
		if res.Details.Reason != want || res.Pass != (want == eval.ReasonRecognized) {
			t.Errorf("%s = %t, %v; want %s", name, res.Pass, res.Details, want)
		}
		if want == eval.ReasonError && (res.RuleID != "" || len(res.SecondaryExposures) != 0) {
			t.Errorf("%s failed and has rule %q and %d exposures", name, res.RuleID, len(res.SecondaryExposures))
		}
	}
}

// TestSharedGatesAreEvaluatedOnce has 2^200 paths through 200 gates.
func TestSharedGatesAreEvaluatedOnce(t *testing.T) {
	d := evaltest.NewDocument(evaltest.NewGate("g0").Rule(evaltest.NewRule("r")))
	for i := 1; i <= 200; i++ {
		below := evaltest.PassGate(fmt.Sprint("g", i-1))
		d.Add(evaltest.NewGate(fmt.Sprint("g", i)).Rule(evaltest.NewRule("r").When(below, below)))
	}
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	if res := e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "g200"}, nil, evaluatedAt, nil); !res.Pass {
		t.Errorf("g200 = %+v", res)
	}
}

// TestWorkIsBounded covers what the reference follows without end: paths that are not remembered double at each level.
func TestWorkIsBounded(t *testing.T) {
	tests := map[string]func(i int) *evaltest.Document{
		"unsupported gates are not remembered": func(n int) *evaltest.Document {
			d := evaltest.NewDocument(evaltest.NewGate("g0").Rule(evaltest.NewRule("r").When(evaltest.NewCondition("moon"))))
			for i := 1; i <= n; i++ {
				below := evaltest.PassGate(fmt.Sprint("g", i-1))
				d.Add(evaltest.NewGate(fmt.Sprint("g", i)).Rule(evaltest.NewRule("r").When(below, below)))
			}
			return d
		},
		"groups of experiments are not remembered": func(n int) *evaltest.Document {
			d := evaltest.NewDocument()
			conditions := make([]evaltest.Condition, 40)
			for i := range conditions {
				conditions[i] = evaltest.ExperimentGroup("e", "none", fmt.Sprint(i))
			}
			return d.Add(evaltest.NewExperiment("e").Rule(evaltest.NewRule("r").Group("G").When(conditions...)),
				evaltest.NewGate(fmt.Sprint("g", n)).Rule(evaltest.NewRule("r").When(conditions...)))
		},
		"mappings may fan out": func(n int) *evaltest.Document {
			d := evaltest.NewDocument(evaltest.NewGate(fmt.Sprint("g", n))).OverrideRule(evaltest.NewRule("o"))
			for range 40 {
				d.Mapping(fmt.Sprint("g", n), "ghost", "o").Mapping("ghost", "ghost", "o")
			}
			return d
		},
	}
	for name, document := range tests {
		t.Run(name, func(t *testing.T) {
			e := eval.NewEvaluator(evaltest.Compile(t, document(120)), eval.Options{})
			res := e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "g120"}, nil, evaluatedAt, nil)
			if res.Details.Reason != eval.ReasonError && res.Details.Reason != eval.ReasonRecognized {
				t.Errorf("details %v", res.Details)
			}
		})
	}
}

func TestHostileDocuments(t *testing.T) {
	deep := func(open, closing string) string {
		return strings.Repeat(open, 100_000) + strings.Repeat(closing, 100_000)
	}
	document := func(target, value string) string {
		return `{"has_updates":true,"time":1,"feature_gates":{"g":{"type":"","salt":"","enabled":true,"idType":"","entity":"",` +
			`"defaultValue":` + value + `,"rules":[{"name":"","id":"r","idType":"","passPercentage":100,"returnValue":` + value +
			`,"conditions":["c"]}]}},"dynamic_configs":{},"layer_configs":{},"experiment_to_layer":{},` +
			`"condition_map":{"c":{"type":"user_field","idType":"","operator":"eq","field":"f","targetValue":` + target + `}}}`
	}
	tests := map[string]string{
		"a target that nests deeply":         document(deep("[", "]"), "true"),
		"a target of deep objects":           document(strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}", 100_000), "true"),
		"a value that nests deeply":          document("1", strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}", 100_000)),
		"a number of a million digits":       document(strings.Repeat("9", 1_000_000), "true"),
		"a target of a million blanks":       document(strings.Repeat(" ", 1_000_000)+"1", "true"),
		"a document of opening brackets":     strings.Repeat("[", 1_000_000),
		"a document of opening braces":       strings.Repeat(`{"a":`, 1_000_000),
		"members that nest deeply and go on": `{"x":` + deep("[", "]") + `,"has_updates":true}`,
		"a pattern that backtracks":          strings.Replace(document(`"^(a+)+$"`, "true"), `"eq"`, `"str_matches"`, 1),
		"a pattern that nests deeply":        strings.Replace(document(`"`+strings.Repeat("(", 50_000)+`"`, "true"), `"eq"`, `"str_matches"`, 1),
		"a version of a million dots":        strings.Replace(document(`"`+strings.Repeat(".", 1_000_000)+`"`, "true"), `"eq"`, `"version_eq"`, 1),
	}
	u := eval.NewUser(eval.UserAttributes{Custom: values{"f": strings.Repeat("a", 60) + "!"}})
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := eval.Decode([]byte(text))
			if err != nil {
				return
			}
			s, err := eval.Compile(d, eval.Origin{})
			if err != nil {
				t.Fatal(err)
			}
			res := eval.NewEvaluator(s, eval.Options{}).Evaluate(eval.Ref{Kind: eval.KindGate, Name: "g"}, u, evaluatedAt, nil)
			if res.Details.Reason != eval.ReasonRecognized {
				t.Errorf("details %v", res.Details)
			}
		})
	}
}

func TestVeryManyRules(t *testing.T) {
	rule := `{"name":"","id":"r","idType":"userID","passPercentage":100,"returnValue":true,"conditions":["no"]},`
	text := `{"has_updates":true,"time":1,"feature_gates":{"g":{"type":"","salt":"","enabled":true,"idType":"","entity":"",` +
		`"defaultValue":false,"rules":[` + strings.Repeat(rule, manyRules)[:len(rule)*manyRules-1] + `]}},"dynamic_configs":{},` +
		`"layer_configs":{},"experiment_to_layer":{},"condition_map":{"no":{"type":"user_field","idType":"","operator":"any",` +
		`"field":"f","targetValue":["x"]}}}`
	e, g := eval.NewEvaluator(compile(t, []byte(text)), eval.Options{}), eval.Ref{Kind: eval.KindGate, Name: "g"}
	res := e.Evaluate(g, nil, evaluatedAt, nil)
	if res.Pass || res.RuleID != "default" || res.Details.Reason != eval.ReasonRecognized {
		t.Errorf("gate = %t by %q, %v", res.Pass, res.RuleID, res.Details)
	}
	explained, trace := e.Explain(g, nil, evaluatedAt)
	if shown := len(trace.Rules); !sameAnswer(&explained, &res) || shown > 10_000 || shown+trace.HiddenRules != manyRules {
		t.Errorf("explained %+v, with %d rules shown and %d hidden", explained, shown, trace.HiddenRules)
	}
	if response := e.AppendClientInitialize(nil, nil, evaluatedAt, eval.ClientInitializeOptions{}); blankOrJSON(t, response) {
		t.Error("the client initialize response is blank")
	}
}

func TestCircles(t *testing.T) {
	circle := func(first, second *evaltest.SpecBuilder) *evaltest.Document {
		return evaltest.NewDocument(first, second)
	}
	pass := func(name string) *evaltest.RuleBuilder { return evaltest.NewRule("r").When(evaltest.PassGate(name)) }
	group := func(name string) *evaltest.RuleBuilder {
		return evaltest.NewRule("r").Group("G").When(evaltest.ExperimentGroup(name, "any", "G"))
	}
	g, x := eval.Ref{Kind: eval.KindGate, Name: "a"}, experimentRef("a")
	tests := map[string]struct {
		document *evaltest.Document
		ref      eval.Ref
		want     eval.Reason
	}{
		"of gates": {
			document: circle(evaltest.NewGate("a").Rule(pass("b")), evaltest.NewGate("b").Rule(pass("a"))), ref: g,
			want: eval.ReasonError,
		},
		"of experiments that hand users to one another": {
			document: circle(evaltest.NewExperiment("a").Rule(evaltest.NewRule("r").Delegate("b")),
				evaltest.NewExperiment("b").Rule(evaltest.NewRule("r").Delegate("a"))),
			ref: x, want: eval.ReasonError,
		},
		"of experiments that ask for one another's groups": {
			document: circle(evaltest.NewExperiment("a").Rule(group("b")), evaltest.NewExperiment("b").Rule(group("a"))), ref: x,
			want: eval.ReasonRecognized,
		},
		"of mappings": {
			document: circle(evaltest.NewGate("a"), evaltest.NewGate("b")).OverrideRule(evaltest.NewRule("o")).
				Mapping("a", "b", "o").Mapping("b", "a", "o"),
			ref: g, want: eval.ReasonRecognized,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := evaltest.Compile(t, tc.document)
			e := eval.NewEvaluator(s, eval.Options{})
			res := e.Evaluate(tc.ref, nil, evaluatedAt, &eval.Recorder{})
			if res.Details.Reason != tc.want {
				t.Errorf("reason %s, want %s", res.Details.Reason, tc.want)
			}
			if explained, _ := e.Explain(tc.ref, nil, evaluatedAt); !sameAnswer(&explained, &res) {
				t.Errorf("explained %+v, evaluated %+v", explained, res)
			}
			response := e.AppendClientInitialize(nil, nil, evaluatedAt, eval.ClientInitializeOptions{})
			if blank := blankOrJSON(t, response); blank != (tc.want == eval.ReasonError) {
				t.Errorf("blank response: %t", blank)
			}
			if got := s.Closure(tc.ref).Refs; len(got) < 2 {
				t.Errorf("closure %v, want the whole circle", got)
			}
		})
	}
}
