package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// explainedDocument has something of all that a trace can show.
func explainedDocument() *evaltest.Document {
	return evaltest.NewDocument(
		evaltest.NewGate("checkout").Salt("s").Rule(
			evaltest.NewRule("staff").Group("Staff only").When(
				evaltest.PassGate("segment:staff"), evaltest.UserFieldValue("salary", "gt", 10)),
			evaltest.NewRule("half").With("salt", "half").Percent(50).When(
				evaltest.UserField("region", "any", "eu-west-1", "a, b", "1", "2", "3", "4", "5", "6", "7", "8", "9")),
			evaltest.NewRule("rest")),
		evaltest.NewSegment("staff").Rule(
			evaltest.NewRule("mail").When(evaltest.UserField("email", "str_ends_with_any", "@example.com"))),
		evaltest.NewGate("odd").Rule(evaltest.NewRule("r\n").When(evaltest.UserField("email", "like", "x"))),
		evaltest.NewGate("old"), evaltest.NewGate("circle").Rule(evaltest.NewRule("r").When(evaltest.PassGate("circle"))),
		evaltest.NewExperiment("color").Rule(
			evaltest.NewRule("test").When(
				evaltest.UserBucket("b", "lt", 1000), evaltest.IPBased("country", "any", "US")).
				Group("Test").Return(map[string]any{"color": "green"})),
		evaltest.NewDynamicConfig("limits").Default(map[string]any{"rps": 10}),
		evaltest.NewLayer("page").Rule(evaltest.NewRule("all").Delegate("color")),
	).OverrideRule(evaltest.NewRule("everyone")).Mapping("old", "checkout", "everyone").
		MappingFrom("limits", "color", "everyone", testClock.UnixMilli()+1)
}

func explain(tb testing.TB, args ...string) outcome {
	tb.Helper()
	specs := writeFile(tb, "specs.json", string(explainedDocument().JSON(tb)))
	return execute(tb, "", slices.Concat([]string{"explain", "--specs", specs}, args)...)
}

