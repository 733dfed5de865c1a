package controllers

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// everyKind is a document with an entity of each kind, and some that cannot be evaluated.
func everyKind() *evaltest.Document {
	return evaltest.NewDocument(
		evaltest.NewGate("on").Rule(evaltest.NewRule("everyone")),
		evaltest.NewGate("off"),
		evaltest.NewGate("odd").Rule(evaltest.NewRule("r").When(evaltest.NewCondition("telepathy"))),
		evaltest.NewGate("loop").Rule(evaltest.NewRule("r").When(evaltest.PassGate("loop"))),
		evaltest.NewGate("nested").Rule(evaltest.NewRule("r").When(evaltest.PassGate("on"))),
		evaltest.NewGate("nested_off").Rule(evaltest.NewRule("r").When(evaltest.FailGate("off"))),
		evaltest.NewDynamicConfig("limits").Rule(evaltest.NewRule("all").Return(map[string]any{
			"rps": 10, "tiers": map[string]any{"gold": map[string]any{"rps": 50}}, "tiers.gold": "literal", "note": nil,
		})),
		evaltest.NewDynamicConfig("bare"),
		evaltest.NewExperiment("color").Rule(evaltest.NewRule("green").Group("Green").Return(map[string]any{"color": "green"})),
		evaltest.NewExperiment("model").Rule(evaltest.NewRule("test").Group("Test").Return(map[string]any{"model": "boost"})).
			With("explicitParameters", []any{"model"}),
		evaltest.NewLayer("ranking").Default(map[string]any{"model": "baseline"}).Rule(evaltest.NewRule("r").Delegate("model")),
	).Store("ui", map[string]any{
		"title": evaltest.Static("Shop"), "theme": evaltest.FromGate("on", "modern", "classic"),
		"color": evaltest.FromExperiment("color", "color"), "rps": evaltest.FromDynamicConfig("limits", "rps"),
		"gone": evaltest.FromDynamicConfig("no_such_config", "rps"),
	})
}

// answer is what an entry comes to. A RuleID that is empty may be anything.
type answer struct{ Value, Problem, RuleID, Group, Parameter, Details string }

const recognized = "Network:Recognized"

