package eval_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// ask evaluates one entity with exposures.
func ask(t *testing.T, d *evaltest.Document, kind eval.Kind, name string, u eval.UserAttributes) eval.Result {
	t.Helper()
	return askWith(t, d, eval.Options{}, kind, name, u)
}

func askWith(
	t *testing.T, d *evaltest.Document, o eval.Options, kind eval.Kind, name string, u eval.UserAttributes,
) eval.Result {
	t.Helper()
	e := eval.NewEvaluator(evaltest.Compile(t, d), o)
	ref, user := eval.Ref{Kind: kind, Name: name}, eval.NewUser(u)
	explained(t, e, ref, user, evaluatedAt)
	return e.Evaluate(ref, user, evaluatedAt, &eval.Recorder{})
}

// ignoreDetails compares results without their provenance.
var ignoreDetails = cmp.Options{cmpopts.IgnoreUnexported(eval.Result{}), cmpopts.IgnoreFields(eval.Result{}, "Details")}

func TestGates(t *testing.T) {
	staff := evaltest.UserField("email", "str_ends_with_any", "@example.com")
	tests := map[string]struct {
		reason   string
		gate     *evaltest.SpecBuilder
		user     eval.UserAttributes
		wantPass bool
		wantRule string
	}{
		"the first rule whose conditions pass decides": {
			gate: evaltest.NewGate("g").Rule(evaltest.NewRule("no").When(staff), evaltest.NewRule("all")),
			user: eval.UserAttributes{Email: "a@x.io"}, wantPass: true, wantRule: "all",
		},
		"without a rule that passes the default decides": {
			gate: evaltest.NewGate("g").Rule(evaltest.NewRule("no").When(staff)), wantRule: "default",
		},
		"a default of true passes": {
			gate: evaltest.NewGate("g").Default(true), wantPass: true, wantRule: "default",
		},
		"a disabled gate still has its rules": {
			reason: "enabled only names the rule of the default",
			gate:   evaltest.NewGate("g").Disabled().Rule(evaltest.NewRule("all")), wantPass: true, wantRule: "all",
		},
		"the default of a disabled gate has another rule ID": {
			gate: evaltest.NewGate("g").Disabled(), wantRule: "disabled",
		},
		"a rule that returns false does not pass": {
			gate: evaltest.NewGate("g").Rule(evaltest.NewRule("out").Return(false)), wantRule: "out",
		},
		"a rule that returns null passes": {
			reason: "only the literal false fails",
			gate:   evaltest.NewGate("g").Rule(evaltest.NewRule("r").Return(nil)), wantPass: true, wantRule: "r",
		},
		"a rule at 0 percent ends the search with the default": {
			gate:     evaltest.NewGate("g").Rule(evaltest.NewRule("zero").Percent(0), evaltest.NewRule("all")),
			wantRule: "zero",
		},
		"a rule without conditions passes": {
			gate: evaltest.NewGate("g").Rule(evaltest.NewRule("r")), wantPass: true, wantRule: "r",
		},
		"all conditions must pass": {
			gate: evaltest.NewGate("g").Rule(
				evaltest.NewRule("r").When(staff, evaltest.UserField("country", "any", "US"))),
			user: eval.UserAttributes{Email: "a@example.com"}, wantRule: "default",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			res := ask(t, evaltest.NewDocument(tc.gate), eval.KindGate, "g", tc.user)
			if res.Pass != tc.wantPass || res.RuleID != tc.wantRule {
				t.Errorf("gate = %t by rule %q, want %t by %q (%s)", res.Pass, res.RuleID, tc.wantPass, tc.wantRule, tc.reason)
			}
		})
	}
}

func TestPassPercentage(t *testing.T) {
	const specSalt, ruleSalt = "3d0f5df9-18c7-46fe-8b31-268d756c3459", "7826bf70-af49-433a-9fd7-3826e90f7e0a"
	gate := func(percent float64) *evaltest.SpecBuilder {
		return evaltest.NewGate("g").Salt(specSalt).Rule(evaltest.NewRule("r").With("salt", ruleSalt).Percent(percent))
	}
	// The buckets below are published vectors: 6749, 9222, 4917 and 3723.
	tests := map[string]struct {
		reason string
		gate   *evaltest.SpecBuilder
		user   string
		want   bool
	}{
		"bucket 6749 fails at 50 percent":     {gate: gate(50), user: "a_user_id"},
		"bucket 9222 fails at 50 percent":     {gate: gate(50), user: "9"},
		"bucket 4917 passes at 50 percent":    {gate: gate(50), user: "a_user", want: true},
		"bucket 3723 passes at 50 percent":    {gate: gate(50), user: "a-user", want: true},
		"bucket 3723 fails at 37.23 percent":  {gate: gate(37.23), user: "a-user"},
		"bucket 3723 passes at 37.24 percent": {gate: gate(37.24), user: "a-user", want: true},
		"nobody passes below 0 percent":       {gate: gate(-1), user: "a-user"},
		"everyone passes above 100 percent":   {gate: gate(100.5), user: "9", want: true},
		"a rule without a salt is hashed with its ID": {
			gate: evaltest.NewGate("g").Salt(specSalt).Rule(evaltest.NewRule(ruleSalt).Without("salt").Percent(50)),
			user: "a_user", want: true,
		},
		"an empty salt counts as it is": {
			reason: "the bucket is 6040; with the ID in its place it would be 6749",
			gate:   evaltest.NewGate("g").Salt(specSalt).Rule(evaltest.NewRule(ruleSalt).With("salt", "").Percent(65)),
			user:   "a_user_id", want: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			res := ask(t, evaltest.NewDocument(tc.gate), eval.KindGate, "g", eval.UserAttributes{UserID: tc.user})
			if res.Pass != tc.want {
				t.Errorf("gate = %t, want %t (%s)", res.Pass, tc.want, tc.reason)
			}
		})
	}
}

