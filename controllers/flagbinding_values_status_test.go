package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// byUser is a gate and a config that answer by the name of the workload.
func byUser() *evaltest.Document {
	names := func(names ...any) evaltest.Condition { return evaltest.UserField("userID", "any", names...) }
	color := func(color string) map[string]any { return map[string]any{"color": color} }
	return evaltest.NewDocument(
		evaltest.NewGate("on").Rule(evaltest.NewRule("everyone")),
		evaltest.NewGate("new").Rule(evaltest.NewRule("some").When(names("shop/a", "shop/b"))),
		evaltest.NewExperiment("color").Default(color("gray")).Rule(
			evaltest.NewRule("1").Group("Red").When(names("shop/a", "shop/b")).Return(color("red")),
			evaltest.NewRule("2").Group("Green").When(names("shop/c", "shop/d")).Return(color("green")),
			evaltest.NewRule("3").Group("Blue").When(names("shop/e")).Return(color("blue")),
			evaltest.NewRule("4").Group("Pink").When(names("shop/f")).Return(color("pink")),
			evaltest.NewRule("5").Group("Cyan").When(names("shop/g")).Return(color("cyan")),
			evaltest.NewRule("6").Group("Mint").When(names("shop/h")).Return(color("mint")),
		),
	)
}

func deployments(names ...string) []workload {
	var workloads []workload
	for _, name := range names {
		workloads = append(workloads, newDeployment(name))
	}
	return workloads
}

