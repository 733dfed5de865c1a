package eval_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func gateRef(name string) eval.Ref { return eval.Ref{Kind: eval.KindGate, Name: name} }

// oneCondition traces a gate of one condition.
func oneCondition(t *testing.T, c evaltest.Condition, u eval.UserAttributes) *eval.ConditionTrace {
	t.Helper()
	d := evaltest.NewDocument(
		evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(c)),
		evaltest.NewExperiment("e").Rule(evaltest.NewRule("t").Group("Test")),
	).With("app_id", "app")
	lists := idLists{}
	lists.add("beta", "+"+eval.IDListHash("u1"))
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{
		UserAgent: fixedAgent{}, Country: fixedCountry{}, IDLists: lists, Environment: "staging",
		GlobalCustomFields: map[string]any{"region": "eu"},
	})
	trace := explained(t, e, gateRef("g"), eval.NewUser(u), evaluatedAt)
	if len(trace.Rules) != 1 || len(trace.Rules[0].Conditions) != 1 {
		t.Fatalf("trace %s, want one condition", show(trace))
	}
	return trace.Rules[0].Conditions[0]
}

func TestTracesShowWhatAConditionCompared(t *testing.T) {
	many := make([]any, 12)
	for i := range many {
		many[i] = i
	}
	user := eval.UserAttributes{
		UserID: "u1", Email: "a@example.com", IP: "8.8.8.8", UserAgent: "agent",
		Custom:            values{"size": 2.5, "tags": []any{"a", 1}, "object": values{"b": 1, "a": "x"}, "null": nil},
		PrivateAttributes: values{"salary": 100, "hidden": nil},
	}
	tests := map[string]struct {
		condition evaltest.Condition
		user      eval.UserAttributes
		want      string // JSON
	}{
		"a field of the user": {
			evaltest.UserField("email", "str_ends_with_any", "@example.com", "@x"), user,
			`{"type":"user_field","field":"email","operator":"str_ends_with_any","targets":["@example.com","@x"],"targetCount":2,` +
				`"targetIsList":true,"saw":"a@example.com","pass":true}`,
		},
		"a number": {
			evaltest.UserFieldValue("size", "gt", 3), user,
			`{"type":"user_field","field":"size","operator":"gt","targets":["3"],"targetCount":1,"saw":"2.5","pass":false}`,
		},
		"a field of every user": {
			evaltest.UserFieldValue("region", "eq", "eu"), user,
			`{"type":"user_field","field":"region","operator":"eq","targets":["eu"],"targetCount":1,"saw":"eu","pass":true}`,
		},
		"a list, and the first elements of a long target": {
			evaltest.UserField("tags", "array_contains_any", many...), user,
			`{"type":"user_field","field":"tags","operator":"array_contains_any","targets":["0","1","2","3","4","5","6","7","8","9"],` +
				`"targetCount":12,"targetIsList":true,"saw":"[\"a\",1]","pass":true}`,
		},
		"an object, and a target that is one": {
			evaltest.UserFieldValue("object", "eq", values{"a": "x"}), user,
			`{"type":"user_field","field":"object","operator":"eq","targets":["a:x"],"targetCount":1,"targetIsList":true,` +
				`"saw":"{\"a\":\"x\",\"b\":\"1\"}","pass":false}`,
		},
		"a field that the user doesn't have": {
			evaltest.UserField("plan", "none", "free"), user,
			`{"type":"user_field","field":"plan","operator":"none","targets":["free"],"targetCount":1,"targetIsList":true,"pass":true}`,
		},
		"no value of a private attribute": {
			evaltest.UserFieldValue("salary", "gte", 50), user,
			`{"type":"user_field","field":"salary","operator":"gte","targets":["50"],"targetCount":1,"saw":"[private]","pass":true}`,
		},
		"not even that a private attribute is null": {
			evaltest.UserField("hidden", "any", "x"), user,
			`{"type":"user_field","field":"hidden","operator":"any","targets":["x"],"targetCount":1,"targetIsList":true,` +
				`"saw":"[private]","pass":false}`,
		},
		"what was read out of a user agent": {
			evaltest.UserAgentBased("os_name", "any", "iOS"), user,
			`{"type":"ua_based","field":"os_name","operator":"any","targets":["iOS"],"targetCount":1,"targetIsList":true,` +
				`"saw":"iOS","source":"userAgent","pass":true}`,
		},
		"nothing that was read out of a private user agent": {
			evaltest.UserAgentBased("os_name", "any", "iOS"), eval.UserAttributes{PrivateAttributes: values{"userAgent": "agent"}},
			`{"type":"ua_based","field":"os_name","operator":"any","targets":["iOS"],"targetCount":1,"targetIsList":true,` +
				`"saw":"[private]","source":"userAgent","pass":true}`,
		},
		"the country of an address": {
			evaltest.IPBased("country", "any", "DE"), user,
			`{"type":"ip_based","field":"country","operator":"any","targets":["DE"],"targetCount":1,"targetIsList":true,` +
				`"saw":"US","source":"ip","pass":false}`,
		},
		"not the country of a private address": {
			evaltest.IPBased("country", "any", "US"), eval.UserAttributes{PrivateAttributes: values{"ip": "8.8.8.8"}},
			`{"type":"ip_based","field":"country","operator":"any","targets":["US"],"targetCount":1,"targetIsList":true,` +
				`"saw":"[private]","source":"ip","pass":true}`,
		},
		"the environment": {
			evaltest.Environment("tier", "any", "production"), user,
			`{"type":"environment_field","field":"tier","operator":"any","targets":["production"],"targetCount":1,` +
				`"targetIsList":true,"saw":"staging","pass":false}`,
		},
		"the instant": {
			evaltest.CurrentTime("after", 1000), user,
			fmt.Sprintf(`{"type":"current_time","operator":"after","targets":["1000"],"targetCount":1,"saw":"%d","pass":true}`,
				evaluatedAt.UnixMilli()),
		},
		"the unit ID looked for in an ID list": {
			evaltest.InSegmentList("beta"), user,
			`{"type":"unit_id","operator":"in_segment_list","targets":["beta"],"targetCount":1,"idType":"userID","saw":"u1","pass":true}`,
		},
		"the group of another experiment": {
			evaltest.ExperimentGroup("e", "any", "Test"), user,
			`{"type":"experiment_group","field":"e","operator":"any","targets":["Test"],"targetCount":1,"targetIsList":true,` +
				`"saw":"Test","pass":true,"evaluation":{"kind":"Experiment","name":"e","pass":true,"value":{},"ruleID":"t",` +
				`"groupName":"Test","reason":"Recognized","cause":"Rule","rules":[{"id":"t","groupName":"Test","conditions":[],` +
				`"passed":0,"matched":true,"percentage":{"percentage":100,"idType":"userID","unitID":"u1","threshold":10000,` +
				`"pass":true},"decides":true}]}}`,
		},
		"a type that isn't known": {
			evaltest.NewCondition("moon_phase"), user,
			`{"type":"moon_phase","pass":false,"unsupported":"condition type \"moon_phase\" is not known"}`,
		},
		"an operator that isn't known": {
			evaltest.UserField("email", "like"), user,
			`{"type":"user_field","field":"email","operator":"like","targetIsList":true,"pass":false,` +
				`"unsupported":"operator \"like\" is not known"}`,
		},
		"an operator that is missing": {
			evaltest.NewCondition("unit_id"), user,
			`{"type":"unit_id","pass":false,"unsupported":"the condition has no operator"}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got, want any
			mustUnmarshal(t, []byte(show(oneCondition(t, tc.condition, tc.user))), &got)
			mustUnmarshal(t, []byte(tc.want), &want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("condition (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTracesNameTheUnitAndTheBucket(t *testing.T) {
	// The bucket is the first eight bytes of SHA-256("s.rs.u1"), modulo 10,000.
	bucket := int(eval.HashUnits("s", "rs", "u1") % 10_000)
	d := evaltest.NewDocument(evaltest.NewGate("g").Salt("s").Rule(evaltest.NewRule("r").With("salt", "rs").Percent(12.5)))
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	trace := explained(t, e, gateRef("g"), eval.NewUser(eval.UserAttributes{UserID: "u1"}), evaluatedAt)
	want := &eval.PercentageTrace{
		Percentage: 12.5, IDType: "userID", UnitID: "u1", Bucket: &bucket, Threshold: 1250, Pass: bucket < 1250,
	}
	if diff := cmp.Diff(want, trace.Rules[0].Percentage); diff != "" {
		t.Errorf("percentage (-want +got):\n%s", diff)
	}
}

func TestTracesCompareConditionsBehindAFailedOne(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("g").Rule(
			evaltest.NewRule("r").When(
				evaltest.UserField("email", "any", "x"), evaltest.UserField("country", "any", "DE"), evaltest.Public(),
				evaltest.ExperimentGroup("e", "any", "Test")),
			evaltest.NewRule("other"), evaltest.NewRule("unreached")),
		evaltest.NewExperiment("e").Rule(evaltest.NewRule("t").Percent(0)),
	)
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	trace := explained(t, e, gateRef("g"), eval.NewUser(eval.UserAttributes{Country: "DE"}), evaluatedAt)
	rule := trace.Rules[0]
	var passed []bool
	for _, c := range rule.Conditions {
		passed = append(passed, c.Pass)
	}
	if diff := cmp.Diff([]bool{false, true, true, false}, passed); diff != "" || rule.Passed != 2 || rule.Matched {
		t.Errorf("rule %s, conditions (-want +got):\n%s", show(rule), diff)
	}
	if c := rule.Conditions[3]; (c.Evaluation == nil) != (c.Note != "") {
		t.Errorf("experiment behind a failed condition: %s, want its evaluation or why there is none", show(c))
	}
	if trace.RuleID != "other" || !trace.Rules[1].Decides || trace.UnreachedRules != 1 {
		t.Errorf("trace %s, want the second rule to decide and one to be left", show(trace))
	}
}

func TestTracesNameTheCause(t *testing.T) {
	var o eval.Overrides
	o.Gate("mine", true)
	d := banditDocument(func(b values) { b["targetingGateName"] = "adults" }).Add(
		evaltest.NewGate("old"), evaltest.NewGate("new").Rule(evaltest.NewRule("n")),
		evaltest.NewGate("default"), evaltest.NewGate("odd").Rule(evaltest.NewRule("r").WhenHash("gone")),
	).OverrideRule(evaltest.NewRule("all")).Mapping("old", "new", "all")
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{Overrides: &o})
	adult := eval.NewUser(eval.UserAttributes{UserID: "u", Custom: values{"age": 20}})
	tests := map[string]struct {
		ref  eval.Ref
		want eval.Cause
		in   string // a part of the trace
	}{
		"a local override":     {gateRef("mine"), eval.CauseLocalOverride, `"ruleID":"override"`},
		"a mapping":            {gateRef("old"), eval.CauseMapping, `"target":"new"`},
		"a rule":               {gateRef("new"), eval.CauseRule, `"decides":true`},
		"the default":          {gateRef("default"), eval.CauseDefault, `"ruleID":"default"`},
		"nothing, if unknown":  {gateRef("none"), eval.CauseNone, `:Unrecognized"`},
		"nothing, if unusable": {gateRef("odd"), eval.CauseNone, `"unsupported":"the document lacks this condition"`},
		"a bandit": {
			eval.Ref{Kind: eval.KindExperiment, Name: "bandit"}, eval.CauseBandit,
			`"bandit":{"idType":"userID","unitID":"u","gate":{"kind":"Gate","name":"adults","pass":true`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			trace := explained(t, e, tc.ref, adult, evaluatedAt)
			text := show(trace)
			if trace.Cause != tc.want || !strings.Contains(text, tc.in) {
				t.Errorf("cause %q, want %q, in a trace with %s: %s", trace.Cause, tc.want, tc.in, text)
			}
		})
	}
}

