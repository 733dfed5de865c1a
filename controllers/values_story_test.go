package controllers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func TestStoryOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	const bindings = 20
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().Add(
		evaltest.NewGate("outer").Rule(evaltest.NewRule("inner passes").When(evaltest.PassGate("off"))),
	).JSON(t)})
	project := s.project()
	project.Spec.Events.Disabled = true // whose deliveries are told in the project's status, sooner or later
	s.create(s.secretWithKey(), project)
	var all []*v1alpha1.FlagBinding
	for i := range bindings {
		// Every fifth asks for the gate itself, the one after it for a gate that refers to it, the others for something else.
		gate := [5]string{"off", "outer", "on", "on", "on"}[i%5]
		name := fmt.Sprintf("binding-%02d", i)
		binding := s.binding(name, asksGate("gate", gate), toConfigMap(name))
		s.create(binding)
		all = append(all, binding)
	}
	op := s.operator()
	versions := func() map[string]string {
		found := map[string]string{}
		for _, binding := range all {
			s.awaitReady(binding)
			configMap := s.configMap(binding.Name)
			s.read(configMap)
			found[binding.Name], found["ConfigMap "+binding.Name] = binding.ResourceVersion, configMap.ResourceVersion
		}
		return found
	}
	before := versions()
	s.settle(op)
	writes, requests, start := len(op.requests.all()), s.statsig.RequestCount(statsigtest.EndpointSpecs), time.Now()

	must(t, s.statsig.SetGate("off", true))
	for _, binding := range all {
		s.awaitData(binding.Name, map[string]string{"gate": "true"})
	}
	s.settle(op)
	after := versions()
	for i, binding := range all {
		concerned := i%5 <= 1
		if written := before["ConfigMap "+binding.Name] != after["ConfigMap "+binding.Name]; written != concerned {
			t.Errorf("ConfigMap %s written: %t, want %t", binding.Name, written, concerned)
		}
		if written := before[binding.Name] != after[binding.Name]; written != concerned {
			t.Errorf("FlagBinding %s written: %t, want %t", binding.Name, written, concerned)
		}
	}
	// Eight ConfigMaps and eight statuses, and the project's own status with the new hash of the specs.
	counts := map[string]int{}
	for _, w := range op.requests.all()[writes:] {
		if !w.refused {
			counts[w.verb+" "+w.resource]++
		}
	}
	delete(counts, "create events")
	want := map[string]int{"apply configmaps": 8, "patch flagbindings": 8, "patch statsigprojects": 1}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}

	// One syncer asks for all of them: a request a second, however many bindings there are.
	s.polled()
	got, elapsed := s.statsig.RequestCount(statsigtest.EndpointSpecs)-requests, time.Since(start)
	if limit := 2 + int(elapsed/time.Second); got > limit {
		t.Errorf("%d requests for specs in %s, want at most %d", got, elapsed, limit)
	}
	if failures := op.activity.failures(); len(failures) > 0 {
		t.Errorf("reconciles failed: %v", failures)
	}
}

func TestStoryIDLists(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{})
	project := s.project()
	listed := s.binding("listed", withUserID("'shop/ledger-2'"), asksGate("beta", "beta_features"), toConfigMap("listed"))
	other := s.binding("other", withUserID("'shop/ledger-2'"), asksGate("new", "new_checkout"), toConfigMap("other"))
	s.create(s.secretWithKey(), project, listed, other)
	op := s.operator()
	s.awaitReady(project, listed, other)
	s.awaitData("listed", map[string]string{"beta": "false"})
	s.awaitData("other", map[string]string{"new": "true"})
	s.settle(op)
	s.read(other)
	version, reconciles := other.ResourceVersion, op.activity.completed("flagbinding", s.namespace, "other")
	s.statsig.SetIDList("beta_workloads", "shop/search", "shop/ledger-2")
	s.awaitData("listed", map[string]string{"beta": "true"})
	s.settle(op)
	s.read(other)
	if other.ResourceVersion != version || op.activity.completed("flagbinding", s.namespace, "other") != reconciles {
		t.Error("a binding whose closure does not have the list was looked at")
	}
	s.statsig.RemoveIDList("beta_workloads")
	s.awaitData("listed", map[string]string{"beta": "false"})
}