func TestEntriesShowTheMostFrequentOutcomeAndTheOthers(t *testing.T) {
	color := v1alpha1.Entry{Name: "color", Experiment: "color", Parameter: "color"}
	outcome := func(value, rule, group string, units int32) v1alpha1.EntryOutcome {
		return v1alpha1.EntryOutcome{Value: value, RuleID: rule, Group: group, Units: units}
	}
	evaluatedStatus := func(o v1alpha1.EntryOutcome, others ...v1alpha1.EntryOutcome) v1alpha1.EntryStatus {
		return v1alpha1.EntryStatus{
			Name: "color", Kind: "Experiment", State: v1alpha1.EntryEvaluated, Reason: "Network:Recognized",
			Value: o.Value, RuleID: o.RuleID, Group: o.Group, Units: o.Units, Others: others,
		}
	}
	for name, tc := range map[string]struct {
		units []string
		want  v1alpha1.EntryStatus
	}{
		"All units agree": {[]string{"a", "b"}, evaluatedStatus(outcome("red", "1", "Red", 2))},
		"The most frequent comes first": {
			[]string{"a", "c", "d"}, evaluatedStatus(outcome("green", "2", "Green", 2), outcome("red", "1", "Red", 1)),
		},
		"Among equals the value decides": {
			[]string{"a", "b", "c", "d"}, evaluatedStatus(outcome("green", "2", "Green", 2), outcome("red", "1", "Red", 2)),
		},
		"At most four others are listed": {
			[]string{"a", "b", "c", "d", "e", "f", "g", "h"},
			evaluatedStatus(outcome("green", "2", "Green", 2), outcome("red", "1", "Red", 2), outcome("blue", "3", "Blue", 1),
				outcome("cyan", "5", "Cyan", 1), outcome("mint", "6", "Mint", 1)),
		},
		"There are no units": {nil, v1alpha1.EntryStatus{Name: "color", Kind: "Experiment"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScope(t, newBinding("b").Entry(color).ConfigMap("f").Obj(), evaltest.Compile(t, byUser()), deployments(tc.units...)...)
			got := describeEntries(evaluated(t, s, nil))
			if diff := cmp.Diff([]v1alpha1.EntryStatus{tc.want}, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEntriesWithoutAnAnswerSayWhatStandsInTheTarget(t *testing.T) {
	nope := func(defaultValue string) v1alpha1.Entry {
		e := v1alpha1.Entry{Name: "x", Gate: "nope"}
		if defaultValue != "" {
			e.Default = rawJSON(defaultValue)
		}
		return e
	}
	for name, tc := range map[string]struct {
		entry    v1alpha1.Entry
		snapshot bool
		previous map[string]string
		want     v1alpha1.EntryStatus
	}{
		"The previous value is kept": {
			nope("false"), true, map[string]string{"x": "true"},
			v1alpha1.EntryStatus{State: v1alpha1.EntryKept, Value: "true", Reason: "Network:Unrecognized"},
		},
		"The previous value is kept without specs": {
			nope("false"), false, map[string]string{"x": "true"}, v1alpha1.EntryStatus{State: v1alpha1.EntryKept, Value: "true"},
		},
		"The default is taken where nothing was before": {
			nope(`"a b"`), true, nil, v1alpha1.EntryStatus{State: v1alpha1.EntryDefault, Value: "a b", Reason: "Network:Unrecognized"},
		},
		"Without a default it is absent": {
			nope(""), true, map[string]string{"y": "true"}, v1alpha1.EntryStatus{State: v1alpha1.EntryAbsent, Reason: "Network:Unrecognized"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var snapshot *eval.Snapshot
			if tc.snapshot {
				snapshot = evaltest.Compile(t, byUser())
			}
			s := newScope(t, newBinding("b").Entry(tc.entry).ConfigMap("f").Obj(), snapshot, deployments("a")...)
			got := describeEntries(evaluated(t, s, tc.previous))
			tc.want.Name, tc.want.Kind, tc.want.Units = "x", "Gate", 1
			ignore := cmpopts.IgnoreFields(v1alpha1.EntryStatus{}, "RuleID")
			if diff := cmp.Diff([]v1alpha1.EntryStatus{tc.want}, got, ignore, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

// A value must be told even where the first target could not be written, or had nowhere to go.
func TestEntriesAreDescribedWithoutTheFirstTarget(t *testing.T) {
	for name, targets := range map[string]*bindingBuilder{
		"A ConfigMap that could not be written":  newBinding("b").ConfigMap("f"),
		"Annotations of a workload without pods": newBinding("b").Annotations("flags.example.com"),
	} {
		t.Run(name, func(t *testing.T) {
			binding := targets.Gate("on").Entry(
				v1alpha1.Entry{Name: "default", Gate: "nope", Default: rawJSON("7")}, v1alpha1.Entry{Name: "absent", Gate: "nope"}).Obj()
			s := newScope(t, binding, evaltest.Compile(t, byUser()), deployments("a")...)
			s.units = buildUnits(binding, s.workloads)
			evaluateUnits(s, "test-cluster")
			var got []string
			for _, e := range describeEntries(s) {
				got = append(got, fmt.Sprintf("%s=%s %s", e.Name, e.Value, e.State))
			}
			want := []string{"on=true Evaluated", "default=7 Default", "absent= Absent"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatStatsigSaysIsBoundedInStatus(t *testing.T) {
	long := strings.Repeat("é", 1000)
	snapshot := evaltest.Compile(t, evaltest.NewDocument(
		evaltest.NewExperiment("e").Rule(evaltest.NewRule(long).Group(long).Return(map[string]any{"v": long})),
	))
	binding := newBinding("b").UserID(v1alpha1.Expression(`"` + strings.Repeat("u", 1000) + `"`)).
		Entry(v1alpha1.Entry{Name: "e", Experiment: "e", Parameter: "v"}).ConfigMap("f").Obj()
	s := evaluated(t, newScope(t, binding, snapshot, deployments("a")...), nil)
	s.targets[0].fail(v1alpha1.ReasonTargetInvalid, long)
	computeBindingStatus(s, nil, scrubNothing)
	checkKstatus(t, binding.Status.Conditions, 3)
	e, unit, target := binding.Status.Entries[0], binding.Status.Workloads[0], binding.Status.Targets[0]
	for field, text := range map[string]struct {
		text  string
		limit int
	}{
		"entries.value": {e.Value, 128}, "entries.ruleID": {e.RuleID, 256}, "entries.group": {e.Group, 256},
		"workloads.userID": {unit.UserID, 256}, "targets.message": {target.Message, 512},
	} {
		if n := utf8.RuneCountInString(text.text); n == 0 || n > text.limit || !strings.HasSuffix(text.text, "…") {
			t.Errorf("%s: want it cut to %d characters, got %d: %s", field, text.limit, n, text.text)
		}
	}
}

func TestUnitsInStatusAreTheFirstFifty(t *testing.T) {
	names := make([]string, 120)
	for i := range names {
		names[i] = fmt.Sprintf("w%03d", i)
	}
	s := evaluated(t, newScope(t, newBinding("b").Gate("on").ConfigMap("f-$(workload.name)").Obj(), evaltest.Compile(t, byUser()),
		deployments(names...)...), nil)
	s.units[1].userErr = errors.New("no such key: team")
	computeBindingStatus(s, nil, scrubNothing)
	status := s.binding.Status
	if status.Units != 120 || len(status.Workloads) != 50 || status.Workloads[49].Name != "w049" {
		t.Fatalf("units: want 120, of which w000 to w049 are listed, got %d and %d", status.Units, len(status.Workloads))
	}
	want := []v1alpha1.UnitStatus{
		{Kind: "Deployment", Name: "w000", UserID: "shop/w000", Hash: status.Workloads[0].Hash},
		{Kind: "Deployment", Name: "w001", Message: "No such key: team."},
		{Kind: "Deployment", Name: "w002", UserID: "shop/w002", Hash: status.Workloads[0].Hash},
	}
	if diff := cmp.Diff(want, status.Workloads[:3]); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	if len(status.Workloads[0].Hash) != 8 {
		t.Errorf("hash of a unit: want 8 digits, got %q", status.Workloads[0].Hash)
	}
	if got := status.Entries[0].Units; got != 119 {
		t.Errorf("units with the entry's outcome: want those with a user, 119, got %d", got)
	}
}

func TestTargetsInStatus(t *testing.T) {
	s := &bindingScope{targets: []targetOutcome{
		{name: "env", objects: 5}, {name: "live", objects: 2, reason: v1alpha1.ReasonTargetConflict, message: "Pod a is taken."}, {name: "idle"},
	}}
	got, applied := describeTargets(s, scrubNothing)
	want := []v1alpha1.TargetStatus{
		{Name: "env", State: v1alpha1.TargetApplied, Objects: 5},
		{Name: "live", State: v1alpha1.TargetFailed, Objects: 2, Message: "Pod a is taken."},
		{Name: "idle", State: v1alpha1.TargetApplied},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if applied != "2/3" {
		t.Errorf("targets applied: want 2/3, got %s", applied)
	}
	first := targetOutcome{}
	first.fail("A", "first")
	first.fail("B", "second")
	if first.reason != "A" || first.message != "first" {
		t.Errorf("the first trouble is the one told: got %s: %s", first.reason, first.message)
	}
}

func TestHashTellsValuesApart(t *testing.T) {
	hash := func(gate string, previous map[string]string, units ...string) string {
		binding := newBinding("b").Entry(v1alpha1.Entry{Name: "x", Gate: gate}).ConfigMap("f").Obj()
		return bindingHash(evaluated(t, newScope(t, binding, evaltest.Compile(t, byUser()), deployments(units...)...), previous))
	}
	base := hash("on", nil, "a", "b")
	for name, same := range map[string]string{
		"evaluated again":                  hash("on", nil, "a", "b"),
		"given by another gate":            hash("new", nil, "a", "b"),
		"kept from before":                 hash("nope", map[string]string{"x": "true"}, "a", "b"),
		"of a target with something other": hash("on", map[string]string{"y": "1"}, "a", "b"),
	} {
		if same != base {
			t.Errorf("equal values, %s: want hash %s, got %s", name, base, same)
		}
	}
	for name, other := range map[string]string{
		"another value of one unit": hash("new", nil, "a", "c"), "other units": hash("on", nil, "a", "c"),
		"no value": hash("nope", nil, "a", "b"), "an empty value": hash("nope", map[string]string{"x": ""}, "a", "b"),
	} {
		if other == base || len(other) != 8 {
			t.Errorf("%s: want another hash than %s, got %s", name, base, other)
		}
	}
}

// A new document that changes no value must not change the status of thousands of bindings.
func TestSpecsHashMovesWithTheValuesOnly(t *testing.T) {
	binding := newBinding("b").Gate("on").ConfigMap("f").Obj()
	compute := func(document *evaltest.Document) v1alpha1.FlagBindingStatus {
		s := newScope(t, binding, evaltest.Compile(t, document), deployments("a")...)
		computeBindingStatus(evaluated(t, s, nil), nil, scrubNothing)
		return *binding.Status.DeepCopy()
	}
	first := compute(byUser())
	if len(first.SpecsHash) != 8 {
		t.Fatalf("specsHash: want 8 digits, got %q", first.SpecsHash)
	}
	if diff := cmp.Diff(first, compute(byUser().Add(evaltest.NewGate("another")))); diff != "" {
		t.Errorf("status after an unrelated change (-want +got):\n%s", diff)
	}
	changed := compute(byUser().Add(evaltest.NewGate("on")))
	if changed.SpecsHash == first.SpecsHash || changed.Hash == first.Hash || changed.Entries[0].Value != "false" {
		t.Errorf("status after the gate was closed: want new hashes and the value false, got %+v", changed)
	}
}

func TestNamesInMessagesAreBounded(t *testing.T) {
	binding := newBinding("b").ConfigMap("f")
	for i := range 20 {
		binding.Entry(v1alpha1.Entry{Name: fmt.Sprintf("e%d", i), Gate: "nope", Required: true})
	}
	s := evaluated(t, newScope(t, binding.Obj(), evaltest.Compile(t, byUser()), deployments("a")...), nil)
	const want = "The specs don't have what these entries name: e0 (Gate nope), e1 (Gate nope), e2 (Gate nope) and 17 more. " +
		"The entry keeps its value or takes its default."
	if got := entriesVerdict(s).message; got != want {
		t.Errorf("message: want %q, got %q", want, got)
	}
}

func TestStatusShowsNoKeyThatTheDocumentHolds(t *testing.T) {
	const key = "secret-Abcdefghijklmnopqrstuvwxyz"
	entries := []v1alpha1.EntryStatus{{
		Name: "on", Value: key, RuleID: "rule " + key, Group: key,
		Others: []v1alpha1.EntryOutcome{{Value: key, RuleID: key, Group: key + "!"}},
	}}
	scrubEntries(entries, scrubNothing)
	want := []v1alpha1.EntryStatus{{
		Name: "on", Value: secret.Redacted, RuleID: "rule " + secret.Redacted, Group: secret.Redacted,
		Others: []v1alpha1.EntryOutcome{{Value: secret.Redacted, RuleID: secret.Redacted, Group: secret.Redacted + "!"}},
	}}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Errorf("scrubbed (-want +got):\n%s", diff)
	}
}
