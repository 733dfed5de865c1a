package eval_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// banditDocument has one bandit of three arms; change adapts it.
func banditDocument(change func(bandit values)) *evaltest.Document {
	model := func(intercept, age float64, country values) values {
		return values{
			"alpha": 0, "intercept": intercept, "records": 5,
			"weightsNumerical": values{"age": age}, "weightsCategorical": values{"country": country},
		}
	}
	arm := func(name string) values {
		return values{"name": name, "id": name + "_id", "parameterValues": values{"v": name}}
	}
	bandit := values{
		"salt": "s", "idType": "userID", "enabled": true, "version": 3, "sampleRate": 0, "higherIsBetter": true,
		"defaultValue": values{"v": "default"}, "groups": []values{arm("A"), arm("B"), arm("C")},
		"config": values{"A_id": model(1, 0.1, values{"DE": 5}), "B_id": model(2, 0, values{"FR": 5})},
	}
	change(bandit)
	return evaltest.NewDocument(
		evaltest.NewGate("adults").Rule(evaltest.NewRule("a").When(evaltest.UserFieldValue("age", "gte", 18))),
	).With("cmab_configs", values{"bandit": bandit})
}

func TestBandits(t *testing.T) {
	tests := map[string]struct {
		change    func(bandit values)
		user      eval.UserAttributes
		wantRule  string
		wantGroup string
		wantValue string
		wantOff   bool
	}{
		"the arm with the best score wins": {
			user: eval.UserAttributes{Country: "DE"}, wantRule: "A_id", wantGroup: "A", wantValue: `{"v":"A"}`,
		},
		"a category without a weight counts 0": {
			user: eval.UserAttributes{Country: "IT"}, wantRule: "B_id", wantGroup: "B", wantValue: `{"v":"B"}`,
		},
		"numbers are weighed": {
			user:     eval.UserAttributes{Custom: values{"age": "20"}},
			wantRule: "A_id", wantGroup: "A", wantValue: `{"v":"A"}`,
		},
		"of equal arms the first wins": {
			change: func(b values) { b["config"].(values)["B_id"].(values)["intercept"] = 1 },
			user:   eval.UserAttributes{}, wantRule: "A_id", wantGroup: "A", wantValue: `{"v":"A"}`,
		},
		"lower can be better": {
			change: func(b values) { b["higherIsBetter"] = false },
			user:   eval.UserAttributes{}, wantRule: "A_id", wantGroup: "A", wantValue: `{"v":"A"}`,
		},
		"a bandit that is off gives the default": {
			change: func(b values) { b["enabled"] = false }, wantRule: "prestart", wantValue: `{"v":"default"}`, wantOff: true,
		},
		"a bandit without arms gives the default": {
			change: func(b values) { b["groups"] = []values{} }, wantRule: "prestart", wantValue: `{"v":"default"}`,
		},
		"users outside of its gate get the default": {
			change: func(b values) { b["targetingGateName"] = "adults" },
			user:   eval.UserAttributes{Custom: values{"age": 3}}, wantRule: "inlineTargetingRules", wantValue: `{"v":"default"}`,
		},
		"users inside of its gate take part": {
			change: func(b values) { b["targetingGateName"] = "adults" },
			user:   eval.UserAttributes{Custom: values{"age": 30}}, wantRule: "A_id", wantGroup: "A", wantValue: `{"v":"A"}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.change == nil {
				tc.change = func(values) {}
			}
			res := ask(t, banditDocument(tc.change), eval.KindExperiment, "bandit", tc.user)
			if res.RuleID != tc.wantRule || res.GroupName != tc.wantGroup || res.Value != tc.wantValue {
				t.Errorf("%s in %q by %q; want %s in %q by %q", res.Value, res.GroupName, res.RuleID, tc.wantValue,
					tc.wantGroup, tc.wantRule)
			}
			if res.Version != 3 || res.IsExperimentActive == tc.wantOff {
				t.Errorf("version %d, active %t; want 3, %t", res.Version, res.IsExperimentActive, !tc.wantOff)
			}
		})
	}
}

func TestBanditsAreExperimentsOnly(t *testing.T) {
	res := ask(t, banditDocument(func(values) {}), eval.KindDynamicConfig, "bandit", eval.UserAttributes{})
	if res.Details.Reason != eval.ReasonUnrecognized {
		t.Errorf("asked as a dynamic config a bandit is %v", res.Details)
	}
}

// TestExplorationIsSpreadAndRepeatable covers what the official SDK draws by chance: here the user's hash decides.
func TestExplorationIsSpreadAndRepeatable(t *testing.T) {
	for name, change := range map[string]func(values){
		"without a model":             func(b values) { delete(b, "config") },
		"while it samples":            func(b values) { b["sampleRate"] = 1 },
		"without a model for any arm": func(b values) { b["config"] = values{} },
	} {
		t.Run(name, func(t *testing.T) {
			e := eval.NewEvaluator(evaltest.Compile(t, banditDocument(change)), eval.Options{})
			ref := eval.Ref{Kind: eval.KindExperiment, Name: "bandit"}
			groups := map[string]int{}
			for i := range 600 {
				u := eval.NewUser(eval.UserAttributes{UserID: fmt.Sprint("user", i)})
				res := e.Evaluate(ref, u, evaluatedAt, nil)
				if diff := cmp.Diff(res, e.Evaluate(ref, u, evaluatedAt, nil), cmp.AllowUnexported(eval.Result{})); diff != "" {
					t.Fatalf("a second evaluation differs:\n%s", diff)
				}
				groups[res.GroupName]++
			}
			for _, group := range []string{"A", "B", "C"} {
				if groups[group] < 60 {
					t.Errorf("%d of 600 users in group %s: %v", groups[group], group, groups)
				}
			}
		})
	}
}