func TestStoryExposures(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{})
	s.create(s.deployment("web"), s.secretWithKey(), s.project())
	binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web"), withUserID("'shop/' + 'ledger-2'"),
		asksGate("upsell", "checkout_upsell"), asksGate("sale", "holiday_sale"), asksGate("missing", "none"), toConfigMap("flags"),
		func(b *v1alpha1.FlagBinding) {
			b.Spec.Entries[1].Exposure = v1alpha1.ExposureDisabled
			user := b.Spec.Subject.User
			user.Email = "workload.name + '@example.com'"
			user.CustomIDs = map[string]v1alpha1.Expression{"workload": "workload.name"}
			user.Custom = map[string]v1alpha1.Expression{"cluster": "cluster.name"}
			user.PrivateAttributes = map[string]v1alpha1.Expression{"token": "'not to be told'"}
		})
	s.create(binding)
	op := s.operator()
	event, err := s.statsig.WaitForEvent(t.Context(), isExposure)
	must(t, err)
	want := map[string]string{"gate": "checkout_upsell", "gateValue": "true", "ruleID": "7yyv410GQtA4i4KBn74Qum"}
	for name, value := range want {
		if event.Metadata[name] != value {
			t.Errorf("%s is %q, want %q", name, event.Metadata[name], value)
		}
	}
	secondary := []eval.SecondaryExposure{{Gate: "new_checkout", GateValue: "true", RuleID: "7EvICnb0ISdG3SHdwLgQ1H"}}
	if diff := cmp.Diff(secondary, event.SecondaryExposures); diff != "" {
		t.Errorf("secondary exposures (-want +got):\n%s", diff)
	}
	var raw struct{ User map[string]any }
	must(t, json.Unmarshal(event.Raw, &raw))
	wantUser := map[string]any{
		"userID": "shop/ledger-2", "email": "web@example.com", "customIDs": map[string]any{"workload": "web"},
		"custom": map[string]any{"cluster": "test-cluster"},
	}
	if diff := cmp.Diff(wantUser, raw.User); diff != "" {
		t.Errorf("the user (-want +got):\n%s", diff)
	}
	// Nothing is told twice, nor what is not there. Of what was not asked to be told, only that it was asked for.
	touch(s, binding)
	s.awaitConditions(binding, applied)
	s.settle(op)
	op.stop(t)
	exposures, checks := 0, 0
	for _, event := range s.statsig.Events() {
		switch {
		case isExposure(event):
			exposures++
		case event.Name == "statsig::non_exposed_checks" && strings.HasPrefix(event.Metadata["checks"], `{"holiday_sale":`):
			checks++
		default:
			t.Errorf("unexpected event: %s", event.Raw)
		}
	}
	if exposures != 1 || checks == 0 {
		t.Errorf("%d exposures and %d counts of checks, want 1 and some", exposures, checks)
	}
}

func TestStoryTime(t *testing.T) {
	t.Parallel()
	// The operator's clock starts five seconds before the boundary when it is read for the first time, however long the start took.
	const ahead = 5 * time.Second
	boundary := time.Date(2030, time.November, 25, 0, 0, 0, 0, time.UTC)
	begun := sync.OnceValue(time.Now)
	clock := func() time.Time { return boundary.Add(time.Since(begun()) - ahead) }
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().Add(
		evaltest.NewGate("sale").Rule(evaltest.NewRule("begun").When(evaltest.CurrentTime("after", boundary.UnixMilli()))),
	).JSON(t)})
	project := s.project()
	// One download at the start, and none until long after the boundary.
	project.Spec.Specs.Interval = &metav1.Duration{Duration: time.Hour}
	project.Spec.IDLists.Interval = &metav1.Duration{Duration: time.Hour}
	binding := s.binding("simple", asksGate("sale", "sale"), toConfigMap("flags"))
	s.create(s.secretWithKey(), project, binding)
	op := startOperator(t, operatorOptions{namespaces: []string{s.namespace}, now: clock})
	s.awaitReady(binding)
	early := s.awaitData("flags", map[string]string{"sale": "false"})
	s.settle(op)
	reconciles := op.activity.completed("flagbinding", s.namespace, binding.Name)

	late := s.awaitData("flags", map[string]string{"sale": "true"})
	opens := begun().Add(ahead)
	if arrived := lastWriteOf(late); arrived.Before(opens.Truncate(time.Second)) {
		t.Errorf("the gate opened at %s, before %s", arrived, opens)
	}
	if early.Generation != late.Generation {
		t.Errorf("generation went from %d to %d", early.Generation, late.Generation)
	}
	s.settle(op)
	if got := s.statsig.RequestCount(statsigtest.EndpointSpecs); got != 1 {
		t.Errorf("%d downloads of specs, want 1", got)
	}
	// Nobody looked before the boundary.
	for _, start := range op.activity.startsSince(reconciles, "flagbinding", s.namespace, binding.Name) {
		if start.Before(opens) {
			t.Errorf("a reconcile began %s before the boundary", opens.Sub(start))
		}
	}
}