func TestExplainPrintsATree(t *testing.T) {
	// The bucket of u1 is the first eight bytes of SHA-256("s.half.u1") modulo 10,000, its user bucket that of
	// SHA-256("b.u1") modulo 1,000.
	const user = `{"userID":"u1","email":"a@example.com","ip":"8.8.8.8","custom":{"region":"EU-west-1"},"privateAttributes":{"salary":3}}`
	tests := map[string]struct {
		args []string
		want string
	}{
		"a gate with a segment and a percentage": {
			args: []string{"gate", "checkout"},
			want: `
gate checkout = false  (rule half, Recognized)
├─ rule 1 staff "Staff only" — conditions: 1 of 2 passed
│  ├─ ✓ pass_gate segment:staff
│  │  └─ gate segment:staff = true  (rule mail, Recognized)
│  │     └─ rule 1 mail — conditions: 1 of 1 passed, decides
│  │        ├─ ✓ user_field email str_ends_with_any [@example.com] — saw "a@example.com"
│  │        └─ ✓ 100 %
│  └─ ✗ user_field salary gt 10 — saw "[private]"
├─ rule 2 half — conditions: 1 of 1 passed, decides
│  ├─ ✓ user_field region any [eu-west-1, "a, b", 1, 2, 3, 4, 5, 6, 7, 8, … 1 more] — saw "EU-west-1"
│  └─ ✗ 50 % of userID "u1": bucket 9764 ≥ 5000, so the default value counts
└─ (1 more rule not reached)
`,
		},
		"a layer and its experiment": {
			args: []string{"layer", "page"},
			want: `
layer page = {"color":"green"}  (rule test "Test", Recognized)
└─ rule 1 all — conditions: 0 of 0 passed, decides
   └─ experiment color = {"color":"green"}  (rule test "Test", Recognized)
      └─ rule 1 test "Test" — conditions: 2 of 2 passed, decides
         ├─ ✓ user_bucket lt 1000 of userID "u1" — saw "766"
         ├─ ✓ ip_based country any [US] — saw "US", from ip
         └─ ✓ 100 %
`,
		},
		"a config, and a mapping that starts later": {
			args: []string{"config", "limits"},
			want: `
config limits = {"rps":10}  (rule default, Recognized)
├─ mapping to color: starts at 2023-11-14T22:13:20.001Z
└─ no rule decides: the default value counts
`,
		},
		"an operator that isn't known": {
			args: []string{"gate", "odd"},
			want: `
gate odd = false  (Unsupported)
└─ rule 1 "r\n" — conditions: 0 of 1 passed
   └─ ✗ user_field email like [x] — unsupported: operator "like" is not known
`,
		},
		"a circle": {
			args: []string{"gate", "circle"},
			want: `
gate circle = false  (Error)
└─ rule 1 r — conditions: 0 of 1 passed
   └─ ✗ pass_gate circle
      └─ gate circle = false  (Error)
         └─ (asks for itself, in a circle)
`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := explain(t, append([]string{"--user", user}, tc.args...)...)
			want := outcome{Out: tc.want[1:]}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("explain (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainShowsMappingsWithTheirOutcome(t *testing.T) {
	got := explain(t, "--user", otherUser, "gate", "old")
	for _, want := range []string{
		"gate old = true  (rule rest, by a mapping, Recognized)\n",
		"└─ mapping to checkout by rule everyone — conditions: 0 of 0 passed, decides\n",
		"   └─ gate checkout = true  (rule rest, Recognized)\n", "✗ user_field salary gt 10 — saw nothing\n",
	} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("explain lacks %q:\n%s", want, got.Out)
		}
	}
}

func TestExplainPrintsJSON(t *testing.T) {
	got := explain(t, "--user", otherUser, "-o", "json", "experiment", "limits")
	var trace eval.Trace
	if err := json.Unmarshal([]byte(got.Out), &trace); err != nil || got.Code != 0 {
		t.Fatalf("%v in %+v", err, got)
	}
	if trace.Name != "limits" || trace.Kind != "Experiment" || trace.Cause != eval.CauseDefault || len(trace.Mappings) != 1 {
		t.Errorf("trace %+v", trace)
	}
	if !strings.HasPrefix(got.Out, "{\n    \"kind\": \"Experiment\",\n") {
		t.Errorf("JSON is not indented: %s", got.Out)
	}
}

func TestExplainSaysInOneLineWhatCannotBeUsed(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"an unknown gate":       {[]string{"--user", otherUser, "gate", "page"}, `gate "page": the config specs have nothing of that name`},
		"an unknown experiment": {[]string{"--user", otherUser, "experiment", "no"}, `experiment "no": the config specs have nothing of that name`},
		"an unknown kind":       {[]string{"--user", otherUser, "store", "ui"}, `"store": want gate, config, experiment or layer`},
		"no name":               {[]string{"--user", otherUser, "gate"}, "want a kind and a name, such as: gate new_checkout"},
		"no user":               {[]string{"gate", "old"}, `required flag(s) "user" not set`},
		"a user that is none":   {[]string{"--user", "u1", "gate", "old"}, "reading --user: invalid user"},
		"an unknown format":     {[]string{"--user", otherUser, "-o", "yaml", "gate", "old"}, `--output "yaml": want tree or json`},
		"two readers of the standard input": {
			[]string{"--user", otherUser, "--specs", "-", "--id-lists", "-", "gate", "old"},
			"only one of --specs and --id-lists can read the standard input",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := explain(t, tc.args...)
			if got.Code != 1 || got.Out != "" || strings.Count(got.Err, "\n") != 1 || !strings.Contains(got.Err, tc.want) {
				t.Errorf("explain = %+v, want code 1 and the line %q", got, tc.want)
			}
		})
	}
}
