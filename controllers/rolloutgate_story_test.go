package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// gate is a RolloutGate that opens with an expression, and holds nothing.
func (s *story) gate(name, open string, edits ...func(*v1alpha1.RolloutGateSpec)) *v1alpha1.RolloutGate {
	g := &v1alpha1.RolloutGate{ObjectMeta: s.meta(name), Spec: v1alpha1.RolloutGateSpec{
		ProjectRef: v1alpha1.ProjectRef{Name: "project"}, Open: open,
	}}
	for _, edit := range edits {
		edit(&g.Spec)
	}
	return g
}

func onFailure(policy v1alpha1.FailurePolicy) func(*v1alpha1.RolloutGateSpec) {
	return func(spec *v1alpha1.RolloutGateSpec) { spec.FailurePolicy = policy }
}

// awaitGate waits until a gate's present generation has this state, for this reason of Ready.
func (s *story) awaitGate(g *v1alpha1.RolloutGate, state v1alpha1.GateState, reason string) {
	s.t.Helper()
	ready := is{conditionType: v1alpha1.ConditionReady, status: metav1.ConditionFalse, reason: reason}
	if state == v1alpha1.GateOpen {
		ready.status = metav1.ConditionTrue
	}
	await(s, g, fmt.Sprintf("the state %s", state), func(g *v1alpha1.RolloutGate) string {
		if g.Status.State != state {
			return fmt.Sprintf("it is %s because %s", g.Status.State, g.Status.Reason)
		}
		return lacks(g, []is{ready})
	})
}

// awaitTold waits until there are Kubernetes Events of a gate for these reasons, the oldest first.
func (s *story) awaitTold(g *v1alpha1.RolloutGate, want ...string) {
	s.t.Helper()
	eventually(s.t, "the Kubernetes Events of "+g.Name, func(ctx context.Context) string {
		list := &eventsv1.EventList{}
		must(s.t, s.c.List(ctx, list, client.InNamespace(s.namespace)))
		slices.SortFunc(list.Items, func(a, b eventsv1.Event) int { return a.EventTime.Compare(b.EventTime.Time) })
		var told []string
		for i := range list.Items {
			if e := &list.Items[i]; e.Regarding.UID == g.UID {
				told = append(told, fmt.Sprintf("%s %s: %s", e.Type, e.Reason, e.Note))
			}
		}
		return cmp.Diff(want, told)
	})
}