func TestTracesAreBounded(t *testing.T) {
	chain := evaltest.NewDocument(evaltest.NewGate("g0").Rule(evaltest.NewRule("r")))
	doubled := evaltest.NewDocument(evaltest.NewGate("g0").Rule(evaltest.NewRule("r").When(evaltest.NewCondition("moon"))))
	for i := 1; i <= 60; i++ {
		below := evaltest.PassGate(fmt.Sprint("g", i-1))
		chain.Add(evaltest.NewGate(fmt.Sprint("g", i)).Rule(evaltest.NewRule("r").When(below, below)))
		if i <= 16 {
			doubled.Add(evaltest.NewGate(fmt.Sprint("g", i)).Rule(evaltest.NewRule("r").When(below, below)))
		}
	}
	rules := make([]*evaltest.RuleBuilder, 20_001)
	for i := range rules {
		rules[i] = evaltest.NewRule(fmt.Sprint(i)).When(evaltest.UserField("f", "any", "x"))
	}
	rules[20_000] = evaltest.NewRule("last")
	conditions := make([]evaltest.Condition, 20_000)
	for i := range conditions {
		conditions[i] = evaltest.UserField("f", "none", i)
	}
	tests := map[string]struct {
		document *evaltest.Document
		name     string
		want     string // a part of the trace
	}{
		"gates that nest deeply": {chain, "g60", "not shown: nests too deeply"},
		"a gate met again":       {chain, "g2", "evaluated before"},
		"a gate that asks for itself": {
			evaltest.NewDocument(evaltest.NewGate("a").Rule(evaltest.NewRule("r").When(evaltest.PassGate("a")))), "a",
			"asks for itself, in a circle",
		},
		"gates in a circle of mappings": {
			evaltest.NewDocument(evaltest.NewGate("a"), evaltest.NewGate("b")).OverrideRule(evaltest.NewRule("all")).
				Mapping("a", "b", "all").Mapping("b", "a", "all"), "a", "asks for itself, in a circle",
		},
		"paths that double at each level": {doubled, "g16", `"reason":"Error"`},
		"a mapping behind a rule of very many conditions": {
			evaltest.NewDocument(evaltest.NewGate("a"), evaltest.NewGate("b")).
				OverrideRule(evaltest.NewRule("all").When(conditions...)).Mapping("a", "b", "all"), "a",
			"not shown: the trace is too long",
		},
		"very many rules": {
			evaltest.NewDocument(evaltest.NewGate("g").Rule(rules...)), "g", `"id":"last"`,
		},
		"very many conditions": {
			evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(conditions...))), "g", `"hiddenConditions":10001`,
		},
		"a long value": {
			evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(
				evaltest.UserField("locale", "any", strings.Repeat("é", 500))))), "g", strings.Repeat("é", 128) + `…"`,
		},
	}
	user := eval.NewUser(eval.UserAttributes{UserID: "u", Locale: strings.Repeat("x", 10_000)})
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := eval.NewEvaluator(evaltest.Compile(t, tc.document), eval.Options{})
			text, err := json.Marshal(explained(t, e, gateRef(tc.name), user, evaluatedAt))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), tc.want) {
				t.Errorf("trace of %d bytes lacks %s: %.2000s", len(text), tc.want, text)
			}
			if len(text) > 4<<20 {
				t.Errorf("trace of %d bytes", len(text))
			}
		})
	}
}