// TestLongSaltsAreHashedLikeShortOnes holds the path that goes on from prepared salts against the plain one.
func TestLongSaltsAreHashedLikeShortOnes(t *testing.T) {
	half := strings.Repeat("0123456789", 4)
	for _, salt := range []string{"", half[:30], half[:31], half[:32], half, half + half + half} {
		d := evaltest.NewDocument(evaltest.NewGate("g").Salt(salt).Rule(evaltest.NewRule("r").With("salt", half).Percent(50)))
		for _, id := range []string{"", "a", "b", "user-1", half, strings.Repeat(half, 10)} {
			got := ask(t, d, eval.KindGate, "g", eval.UserAttributes{UserID: id}).Pass
			if want := eval.HashUnits(salt, half, id)%10_000 < 5_000; got != want {
				t.Errorf("salt of %d bytes, user %q: gate = %t, want %t", len(salt), id, got, want)
			}
		}
	}
}

func TestExperimentsReportGroupAndValue(t *testing.T) {
	d := evaltest.NewDocument(evaltest.NewExperiment("e").With("explicitParameters", []string{"color"}).
		Default(map[string]any{"color": "grey"}).Rule(
		evaltest.NewRule("control").Percent(0).Return(map[string]any{"color": "blue"}).Group("Control").
			When(evaltest.UserField("country", "any", "DE")),
		evaltest.NewRule("test").Return(map[string]any{"color": "green"}).Group("Test").With("samplingRate", 10),
	))
	want := eval.Result{
		Ref: eval.Ref{Kind: eval.KindExperiment, Name: "e"}, Pass: true, Value: `{"color":"green"}`, RuleID: "test",
		GroupName: "Test", IDType: "userID", Version: 1, IsExperimentActive: true, IsExperimentGroup: true,
		ExplicitParameters: []string{"color"}, SecondaryExposures: []eval.SecondaryExposure{}, SamplingRate: 10,
	}
	got := ask(t, d, eval.KindExperiment, "e", eval.UserAttributes{UserID: "u"})
	if diff := cmp.Diff(want, got, ignoreDetails); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = ask(t, d, eval.KindExperiment, "e", eval.UserAttributes{Country: "DE"})
	want.Pass, want.Value, want.RuleID, want.GroupName, want.SamplingRate = false, `{"color":"grey"}`, "control", "Control", -1
	if diff := cmp.Diff(want, got, ignoreDetails); diff != "" {
		t.Errorf("a percentage that fails gives the default (-want +got):\n%s", diff)
	}
}

