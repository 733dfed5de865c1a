package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEvaluatorsAnswerByTheRulesPlainMeaning(t *testing.T) {
	users := newUsers()
	us, err := newOurs(users)
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := newGoSDK(users)
	if err != nil {
		t.Fatal(err)
	}
	defer sdk.close()
	book, err := newGrowthBook(t.Context(), users)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := agree([]peer{us, newLaunchDarkly(users), sdk, book}, &out); err != nil {
		t.Error(err)
	}
}

func TestAWrongAnswerEndsTheRun(t *testing.T) {
	liar := &goPeer{title: "liar", check: func(string) func(int) bool { return func(int) bool { return false } }}
	if err := agree([]peer{liar}, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "liar") {
		t.Errorf("error %v, want one that names the evaluator", err)
	}
}

func TestRulesMeanWhatTheySay(t *testing.T) {
	plain := newRules(features())
	tests := map[string]struct {
		flag      string
		user      int
		want      bool
		wantKnown bool
	}{
		"a country outside the list fails":     {"match", 3, false, true},
		"a country in the list passes":         {"match", 1, true, true},
		"a percentage leaves the answer open":  {"rollout", 1, false, false},
		"a condition that fails decides alone": {"match_rollout", 3, false, true},
		"the last of ten rules passes":         {"10rules", 1, true, true},
		"both nested flags count":              {"nested", 4, false, true},
		"a listed address passes":              {"list1000", 999, true, true},
		"an address not listed fails":          {"list1000", 1000, false, true},
		"an older version fails":               {"version", 2, false, true},
		"a newer version passes":               {"version", 3, true, true},
		"a flag that doesn't exist is false":   {"missing", 1, false, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, known := plain.answer(tc.flag, newUser(tc.user))
			if known != tc.wantKnown || (known && got != tc.want) {
				t.Errorf("answer = %v, known %v; want %v, %v", got, known, tc.want, tc.wantKnown)
			}
		})
	}
}

func TestBothFormsOfADocumentHoldTheSameRules(t *testing.T) {
	text, err := largeDocument(0.1, false)
	if err != nil {
		t.Fatal(err)
	}
	want, err := largeDocument(0.1, true)
	if err != nil {
		t.Fatal(err)
	}
	got, err := legacyForm(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(gatesByName(t, want), gatesByName(t, got)); diff != "" {
		t.Errorf("gates (-want +got):\n%s", diff)
	}
	if _, err := compileDocument(text); err != nil {
		t.Error(err)
	}
}

func gatesByName(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var document struct {
		Gates []object `json:"feature_gates"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	gates := map[string]any{}
	for _, gate := range document.Gates {
		name, _ := gate["name"].(string)
		gates[name] = gate
	}
	return gates
}

func TestCompareShowsTheLeastAndTheMedianOfTheRounds(t *testing.T) {
	elapsed := []time.Duration{1000, 30, 10, 20} // the first finds the size of a batch
	c := contestant{"c", func(n int) (sample, error) {
		next := elapsed[0]
		elapsed = elapsed[1:]
		return sample{elapsed: next * time.Duration(n), operations: n, allocs: uint64(2 * n)}, nil
	}}
	got, err := meter{rounds: 3, batch: 1000}.compare([]contestant{c, {name: "absent"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []timing{{least: 10, median: 20, allocs: 2, measured: true}, {}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(timing{})); diff != "" {
		t.Errorf("timings (-want +got):\n%s", diff)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, args := range map[string][]string{
		"an unknown section is refused": {"-only", "speed"},
		"no rounds are refused":         {"-rounds", "0"},
		"arguments are refused":         {"evaluation"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseOptions(args); err == nil {
				t.Error("no error, want one")
			}
		})
	}
}