// lastWriteOf is when an object's fields were last written, in whole seconds.
func lastWriteOf(c *corev1.ConfigMap) time.Time {
	var last time.Time
	for _, f := range c.ManagedFields {
		if f.Time != nil && f.Time.After(last) {
			last = f.Time.Time
		}
	}
	return last
}

func TestStoryPreviousValue(t *testing.T) {
	t.Run("What vanishes from the specs keeps its value", func(t *testing.T) {
		t.Parallel()
		s, op, _, binding := simpleStory(t)
		s.rollOut("web", 1)
		annotated := s.binding("annotated", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), toPods("flags.example.com"))
		document := s.binding("document", asksGate("on", "on"), asks(v1alpha1.Entry{Name: "limits", DynamicConfig: "limits"}),
			toTarget(v1alpha1.Target{Name: "json", ConfigMap: &v1alpha1.ConfigMapTarget{Name: "json", Format: v1alpha1.FormatJSON}}))
		s.create(annotated, document)
		s.awaitReady(annotated, document)
		inJSON := s.configMap("json")
		s.read(inJSON)
		s.settle(op)
		configMaps := len(op.requests.of("configmaps")) + len(op.requests.of("pods"))

		s.statsig.SetSpecs(evaltest.NewDocument(evaltest.NewGate("off")).Time(5000).JSON(t))
		s.awaitConditions(binding, applied, isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonEntityNotFound, "on (Gate on)"))
		s.awaitConditions(annotated, isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonEntityNotFound, "on (Gate on)"))
		s.awaitConditions(document, isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonEntityNotFound, "limits (DynamicConfig limits)"))
		s.settle(op)
		s.awaitData("flags", simpleValues)
		s.awaitAnnotations("web-0", map[string]string{"flags.example.com/on": "true"})
		s.unchanged(inJSON)
		if got := len(op.requests.of("configmaps")) + len(op.requests.of("pods")); got != configMaps {
			t.Errorf("%d writes to targets that did not change", got-configMaps)
		}
		states := map[string]v1alpha1.EntryState{}
		for _, e := range binding.Status.Entries {
			states[e.Name+"="+e.Value] = e.State
		}
		want := map[string]v1alpha1.EntryState{
			"on=true": v1alpha1.EntryKept, "off=false": v1alpha1.EntryEvaluated, "rps=10": v1alpha1.EntryKept,
		}
		if diff := cmp.Diff(want, states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
	t.Run("The end of a project costs nobody a value", func(t *testing.T) {
		t.Parallel()
		s, op, project, binding := simpleStory(t)
		before := s.configMap("flags")
		s.read(before)
		s.delete(project)
		s.awaitConditions(binding, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonRefNotFound, "project"))
		s.settle(op)
		s.unchanged(before)
		requests := s.statsig.RequestCount(statsigtest.EndpointSpecs)
		s.create(s.project())
		s.awaitReady(binding)
		s.unchanged(before)
		if s.statsig.RequestCount(statsigtest.EndpointSpecs) == requests {
			t.Error("the new project's specs were not asked for")
		}
	})
	t.Run("An operator that starts while Statsig is down leaves everything", func(t *testing.T) {
		t.Parallel()
		s, op, project, binding := simpleStory(t)
		s.rollOut("web", 1)
		annotated := s.binding("annotated", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), toPods("flags.example.com"))
		s.create(annotated)
		s.awaitReady(annotated)
		before := s.configMap("flags")
		s.read(before)
		s.settle(op)
		op.stop(t)
		s.down()
		again := s.operator()
		s.awaitConditions(project, isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonFetchFailed, "503"),
			isFor(v1alpha1.ConditionReady, v1alpha1.ReasonFetchFailed, "503"))
		s.awaitConditions(binding, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonSpecsUnavailable, "project has no specs"))
		s.awaitConditions(annotated, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonSpecsUnavailable, "project has no specs"))
		s.settle(again)
		s.unchanged(before)
		s.awaitAnnotations("web-0", map[string]string{"flags.example.com/on": "true"})
		if writes := append(again.requests.of("configmaps"), again.requests.of("pods")...); len(writes) > 0 {
			t.Errorf("writes: %v", writes)
		}
		for _, e := range binding.Status.Entries {
			if e.State != v1alpha1.EntryKept {
				t.Errorf("entry %s is %s, want Kept", e.Name, e.State)
			}
		}
		s.statsig.Heal()
		s.awaitReady(project, binding, annotated)
		s.unchanged(before)
	})
	t.Run("An outage while running changes nothing but the project's status", func(t *testing.T) {
		t.Parallel()
		s, op, project, binding := simpleStory(t, func(p *v1alpha1.StatsigProject) {
			p.Spec.Staleness = &v1alpha1.StalenessSpec{WarnAfter: &metav1.Duration{Duration: time.Second}}
		})
		s.settle(op)
		s.read(binding)
		version, writes := binding.ResourceVersion, len(op.requests.all())
		s.fail(statsigtest.Failure{Endpoint: statsigtest.EndpointSpecs, Status: http.StatusBadGateway})
		s.awaitConditions(project, is{v1alpha1.ConditionSpecsFresh, metav1.ConditionUnknown, v1alpha1.ReasonLate, "stay in use"})
		s.settle(op)
		s.read(binding)
		if binding.ResourceVersion != version {
			t.Error("the binding was written")
		}
		for _, w := range op.requests.all()[writes:] {
			if w.resource != "statsigprojects" && w.resource != "events" {
				t.Errorf("write: %s", w)
			}
		}
		s.statsig.Heal()
		s.awaitReady(project)
	})
}