func TestStoryAGateFollowsStatsig(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	g, other := s.gate("release", "gate('off') && config('limits').rps == 10"), s.gate("other", "gate('on')")
	s.create(g, other)
	s.awaitGate(g, v1alpha1.GateClosed, v1alpha1.ReasonGateClosed)
	s.awaitGate(other, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	s.awaitConditions(g, is{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonGateClosed, "Gate off = false (rule default)."})
	s.settle(op)
	looks, version := op.activity.completed("rolloutgate", s.namespace, other.Name), other.ResourceVersion

	must(t, s.statsig.SetGate("off", true))
	s.awaitGate(g, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	if want := "gate off = true (rule statsigtest:override), config limits.rps = 10 (rule limited)"; g.Status.Reason != want {
		t.Errorf("reason: want %q, got %q", want, g.Status.Reason)
	}
	must(t, s.statsig.SetDynamicConfig("limits", []byte(`{"rps":20}`)))
	s.awaitGate(g, v1alpha1.GateClosed, v1alpha1.ReasonGateClosed)
	var history []string
	for _, transition := range g.Status.History {
		history = append(history, fmt.Sprintf("%s: %s", transition.State, transition.Reason))
	}
	want := []string{
		"Closed: config limits.rps = 20 (rule statsigtest:override)",
		"Open: gate off = true (rule statsigtest:override), config limits.rps = 10 (rule limited)",
		"Closed: gate off = false (rule default)",
	}
	if diff := cmp.Diff(want, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	s.awaitTold(g,
		"Normal GateClosed: Gate off = false (rule default).",
		"Normal GateOpen: Gate off = true (rule statsigtest:override), config limits.rps = 10 (rule limited).",
		"Normal GateClosed: Config limits.rps = 20 (rule statsigtest:override).",
	)
	s.settle(op)
	s.read(other)
	if got := op.activity.completed("rolloutgate", s.namespace, other.Name); got != looks || other.ResourceVersion != version {
		t.Errorf("a gate that names neither was looked at %d times", got-looks)
	}
	if failures := op.activity.failures(); len(failures) > 0 {
		t.Errorf("reconciles failed: %v", failures)
	}
}

func TestStoryAGateNeedsAnAnswerThatLasts(t *testing.T) {
	t.Parallel()
	s, _, _ := projectStory(t)
	second := &metav1.Duration{Duration: time.Second}
	g := s.gate("release", "gate('off')", func(spec *v1alpha1.RolloutGateSpec) { spec.OpenAfter, spec.Deadline = second, second })
	s.create(g)
	s.awaitGate(g, v1alpha1.GateClosed, v1alpha1.ReasonDeadlineExceeded)
	s.awaitConditions(g, is{v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonDeadlineExceeded, "longer than spec.deadline"})
	pending := s.statusesOf(g.Name, func(g *v1alpha1.RolloutGate) string {
		if g.Status.Pending == nil {
			return ""
		}
		return fmt.Sprintf("%s %s", g.Status.State, g.Status.Pending.State)
	})
	must(t, s.statsig.SetGate("off", true))
	s.awaitGate(g, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	if diff := cmp.Diff([]string{"Closed Open"}, pending()); diff != "" {
		t.Errorf("states on the way (-want +got):\n%s", diff)
	}
}

// statusesOf collects what the statuses of a gate come to say, without repetitions and blanks, until the returned function is called.
func (s *story) statusesOf(name string, say func(*v1alpha1.RolloutGate) string) func() []string {
	s.t.Helper()
	watched, err := s.c.Watch(s.t.Context(), &v1alpha1.RolloutGateList{}, client.InNamespace(s.namespace),
		client.MatchingFields{"metadata.name": name})
	must(s.t, err)
	var said []string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range watched.ResultChan() {
			g, ok := event.Object.(*v1alpha1.RolloutGate)
			if !ok {
				continue
			}
			if text := say(g); text != "" && (len(said) == 0 || said[len(said)-1] != text) {
				said = append(said, text)
			}
		}
	}()
	return func() []string {
		watched.Stop()
		<-ended
		return said
	}
}

func TestStoryAGateIsSuspendedAndHeldByHand(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	g := s.gate("release", "gate('on')")
	s.create(g)
	s.awaitGate(g, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	change(s, g, func(g *v1alpha1.RolloutGate) { g.Spec.Suspend = true })
	s.awaitGate(g, v1alpha1.GateOpen, v1alpha1.ReasonSuspended)
	must(t, s.statsig.SetGate("on", false))
	s.polled()
	s.settle(op)
	s.awaitGate(g, v1alpha1.GateOpen, v1alpha1.ReasonSuspended)
	change(s, g, func(g *v1alpha1.RolloutGate) { g.Spec.Suspend = false })
	s.awaitGate(g, v1alpha1.GateClosed, v1alpha1.ReasonGateClosed)
	must(t, s.statsig.SetGate("on", true))
	s.awaitGate(g, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)

	holdUntil := func(until metav1.Time) {
		change(s, g, func(g *v1alpha1.RolloutGate) { g.Spec.Hold = &v1alpha1.Hold{Reason: "incident 42", Until: &until} })
	}
	holdUntil(metav1.NewTime(time.Now().Add(time.Hour)))
	s.awaitGate(g, v1alpha1.GateClosed, v1alpha1.ReasonHeldByHand)
	if want := "held by hand: incident 42"; g.Status.Reason != want {
		t.Errorf("reason: want %q, got %q", want, g.Status.Reason)
	}
	until := metav1.NewTime(time.Now().Add(2 * time.Second))
	holdUntil(until)
	s.awaitGate(g, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	if opened := g.Status.Since.Time; opened.Before(until.Truncate(time.Second)) {
		t.Errorf("the gate opened at %s, before %s", opened, until)
	}
}

func TestStoryARestartChangesNoGate(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	hour := &metav1.Duration{Duration: time.Hour}
	gates := []*v1alpha1.RolloutGate{
		s.gate("open", "gate('on')"),
		s.gate("closed", "gate('off')", func(spec *v1alpha1.RolloutGateSpec) { spec.Deadline = hour }),
		s.gate("pending", "gate('on')", func(spec *v1alpha1.RolloutGateSpec) { spec.OpenAfter = hour }),
		s.gate("unsure", "gate('none')"),
		s.gate("broken", "gate("),
		s.gate("held", "gate('on')", func(spec *v1alpha1.RolloutGateSpec) { spec.Hold = &v1alpha1.Hold{Reason: "incident"} }),
	}
	want := []v1alpha1.GateState{"Open", "Closed", "Closed", "Unknown", "Unknown", "Closed"}
	versions := map[string]string{}
	for i, g := range gates {
		s.create(g)
		await(s, g, "the state", func(g *v1alpha1.RolloutGate) string {
			if g.Status.State != want[i] {
				return fmt.Sprintf("it is %q", g.Status.State)
			}
			return ""
		})
	}
	s.settle(op)
	for _, g := range gates {
		s.read(g)
		versions[g.Name] = g.ResourceVersion
	}
	op.stop(t)
	again := s.restart(operatorOptions{namespaces: []string{s.namespace}})
	eventually(t, "the reconciles of the gates", func(context.Context) string {
		for _, g := range gates {
			if again.activity.completed("rolloutgate", s.namespace, g.Name) == 0 {
				return g.Name + " was not looked at"
			}
		}
		return again.restlessness()
	})
	s.polled()
	s.settle(again)
	for _, g := range gates {
		s.read(g)
		if g.ResourceVersion != versions[g.Name] {
			t.Errorf("gate %s was written by a restart: %+v", g.Name, g.Status)
		}
	}
	for _, resource := range []string{"rolloutgates", "rolloutgates/status", "events"} {
		if writes := again.requests.of(resource); len(writes) > 0 {
			t.Errorf("writes to %s after a restart: %v", resource, writes)
		}
	}
}

func TestStoryTimeFlipsAGateWithoutPolling(t *testing.T) {
	t.Parallel()
	// The operator's clock starts five seconds before the boundary when it is read for the first time, however long the start took.
	const ahead = 5 * time.Second
	boundary := time.Date(2030, time.November, 25, 0, 0, 0, 0, time.UTC)
	begun := sync.OnceValue(time.Now)
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().Add(
		evaltest.NewGate("sale").Rule(evaltest.NewRule("begun").When(evaltest.CurrentTime("after", boundary.UnixMilli()))),
	).JSON(t)})
	project := s.project()
	project.Spec.Specs.Interval = &metav1.Duration{Duration: time.Hour}
	project.Spec.IDLists.Interval = &metav1.Duration{Duration: time.Hour}
	g := s.gate("sale", "gate('sale')")
	s.create(s.secretWithKey(), project, g)
	op := startOperator(t, operatorOptions{
		namespaces: []string{s.namespace}, now: func() time.Time { return boundary.Add(time.Since(begun()) - ahead) },
	})
	s.awaitGate(g, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	if since := g.Status.Since.Time; since.Before(boundary) {
		t.Errorf("the gate opened at %s, before %s", since, boundary)
	}
	s.settle(op)
	if got := s.statsig.RequestCount(statsigtest.EndpointSpecs); got != 1 {
		t.Errorf("%d downloads of specs, want 1", got)
	}
}

func TestStoryDecisionsAreExposed(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	silent := s.gate("silent", "gate('off')", func(spec *v1alpha1.RolloutGateSpec) { spec.Exposures = v1alpha1.ExposureDisabled })
	// What stands behind the first true operand decides nothing.
	g := s.gate("release", "gate('on') || config('limits').rps > 5", func(spec *v1alpha1.RolloutGateSpec) {
		spec.User = &v1alpha1.UserTemplate{
			UserID: "cluster.name + '/' + namespace.name", PrivateAttributes: map[string]v1alpha1.Expression{"token": "'not to be told'"},
		}
	})
	s.create(silent, g)
	s.awaitGate(silent, v1alpha1.GateClosed, v1alpha1.ReasonGateClosed)
	event, err := s.statsig.WaitForEvent(t.Context(), isExposure)
	must(t, err)
	for name, want := range map[string]string{"gate": "on", "gateValue": "true", "ruleID": "everyone"} {
		if event.Metadata[name] != want {
			t.Errorf("%s is %q, want %q", name, event.Metadata[name], want)
		}
	}
	if want := "test-cluster/" + s.namespace; event.UserID != want || strings.Contains(string(event.Raw), "not to be told") {
		t.Errorf("user: want %s without its private attribute, got %s", want, event.Raw)
	}
	s.settle(op)
	s.polled()
	exposures := 0
	for _, e := range s.statsig.Events() {
		if isExposure(e) {
			exposures++
		}
	}
	if exposures != 1 {
		t.Errorf("%d exposures, want 1", exposures)
	}
}

// Whoever may write rules may try to make the operator tell the SDK key.
func TestStoryReasonsHaveNoKey(t *testing.T) {
	t.Parallel()
	rule := evaltest.NewRule(storyKey).Return(map[string]any{"token": storyKey, "list": []any{storyKey}})
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().Add(
		evaltest.NewDynamicConfig("leak").Rule(rule), evaltest.NewGate("keyed").Rule(evaltest.NewRule(storyKey)),
	).JSON(t)})
	told := watchEverything(s)
	gates := []*v1alpha1.RolloutGate{
		s.gate("value", "config('leak').token == 'x'"), s.gate("list", "config('leak').list == 'x'"), s.gate("rule", "gate('keyed')"),
		s.gate("text", "config('leak').token == '"+storyKey+"'"), s.gate("missing", "config('leak').token.deeper == 1"),
		s.gate("hold", "gate('on')", func(spec *v1alpha1.RolloutGateSpec) { spec.Hold = &v1alpha1.Hold{Reason: "found " + storyKey} }),
	}
	s.create(s.secretWithKey(), s.project())
	op := s.operator()
	for _, g := range gates {
		s.create(g)
		await(s, g, "a verdict", func(g *v1alpha1.RolloutGate) string {
			if g.Status.ObservedGeneration != g.Generation || g.Status.State == "" || strings.Contains(g.Status.Reason, "no specs yet") {
				return fmt.Sprintf("%+v", g.Status)
			}
			return ""
		})
		if text := fmt.Sprintf("%+v", g.Status); strings.Contains(text, storyKey) {
			t.Errorf("the status of gate %s has the key: %s", g.Name, text)
		}
	}
	s.settle(op)
	for line := range strings.SplitSeq(told(), "\n") {
		if strings.Contains(line, `"kind":"Event"`) && strings.Contains(line, storyKey) {
			t.Errorf("a Kubernetes Event has the key: %s", line)
		}
	}
	if log := op.log.String(); strings.Contains(log, storyKey) {
		t.Error("the log has the key")
	}
}
