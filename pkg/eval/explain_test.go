package eval_test

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// explainedUsers is how many users of each conformance document are explained; they are spread over its list.
const explainedUsers = 10

func TestExplainAnswersLikeEvaluate(t *testing.T) {
	folders := []string{conformanceData}
	if dir := os.Getenv("CONFORMANCE_DIR"); dir != "" {
		folders = append(folders, dir) // the documents of real projects are not part of this repository
	}
	for _, folder := range folders {
		groups, err := conformance.Groups(folder)
		if err != nil || len(groups) == 0 {
			t.Fatalf("no conformance data in %s: %v", folder, err)
		}
		for _, g := range groups {
			p, err := g.Project()
			if err != nil {
				t.Fatalf("%s: %v", g.Name, err)
			}
			explainProject(t, p)
		}
	}
}

// explainProject explains every entity of a document for a sample of its users.
func explainProject(t *testing.T, p *conformance.Project) {
	t.Helper()
	step := max(1, len(p.Users)/explainedUsers) * userStride
	for _, ref := range p.Evaluator.Snapshot().Refs() {
		for u := 0; u < len(p.Users); u += step {
			explained(t, p.Evaluator, ref, p.Users[u], p.Instants[u])
		}
	}
}

// sameResult compares results in every field. Nobody can tell whether a list of parameters' rules is empty or nil.
var sameResult = cmp.Options{
	cmp.Exporter(func(reflect.Type) bool { return true }),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".parameterRules" }, cmpopts.EquateEmpty()),
}

// explained explains one evaluation, and checks that the trace is of the answer that Evaluate gives.
func explained(t *testing.T, e *eval.Evaluator, ref eval.Ref, u *eval.User, now time.Time) *eval.Trace {
	t.Helper()
	want := e.Evaluate(ref, u, now, nil)
	got, trace := e.Explain(ref, u, now)
	if !reflect.DeepEqual(got, want) && !cmp.Equal(got, want, sameResult) {
		t.Fatalf("%v, user %q: Explain = %s, want %s", ref, u.UserID(), show(got), show(want))
	}
	if trace.Pass != want.Pass || trace.RuleID != want.RuleID || trace.Reason != want.Details.String() ||
		trace.GroupName != want.GroupName || (ref.Kind != eval.KindGate && string(trace.Value) != want.Value) {
		t.Fatalf("%v, user %q: trace %s, want that of %s", ref, u.UserID(), show(trace), show(want))
	}
	checkTrace(t, trace)
	return trace
}

// checkTrace checks that a trace agrees with itself.
func checkTrace(t *testing.T, trace *eval.Trace) {
	t.Helper()
	if _, err := json.Marshal(trace); err != nil {
		t.Fatalf("trace of %s has no JSON form: %v", trace.Name, err)
	}
	decided := ""
	for _, rule := range trace.Rules {
		checkRule(t, trace.Name, rule)
		if rule.Decides {
			decided = rule.ID
		}
	}
	for _, m := range trace.Mappings {
		checkRule(t, trace.Name, &m.Rule)
		if m.Outcome != nil {
			checkTrace(t, m.Outcome)
		}
		if m.Rule.Decides && trace.Cause != eval.CauseMapping {
			t.Errorf("%s: a mapping decides and the cause is %q", trace.Name, trace.Cause)
		}
	}
	if trace.Cause != eval.CauseRule {
		if decided != "" {
			t.Errorf("%s: rule %q decides and the cause is %q", trace.Name, decided, trace.Cause)
		}
		return
	}
	for _, rule := range trace.Rules {
		if rule.Decides && (rule.ID == trace.RuleID || (rule.Delegate != nil && rule.Delegate.RuleID == trace.RuleID)) {
			return
		}
	}
	if trace.Kind != "Layer" {
		t.Errorf("%s: rule %q decides, and the answer has rule %q", trace.Name, decided, trace.RuleID)
	}
}

func checkRule(t *testing.T, name string, rule *eval.RuleTrace) {
	t.Helper()
	passed := 0
	for _, c := range rule.Conditions {
		if c.Pass {
			passed++
		}
		if c.Evaluation != nil {
			checkTrace(t, c.Evaluation)
		}
	}
	if rule.HiddenConditions == 0 && (passed != rule.Passed || (rule.Matched && passed != len(rule.Conditions))) {
		t.Errorf("%s: rule %q: matched %t with %d of %d conditions passed, want %d", name, rule.ID, rule.Matched,
			rule.Passed, len(rule.Conditions), passed)
	}
	if p := rule.Percentage; p != nil && p.Bucket != nil && p.Pass != (float64(*p.Bucket) < p.Threshold) {
		t.Errorf("%s: rule %q: bucket %d of %v passes: %t", name, rule.ID, *p.Bucket, p.Threshold, p.Pass)
	}
	if rule.Percentage != nil && !rule.Matched {
		t.Errorf("%s: rule %q has a percentage and didn't match", name, rule.ID)
	}
	if rule.Delegate != nil {
		checkTrace(t, rule.Delegate)
	}
}