func TestValuesThatAreNoObjects(t *testing.T) {
	tests := map[string]struct {
		value any
		want  string
	}{
		"an array is an empty object":   {value: []int{1}, want: "{}"},
		"a string is an empty object":   {value: "x", want: "{}"},
		"a number is an empty object":   {value: 5, want: "{}"},
		"a boolean is no value":         {value: true},
		"null is no value":              {value: nil},
		"an object is handed out as is": {value: map[string]any{"b": 1.0, "a": []int{1}}, want: `{"a":[1],"b":1}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := evaltest.NewDocument(evaltest.NewDynamicConfig("c").Rule(evaltest.NewRule("r").Return(tc.value)))
			res := ask(t, d, eval.KindDynamicConfig, "c", eval.UserAttributes{})
			if res.Value != tc.want {
				t.Errorf("value %q, want %q", res.Value, tc.want)
			}
		})
	}
}

func TestNestedGatesAreExposedDepthFirst(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("leaf").Rule(evaltest.NewRule("leaf_rule")),
		evaltest.NewSegment("eu").Rule(evaltest.NewRule("eu_rule").When(evaltest.PassGate("leaf"))),
		evaltest.NewGate("middle").Rule(evaltest.NewRule("middle_rule").When(evaltest.PassGate("segment:eu"))),
		evaltest.NewGate("top").Rule(
			evaltest.NewRule("never").When(evaltest.UserField("country", "any", "XX"), evaltest.FailGate("middle")),
			evaltest.NewRule("again").When(evaltest.PassGate("middle")),
		),
	)
	res := ask(t, d, eval.KindGate, "top", eval.UserAttributes{})
	leaf := eval.SecondaryExposure{Gate: "leaf", GateValue: "true", RuleID: "leaf_rule"}
	middle := eval.SecondaryExposure{Gate: "middle", GateValue: "true", RuleID: "middle_rule"}
	// A rule that has failed already still exposes its gates; a gate met twice is exposed twice; a segment never is.
	want := []eval.SecondaryExposure{leaf, middle, leaf, middle}
	if diff := cmp.Diff(want, res.SecondaryExposures); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !res.Pass || res.RuleID != "again" || !res.HasSeenAnalyticalGates {
		t.Errorf("top = %t by %q, analytical gates %t", res.Pass, res.RuleID, res.HasSeenAnalyticalGates)
	}
}

func TestMissingGatesFailAndAreNotExposed(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("pass").Rule(evaltest.NewRule("r").When(evaltest.PassGate("nowhere"))),
		evaltest.NewGate("fail").Rule(evaltest.NewRule("r").When(evaltest.FailGate("nowhere"))),
	)
	for name, want := range map[string]bool{"pass": false, "fail": true} {
		res := ask(t, d, eval.KindGate, name, eval.UserAttributes{})
		if res.Pass != want || len(res.SecondaryExposures) != 0 {
			t.Errorf("%s = %t with exposures %v, want %t with none", name, res.Pass, res.SecondaryExposures, want)
		}
	}
}

func TestReasons(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("known"),
		evaltest.NewGate("operator").Rule(evaltest.NewRule("r").When(evaltest.UserField("f", "is_prime", 1))),
		evaltest.NewGate("condition").Rule(evaltest.NewRule("r").When(evaltest.NewCondition("moon_phase"))),
		evaltest.NewGate("hash").Rule(evaltest.NewRule("r").WhenHash("gone")),
		evaltest.NewGate("nested").Rule(evaltest.NewRule("r").When(evaltest.PassGate("operator"))),
		evaltest.NewGate("circle").Rule(evaltest.NewRule("r").When(evaltest.PassGate("circle"))),
	).Time(42)
	tests := map[string]string{
		"known": "Network:Recognized", "unknown": "Network:Unrecognized", "operator": "Network:Unsupported",
		"condition": "Network:Unsupported", "hash": "Network:Unsupported", "nested": "Network:Unsupported", "circle": "Error",
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			res := ask(t, d, eval.KindGate, name, eval.UserAttributes{})
			if res.Details.String() != want || res.Pass {
				t.Errorf("%s = %t, %v; want false, %s", name, res.Pass, res.Details, want)
			}
			if want != "Error" && res.Details.LCUT != 42 {
				t.Errorf("config update time %d, want 42", res.Details.LCUT)
			}
		})
	}
}

func TestResultsOfUnknownNames(t *testing.T) {
	for _, kind := range []eval.Kind{
		eval.KindGate, eval.KindDynamicConfig, eval.KindExperiment, eval.KindLayer, eval.KindParameterStore, 0, 99,
	} {
		res := ask(t, evaltest.NewDocument(), kind, "x", eval.UserAttributes{UserID: "u"})
		want := eval.Result{
			Ref: eval.Ref{Kind: kind, Name: "x"}, Version: -1, SamplingRate: -1,
			SecondaryExposures: []eval.SecondaryExposure{},
			Details:            eval.Details{Source: "Network", Reason: eval.ReasonUnrecognized, LCUT: 1},
		}
		if diff := cmp.Diff(want, res, cmpopts.IgnoreUnexported(eval.Result{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", kind, diff)
		}
	}
}

func TestExperimentGroupConditions(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewExperiment("e").Rule(evaltest.NewRule("r").Group("Test").When(evaltest.UserField("country", "any", "DE"))),
		evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(evaltest.ExperimentGroup("e", "any", "Test"))),
		evaltest.NewExperiment("self").Rule(evaltest.NewRule("r").Group("A").When(evaltest.ExperimentGroup("self", "any", "A"))),
	)
	if !ask(t, d, eval.KindGate, "g", eval.UserAttributes{Country: "DE"}).Pass {
		t.Error("a user in the group doesn't pass")
	}
	if ask(t, d, eval.KindGate, "g", eval.UserAttributes{Country: "FR"}).Pass {
		t.Error("a user without a group passes")
	}
	if res := ask(t, d, eval.KindExperiment, "self", eval.UserAttributes{}); res.Pass {
		t.Errorf("an experiment that asks for its own group passes: %+v", res)
	}
}

func TestParametersOfAValue(t *testing.T) {
	d := evaltest.NewDocument(evaltest.NewDynamicConfig("c").Rule(evaltest.NewRule("r").Return(map[string]any{
		"a.b": 1, "": "empty", "*": []int{1}, "nested": map[string]any{"a": 2}, "a": nil,
	})))
	res := ask(t, d, eval.KindDynamicConfig, "c", eval.UserAttributes{})
	for name, want := range map[string]string{
		"a.b": "1", "": `"empty"`, "*": "[1]", "nested": `{"a":2}`, "a": "null",
	} {
		if got, ok := res.Parameter(name); !ok || got != want {
			t.Errorf("Parameter(%q) = %q, %t; want %q", name, got, ok, want)
		}
	}
	if got, ok := res.Parameter("nested.a"); ok {
		t.Errorf("a name was taken for a path: %q", got)
	}
}