func checkAnswer(t *testing.T, entry v1alpha1.Entry, want answer) {
	t.Helper()
	evaluator := eval.NewEvaluator(evaltest.Compile(t, everyKind()), eval.Options{})
	user := eval.NewUser(eval.UserAttributes{UserID: "shop/checkout"})
	v := evaluateEntry(evaluator, &entry, user, noon, new(eval.Recorder))
	got := answer{v.value, v.problem, v.result.RuleID, v.result.GroupName, v.parameter, v.result.Details.String()}
	if want.RuleID == "" {
		got.RuleID = ""
	}
	if v.problem != "" {
		got.Value = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestGatesAndDynamicConfigsAreEvaluated(t *testing.T) {
	for name, tc := range map[string]struct {
		entry v1alpha1.Entry
		want  answer
	}{
		"A gate that passes is true":          {v1alpha1.Entry{Gate: "on"}, answer{"true", "", "everyone", "", "", recognized}},
		"A gate that fails is false":          {v1alpha1.Entry{Gate: "off"}, answer{"false", "", "default", "", "", recognized}},
		"A gate that does not exist":          {v1alpha1.Entry{Gate: "nope"}, answer{"", "EntityNotFound", "", "", "", "Network:Unrecognized"}},
		"A gate with an unknown condition":    {v1alpha1.Entry{Gate: "odd"}, answer{"", "UnsupportedOperator", "", "", "", "Network:Unsupported"}},
		"A gate that needs itself":            {v1alpha1.Entry{Gate: "loop"}, answer{"", "EvaluationFailed", "", "", "", "Error"}},
		"A dynamic config without any member": {v1alpha1.Entry{DynamicConfig: "bare"}, answer{"{}", "", "default", "", "", recognized}},
		"A parameter of a dynamic config": {
			v1alpha1.Entry{DynamicConfig: "limits", Parameter: "rps"}, answer{"10", "", "all", "", "rps", recognized},
		},
		"A parameter is taken literally": {
			v1alpha1.Entry{DynamicConfig: "limits", Parameter: "tiers.gold"}, answer{`"literal"`, "", "all", "", "tiers.gold", recognized},
		},
		"A parameter that is null is there": {
			v1alpha1.Entry{DynamicConfig: "limits", Parameter: "note"}, answer{"null", "", "all", "", "note", recognized},
		},
		"A parameter that is not there": {
			v1alpha1.Entry{DynamicConfig: "limits", Parameter: "burst"}, answer{"", "ValueNotFound", "all", "", "burst", recognized},
		},
		"A path into a dynamic config": {
			v1alpha1.Entry{DynamicConfig: "limits", Path: "tiers.gold.rps"}, answer{"50", "", "all", "", "", recognized},
		},
		"A path to nothing": {
			v1alpha1.Entry{DynamicConfig: "limits", Path: "tiers.silver.rps"}, answer{"", "ValueNotFound", "all", "", "", recognized},
		},
	} {
		t.Run(name, func(t *testing.T) { checkAnswer(t, tc.entry, tc.want) })
	}
}

func TestExperimentsLayersAndStoresAreEvaluated(t *testing.T) {
	for name, tc := range map[string]struct {
		entry v1alpha1.Entry
		want  answer
	}{
		"A whole experiment": {
			v1alpha1.Entry{Experiment: "color"}, answer{`{"color":"green"}`, "", "green", "Green", "", recognized},
		},
		"A parameter of an experiment": {
			v1alpha1.Entry{Experiment: "color", Parameter: "color"}, answer{`"green"`, "", "green", "Green", "color", recognized},
		},
		"A layer hands over to its experiment": {
			v1alpha1.Entry{Layer: "ranking", Parameter: "model"}, answer{`"boost"`, "", "test", "Test", "model", recognized},
		},
		"A parameter that a layer has not": {
			v1alpha1.Entry{Layer: "ranking", Parameter: "size"}, answer{"", "ValueNotFound", "test", "Test", "size", recognized},
		},
		"A static parameter of a store": {
			v1alpha1.Entry{ParameterStore: "ui", Parameter: "title"}, answer{`"Shop"`, "", "", "", "", recognized},
		},
		"A parameter of a store by a gate": {
			v1alpha1.Entry{ParameterStore: "ui", Parameter: "theme"}, answer{`"modern"`, "", "everyone", "", "", recognized},
		},
		"A parameter of a store by an experiment": {
			v1alpha1.Entry{ParameterStore: "ui", Parameter: "color"}, answer{`"green"`, "", "green", "Green", "color", recognized},
		},
		"A parameter of a store by a config": {
			v1alpha1.Entry{ParameterStore: "ui", Parameter: "rps"}, answer{"10", "", "all", "", "rps", recognized},
		},
		"A store that does not exist": {
			v1alpha1.Entry{ParameterStore: "nope", Parameter: "x"}, answer{"", "EntityNotFound", "", "", "", "Network:Unrecognized"},
		},
	} {
		t.Run(name, func(t *testing.T) { checkAnswer(t, tc.entry, tc.want) })
	}
}

// The recorder's memory is used again by the next evaluation.
func TestExposuresOutliveTheRecorder(t *testing.T) {
	evaluator := eval.NewEvaluator(evaltest.Compile(t, everyKind()), eval.Options{})
	user := eval.NewUser(eval.UserAttributes{UserID: "shop/checkout"})
	recorder := new(eval.Recorder)
	first := evaluateEntry(evaluator, &v1alpha1.Entry{Gate: "nested"}, user, noon, recorder)
	want := []eval.SecondaryExposure{{Gate: "on", GateValue: "true", RuleID: "everyone"}}
	evaluateEntry(evaluator, &v1alpha1.Entry{Gate: "nested_off"}, user, noon, recorder)
	if diff := cmp.Diff(want, first.result.SecondaryExposures); diff != "" {
		t.Errorf("exposures after another evaluation (-want +got):\n%s", diff)
	}
}

func TestUnitsAreBuiltFromWorkloads(t *testing.T) {
	checkout, cart := newDeployment("checkout", "checkout-0", "checkout-1"), newDeployment("cart", "cart-0")
	idle := workload{meta: newMetadata("example.com/v1", "Rollout", "idle")}
	type summary struct {
		Kind, Name, Workload, Pod string
		Pods                      []string
	}
	for name, tc := range map[string]struct {
		unit      v1alpha1.Unit
		workloads []workload
		want      []summary
	}{
		"Workloads are units with their pods, in order": {
			v1alpha1.UnitWorkload, []workload{cart, checkout, idle}, []summary{
				{"Deployment", "cart", "cart", "", []string{"cart-0"}},
				{"Deployment", "checkout", "checkout", "", []string{"checkout-0", "checkout-1"}},
				{"Rollout.example.com", "idle", "idle", "", nil},
			},
		},
		"Pods are units, sorted over all workloads": {
			v1alpha1.UnitPod, []workload{checkout, idle, cart}, []summary{
				{"Pod", "cart-0", "cart", "cart-0", []string{"cart-0"}},
				{"Pod", "checkout-0", "checkout", "checkout-0", []string{"checkout-0"}},
				{"Pod", "checkout-1", "checkout", "checkout-1", []string{"checkout-1"}},
			},
		},
		"A namespace is one unit with all pods": {
			v1alpha1.UnitNamespace, []workload{cart, checkout}, []summary{
				{"Namespace", "shop", "", "", []string{"cart-0", "checkout-0", "checkout-1"}},
			},
		},
		"A static unit needs no workloads":         {v1alpha1.UnitStatic, nil, []summary{{"Static", "shop", "", "", nil}}},
		"Without workloads there are no workloads": {v1alpha1.UnitWorkload, nil, nil},
		"Without pods there are no pods":           {v1alpha1.UnitPod, []workload{idle}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []summary
			for _, u := range buildUnits(newBinding("a").Unit(tc.unit).Obj(), tc.workloads) {
				s := summary{Kind: u.kind, Name: u.name}
				if u.workload != nil {
					s.Workload = u.workload.Name
				}
				if u.pod != nil {
					s.Pod = u.pod.Name
				}
				for _, pod := range u.pods {
					s.Pods = append(s.Pods, pod.Name)
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("units (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWorkloadsAreSortedAndTakenOnce(t *testing.T) {
	a, b := newDeployment("a"), newDeployment("b")
	set := workload{meta: newMetadata("apps/v1", "StatefulSet", "a")}
	var got []string
	for _, w := range sortWorkloads([]workload{set, b, a, b, a}) {
		got = append(got, w.meta.Kind+" "+w.meta.Name)
	}
	if diff := cmp.Diff([]string{"Deployment a", "Deployment b", "StatefulSet a"}, got); diff != "" {
		t.Errorf("sortWorkloads() (-want +got):\n%s", diff)
	}
}

func TestUnitsAreEvaluatedEachWithItsUser(t *testing.T) {
	document, err := eval.Decode(statsigtest.DemoProject())
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := eval.Compile(document, eval.Origin{Source: "Network"})
	if err != nil {
		t.Fatal(err)
	}
	binding := newBinding("a").Gate("new_checkout").Entry(
		v1alpha1.Entry{Name: "color", Experiment: "button_color", Parameter: "color"}).Obj()
	s := newScope(t, binding, snapshot, newDeployment("checkout"), newDeployment("cart"), newDeployment("search"))
	s.units = buildUnits(binding, s.workloads)
	evaluateUnits(s, "test-cluster")
	// As Statsig's own SDK answers for these users, see the tests of pkg/statsigtest.
	want := map[string][]string{
		"shop/checkout": {"true", `"green"`}, "shop/cart": {"false", `"blue"`}, "shop/search": {"true", `"gray"`},
	}
	got := map[string][]string{}
	for _, u := range s.units {
		got[u.user.UserID()] = []string{u.values[0].value, u.values[1].value}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values by user (-want +got):\n%s", diff)
	}
}

func TestWithoutAnAnswerUnitsSayWhy(t *testing.T) {
	binding := newBinding("a").UserID("workload.metadata.labels['team']").Gate("on").Obj()
	s := newScope(t, binding, nil, newDeployment("checkout"))
	s.units = buildUnits(binding, s.workloads)
	evaluateUnits(s, "test-cluster")
	if u := s.units[0]; u.user != nil || u.userErr != nil || u.values[0].problem != v1alpha1.ReasonSpecsUnavailable {
		t.Errorf("without specs: want no user and SpecsUnavailable, got %v, %v, %q", u.user, u.userErr, u.values[0].problem)
	}

	labeled := newDeployment("cart")
	labeled.meta.Labels = map[string]string{"team": "payments"}
	s = newScope(t, binding, evaltest.Compile(t, everyKind()), newDeployment("checkout"), labeled)
	s.units = buildUnits(binding, s.workloads)
	evaluateUnits(s, "test-cluster")
	field := &subject.FieldError{}
	if u := s.units[0]; u.user != nil || !errors.As(u.userErr, &field) || field.Field != "user.userID" {
		t.Errorf("an expression that fails: want an error for user.userID, got user %v, error %v", u.user, u.userErr)
	}
	if u := s.units[1]; u.userErr != nil || u.user.UserID() != "payments" || u.values[0].value != "true" {
		t.Errorf("the other unit: want it evaluated, got %v", u.userErr)
	}
}

func TestExpressionsSeeWhatTheUnitHas(t *testing.T) {
	pod := newMetadata("v1", "Pod", "checkout-0")
	namespace := metadataOf(namespaceKind)
	namespace.Name = "shop"
	u := &unit{workload: newMetadata("apps/v1", "Deployment", "checkout"), pod: pod}
	got := userInput(u, namespace, "test-cluster", nil)
	want := subject.Input{
		Workload:  &subject.Object{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout", Namespace: "shop", UID: "uid-of-Deployment-checkout"},
		Pod:       &subject.Object{APIVersion: "v1", Kind: "Pod", Name: "checkout-0", Namespace: "shop", UID: "uid-of-Pod-checkout-0"},
		Namespace: &subject.Object{APIVersion: "v1", Kind: "Namespace", Name: "shop"},
		Cluster:   "test-cluster",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of a pod (-want +got):\n%s", diff)
	}
	want.Workload, want.Pod = nil, nil
	if diff := cmp.Diff(want, userInput(&unit{}, namespace, "test-cluster", nil)); diff != "" {
		t.Errorf("of a namespace (-want +got):\n%s", diff)
	}
}

func TestNextLookIsAtTheSoonestBoundary(t *testing.T) {
	at := func(hours int) int64 { return noon.Add(time.Duration(hours) * time.Hour).UnixMilli() }
	snapshot := evaltest.Compile(t, evaltest.NewDocument(
		evaltest.NewGate("always").Rule(evaltest.NewRule("r")),
		evaltest.NewGate("sale").Rule(evaltest.NewRule("r").When(evaltest.CurrentTime("after", at(2)), evaltest.CurrentTime("before", at(5)))),
		evaltest.NewGate("later").Rule(evaltest.NewRule("r").When(evaltest.CurrentTime("after", at(3)))),
		evaltest.NewGate("past").Rule(evaltest.NewRule("r").When(evaltest.CurrentTime("after", at(-1)))),
		evaltest.NewGate("nested").Rule(evaltest.NewRule("r").When(evaltest.PassGate("sale"))),
	))
	for name, tc := range map[string]struct {
		gates []string
		units int
		now   time.Time
		want  time.Time
	}{
		"No rule on time gives none":               {[]string{"always", "no_such_gate"}, 1, noon, time.Time{}},
		"A boundary that has passed gives none":    {[]string{"past"}, 1, noon, time.Time{}},
		"The soonest of all entries counts":        {[]string{"always", "later", "sale"}, 1, noon, noon.Add(2 * time.Hour)},
		"A boundary of a nested gate counts":       {[]string{"nested"}, 1, noon, noon.Add(2 * time.Hour)},
		"Without units there is nothing to flip":   {[]string{"sale"}, 0, noon, time.Time{}},
		"After the first boundary the next counts": {[]string{"sale"}, 1, noon.Add(4 * time.Hour), noon.Add(5 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			binding := newBinding("a")
			for _, gate := range tc.gates {
				binding.Gate(gate)
			}
			s := &bindingScope{binding: binding.Obj(), projectView: projectView{snapshot: snapshot}, now: tc.now, units: make([]unit, tc.units)}
			got := nextBoundary(s)
			if got.IsZero() != tc.want.IsZero() || got.Sub(tc.want).Abs() > time.Millisecond {
				t.Errorf("nextBoundary(): want %s, got %s", tc.want, got)
			}
			if !got.IsZero() && !got.After(tc.now) {
				t.Errorf("nextBoundary() = %s, which is not after %s", got, tc.now)
			}
		})
	}
	if got := nextBoundary(&bindingScope{binding: newBinding("a").Gate("sale").Obj(), units: make([]unit, 1)}); !got.IsZero() {
		t.Errorf("without a snapshot: want none, got %s", got)
	}
}

func TestTimesOfTheNextLook(t *testing.T) {
	binding := newBinding("a").Obj()
	conflict := targetOutcome{reason: v1alpha1.ReasonTargetConflict}
	for name, tc := range map[string]struct {
		scope bindingScope
		want  time.Duration
	}{
		"Nothing is awaited without a boundary":      {bindingScope{}, 0},
		"The boundary is awaited":                    {bindingScope{boundary: noon.Add(time.Hour)}, time.Hour},
		"A boundary that has just passed is at once": {bindingScope{boundary: noon.Add(-time.Second)}, time.Millisecond},
		"An exposure is repeated in time":            {bindingScope{nextExposure: noon.Add(time.Minute)}, time.Minute},
		"A foreign ConfigMap is looked at again":     {bindingScope{targets: []targetOutcome{{}, conflict}}, foreignObjectRetry},
		"A kind that is missing is looked at again": {
			bindingScope{problems: []refProblem{{reason: v1alpha1.ReasonKindNotFound}}}, foreignObjectRetry,
		},
		"A workload that is missing is watched": {bindingScope{problems: []refProblem{{reason: v1alpha1.ReasonRefNotFound}}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tc.scope.binding, tc.scope.now = binding, noon
			if got := soonest(tc.scope.untilNextLook()...); got != tc.want {
				t.Errorf("the next look: want after %s, got %s", tc.want, got)
			}
		})
	}
	binding.Spec.Exposures = &v1alpha1.Exposures{RepeatEvery: &metav1.Duration{Duration: time.Hour}}
	if got := repeatEvery(binding); got != time.Hour {
		t.Errorf("repeatEvery(): want 1h, got %s", got)
	}
	if got := repeatEvery(newBinding("b").Obj()); got != 24*time.Hour {
		t.Errorf("repeatEvery() by default: want 24h, got %s", got)
	}
}