func TestStorySuspend(t *testing.T) {
	t.Run("A suspended binding is left as it is", func(t *testing.T) {
		t.Parallel()
		s, op, _, binding := simpleStory(t)
		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Suspend = true })
		s.awaitConditions(binding, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonSuspended, "spec.suspend"))
		if len(binding.Status.Entries) != 3 {
			t.Errorf("the status lost its entries: %+v", binding.Status)
		}
		s.settle(op)
		writes := len(op.requests.all())
		must(t, s.statsig.SetGate("off", true))
		s.polled()
		s.settle(op)
		s.awaitData("flags", simpleValues)
		// Not even drift is repaired.
		object := s.configMap("flags")
		change(s, object, func(c *corev1.ConfigMap) { c.Data["on"] = "by hand" })
		s.settle(op)
		s.awaitData("flags", map[string]string{"on": "by hand", "off": "false", "rps": "10"})
		for _, w := range op.requests.all()[writes:] {
			if w.resource != "statsigprojects" && w.resource != "events" {
				t.Errorf("write while suspended: %s", w)
			}
		}
		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Suspend = false })
		s.awaitData("flags", flipped)
		s.awaitReady(binding)
	})
	t.Run("A suspended project asks and changes nothing", func(t *testing.T) {
		t.Parallel()
		s, op, project, binding := simpleStory(t)
		change(s, project, func(p *v1alpha1.StatsigProject) { p.Spec.Suspend = true })
		s.awaitConditions(project, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonSuspended, "spec.suspend"))
		s.awaitConditions(binding, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonSuspended, "is suspended"))
		// A binding that comes now waits; it gets neither values nor defaults.
		late := s.binding("late", asksGate("on", "on"), toConfigMap("late"))
		s.create(late)
		s.awaitConditions(late, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonSuspended, "is suspended"))
		s.settle(op)
		writes, requests := len(op.requests.all()), s.statsig.RequestCount(statsigtest.EndpointSpecs)
		must(t, s.statsig.SetGate("off", true))
		change(s, binding, withUserID("'someone else'"))
		s.awaitConditions(binding, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonSuspended, "is suspended"))
		s.settle(op)
		s.awaitData("flags", simpleValues)
		s.absent(s.configMap("late"))
		if got := s.statsig.RequestCount(statsigtest.EndpointSpecs); got != requests {
			t.Errorf("%d requests while suspended", got-requests)
		}
		for _, w := range op.requests.all()[writes:] {
			if w.subresource != "status" && w.resource != "events" {
				t.Errorf("write while suspended: %s", w)
			}
		}
		watched := watchData(s, "late")
		change(s, project, func(p *v1alpha1.StatsigProject) { p.Spec.Suspend = false })
		s.awaitData("flags", flipped)
		s.awaitReady(project, binding, late)
		// The late one came to its value at once, without its default in between.
		if diff := cmp.Diff([]map[string]string{{"on": "true"}}, watched()); diff != "" {
			t.Errorf("contents of the ConfigMap (-want +got):\n%s", diff)
		}
	})
}
