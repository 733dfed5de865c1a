package controllers

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/render"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// noon is the present of the tests that have no clock.
var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// scrubNothing knows no key but the shape of Statsig's.
func scrubNothing(text string) string { return new(secret.Scrubber).Scrub(text) }

// projectBuilder builds a StatsigProject: shop/checkout with a key in a Secret, unless told otherwise.
type projectBuilder struct{ project *v1alpha1.StatsigProject }

func newProject(name string) *projectBuilder {
	return &projectBuilder{&v1alpha1.StatsigProject{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name), Generation: 2},
		Spec:       v1alpha1.StatsigProjectSpec{SDKKeySecretRef: &v1alpha1.SecretKeyRef{Name: "statsig", Key: "sdkKey"}},
	}}
}

// Sources sets the sources of config specs.
func (b *projectBuilder) Sources(sources ...v1alpha1.SpecsSource) *projectBuilder {
	b.specs().Sources = sources
	return b
}

// Interval sets the interval of config specs.
func (b *projectBuilder) Interval(interval time.Duration) *projectBuilder {
	b.specs().Interval = durationOf(interval)
	return b
}

func (b *projectBuilder) specs() *v1alpha1.SpecsSpec {
	if b.project.Spec.Specs == nil {
		b.project.Spec.Specs = &v1alpha1.SpecsSpec{}
	}
	return b.project.Spec.Specs
}

// With changes anything.
func (b *projectBuilder) With(change func(*v1alpha1.StatsigProject)) *projectBuilder {
	change(b.project)
	return b
}

// Obj returns the project.
func (b *projectBuilder) Obj() *v1alpha1.StatsigProject { return b.project }

// bindingBuilder builds a FlagBinding in namespace shop to project checkout, of unit Workload and without entries and targets,
// unless told otherwise.
type bindingBuilder struct{ binding *v1alpha1.FlagBinding }

func newBinding(name string) *bindingBuilder {
	return &bindingBuilder{&v1alpha1.FlagBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name), Generation: 3},
		Spec: v1alpha1.FlagBindingSpec{
			ProjectRef: v1alpha1.ProjectRef{Name: "checkout"},
			Subject: v1alpha1.Subject{Unit: v1alpha1.UnitWorkload, Workloads: []v1alpha1.WorkloadSelector{
				{APIVersion: "apps/v1", Kind: "Deployment", Selector: &metav1.LabelSelector{}},
			}},
		},
	}}
}

// Unit sets the unit.
func (b *bindingBuilder) Unit(unit v1alpha1.Unit) *bindingBuilder {
	b.binding.Spec.Subject.Unit = unit
	return b
}

// UserID sets the expression of the user ID.
func (b *bindingBuilder) UserID(expression v1alpha1.Expression) *bindingBuilder {
	b.binding.Spec.Subject.User = &v1alpha1.UserTemplate{UserID: expression}
	return b
}

// Gate adds an entry of the gate's name.
func (b *bindingBuilder) Gate(name string) *bindingBuilder {
	return b.Entry(v1alpha1.Entry{Name: name, Gate: name})
}

// Entry adds entries.
func (b *bindingBuilder) Entry(entries ...v1alpha1.Entry) *bindingBuilder {
	b.binding.Spec.Entries = append(b.binding.Spec.Entries, entries...)
	return b
}

// ConfigMap adds a target of the ConfigMap's name, which may have variables.
func (b *bindingBuilder) ConfigMap(name string) *bindingBuilder {
	return b.Target(v1alpha1.Target{Name: name, ConfigMap: &v1alpha1.ConfigMapTarget{Name: name}})
}

// Annotations adds a target of pod annotations.
func (b *bindingBuilder) Annotations(prefix string) *bindingBuilder {
	return b.Target(v1alpha1.Target{Name: prefix, PodAnnotations: &v1alpha1.PodAnnotationsTarget{Prefix: prefix}})
}

// Target adds a target.
func (b *bindingBuilder) Target(target v1alpha1.Target) *bindingBuilder {
	b.binding.Spec.Targets = append(b.binding.Spec.Targets, target)
	return b
}

// With changes anything.
func (b *bindingBuilder) With(change func(*v1alpha1.FlagBinding)) *bindingBuilder {
	change(b.binding)
	return b
}

// Obj returns the binding.
func (b *bindingBuilder) Obj() *v1alpha1.FlagBinding { return b.binding }

// gateBuilder builds a RolloutGate in namespace shop to project checkout that opens with the gate "release", unless told otherwise.
type gateBuilder struct{ gate *v1alpha1.RolloutGate }

func newGate(name string) *gateBuilder {
	return &gateBuilder{&v1alpha1.RolloutGate{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name), Generation: 4},
		Spec:       v1alpha1.RolloutGateSpec{ProjectRef: v1alpha1.ProjectRef{Name: "checkout"}, Open: "gate('release')"},
		Status:     v1alpha1.RolloutGateStatus{ObservedGeneration: -1},
	}}
}

// Open sets the expression.
func (b *gateBuilder) Open(expression string) *gateBuilder {
	b.gate.Spec.Open = expression
	return b
}

// On sets what becomes of the gate while there is no answer.
func (b *gateBuilder) On(failure v1alpha1.FailurePolicy) *gateBuilder {
	b.gate.Spec.FailurePolicy = failure
	return b
}

// Was sets the state that the gate came to an hour ago.
func (b *gateBuilder) Was(state v1alpha1.GateState) *gateBuilder {
	since := timeOf(noon.Add(-time.Hour))
	b.gate.Status.State, b.gate.Status.Reason, b.gate.Status.Since = state, "what decided an hour ago", since
	if state != v1alpha1.GateOpen {
		b.gate.Status.ClosedSince = since
	}
	return b
}

// With changes anything.
func (b *gateBuilder) With(change func(*v1alpha1.RolloutGate)) *gateBuilder {
	change(b.gate)
	return b
}

// Obj returns the gate.
func (b *gateBuilder) Obj() *v1alpha1.RolloutGate { return b.gate }

func durationOf(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func timeOf(t time.Time) *metav1.Time { return &metav1.Time{Time: t} }

// rawJSON is a default of an entry.
func rawJSON(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

// newMetadata is the metadata of an object in namespace shop.
func newMetadata(apiVersion, kind, name string) *metav1.PartialObjectMetadata {
	object := metadataOf(schema.FromAPIVersionAndKind(apiVersion, kind))
	object.Namespace, object.Name, object.UID = "shop", name, types.UID("uid-of-"+kind+"-"+name)
	return object
}

// newDeployment is a Deployment with pods of these names.
func newDeployment(name string, pods ...string) workload {
	w := workload{meta: newMetadata("apps/v1", "Deployment", name)}
	for _, pod := range pods {
		w.pods = append(w.pods, newMetadata("v1", "Pod", pod))
	}
	return w
}

// newScope is the scope of a reconcile that found these workloads and, unless it is nil, this snapshot.
func newScope(t *testing.T, binding *v1alpha1.FlagBinding, snapshot *eval.Snapshot, workloads ...workload) *bindingScope {
	t.Helper()
	program, err := compileUser(binding.Spec.Subject.Unit, binding.Spec.Subject.User, "")
	if err != nil {
		t.Fatal(err)
	}
	s := &bindingScope{
		binding: binding, now: noon, program: program, workloads: workloads,
		projectView: projectView{
			project: newProject("checkout").Obj(), namespace: newMetadata("v1", "Namespace", binding.Namespace), snapshot: snapshot,
		},
	}
	s.namespace.Namespace = ""
	if snapshot != nil {
		s.evaluator = eval.NewEvaluator(snapshot, eval.Options{})
	}
	return s
}

// evaluated evaluates a scope's units and settles its targets as if each had held the same previous content, and nothing had gone
// wrong in writing.
func evaluated(t *testing.T, s *bindingScope, previous map[string]string) *bindingScope {
	t.Helper()
	s.units = buildUnits(s.binding, s.workloads)
	evaluateUnits(s, "test-cluster")
	for i := range s.binding.Spec.Targets {
		s.targets = append(s.targets, targetOutcome{name: s.binding.Spec.Targets[i].Name})
		for j := range s.units {
			if s.units[j].userErr == nil {
				settleTarget(t, s, i, &s.units[j], previous)
			}
		}
	}
	s.acted = true
	return s
}

func settleTarget(t *testing.T, s *bindingScope, target int, u *unit, previous map[string]string) {
	t.Helper()
	configMap := s.binding.Spec.Targets[target].ConfigMap
	if configMap == nil {
		for _, pod := range u.pods {
			desiredAnnotations(s, u, pod)
			s.targets[target].objects++
		}
		return
	}
	rendered, err := render.ConfigMap(configMapOptions(configMap), renderEntries(s.binding, u), previous)
	if err != nil {
		t.Fatal(err)
	}
	if target == describedTarget {
		recordStates(u, rendered.Outcomes)
	}
	s.targets[target].objects++
}

// reasonsOf are the reasons that a condition type may have, by status. Ready, Reconciling and Stalled have those of the others.
var reasonsOf = map[string]map[metav1.ConditionStatus]string{
	v1alpha1.ConditionCredentialsValid: {
		metav1.ConditionTrue: "Accepted NotRequired", metav1.ConditionFalse: "SecretNotFound KeyNotFound Unauthorized",
		metav1.ConditionUnknown: "Pending",
	},
	v1alpha1.ConditionSpecsFresh: {
		metav1.ConditionTrue: "Synced", metav1.ConditionFalse: "Stale FetchFailed Malformed WrongProject NoValues",
		metav1.ConditionUnknown: "Pending Late Held Suspended",
	},
	v1alpha1.ConditionEventsFlowing: {
		metav1.ConditionTrue: "Delivered Disabled", metav1.ConditionFalse: "Unauthorized DeliveryFailed",
		metav1.ConditionUnknown: "Pending Suspended",
	},
	v1alpha1.ConditionAccepted: {metav1.ConditionTrue: "Accepted", metav1.ConditionFalse: "Invalid"},
	v1alpha1.ConditionResolvedRefs: {
		metav1.ConditionTrue: "Resolved", metav1.ConditionFalse: "RefNotFound RefNotPermitted KindNotFound KindForbidden",
		metav1.ConditionUnknown: "Pending",
	},
	v1alpha1.ConditionEvaluated: {
		metav1.ConditionTrue: "Evaluated NoUnits",
		metav1.ConditionFalse: "EntityNotFound UnsupportedOperator EvaluationFailed ValueNotFound UserExpressionFailed " +
			"SpecsUnavailable ExpressionFailed Stale",
		metav1.ConditionUnknown: "Pending Suspended",
	},
	v1alpha1.ConditionMaterialized: {
		metav1.ConditionTrue: "Applied", metav1.ConditionFalse: "TargetConflict TargetTooLarge TargetInvalid WriteFailed",
		metav1.ConditionUnknown: "Pending Suspended",
	},
	v1alpha1.ConditionEnforced: {
		metav1.ConditionTrue: "Enforced", metav1.ConditionFalse: "HoldConflict WriteFailed", metav1.ConditionUnknown: "Pending Suspended",
	},
}

var upperCamel = regexp.MustCompile(`^([A-Z][a-z]+|SDK)+$`)

// checkKstatus fails the test where conditions are not as kstatus, and the comments of the API, want them: Ready is always there,
// Reconciling and Stalled only while true, never both and never beside Ready=True; every condition speaks of the generation,
// for a reason its type allows, in one or more bounded sentences without a key.
func checkKstatus(t testing.TB, conditions []metav1.Condition, generation int64) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range conditions {
		if seen[c.Type] {
			t.Errorf("condition %s: there are two", c.Type)
		}
		seen[c.Type] = true
		checkCondition(t, c, generation)
	}
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if ready == nil {
		t.Errorf("condition Ready: there is none")
		return
	}
	reconciling := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	for _, c := range []*metav1.Condition{reconciling, stalled} {
		if c != nil && (c.Status != metav1.ConditionTrue || c.Reason != ready.Reason) {
			t.Errorf("condition %s: it is %s for %s while Ready is %s for %s", c.Type, c.Status, c.Reason, ready.Status, ready.Reason)
		}
	}
	rests := ready.Status == metav1.ConditionTrue || ready.Reason == v1alpha1.ReasonSuspended
	switch {
	case reconciling != nil && stalled != nil:
		t.Errorf("conditions Reconciling and Stalled stand beside each other")
	case rests && (reconciling != nil || stalled != nil):
		t.Errorf("condition Ready: it is %s for %s beside Reconciling or Stalled", ready.Status, ready.Reason)
	case !rests && reconciling == nil && stalled == nil:
		t.Errorf("condition Ready: it is %s for %s without Reconciling and Stalled", ready.Status, ready.Reason)
	}
}

func checkCondition(t testing.TB, c metav1.Condition, generation int64) {
	t.Helper()
	if c.ObservedGeneration != generation {
		t.Errorf("condition %s: it speaks of generation %d, not %d", c.Type, c.ObservedGeneration, generation)
	}
	if !upperCamel.MatchString(c.Reason) {
		t.Errorf("condition %s: reason %q is not in upper camel case", c.Type, c.Reason)
	}
	if allowed, listed := reasonsOf[c.Type]; listed && !strings.Contains(" "+allowed[c.Status]+" ", " "+c.Reason+" ") {
		t.Errorf("condition %s: it must not be %s for %s", c.Type, c.Status, c.Reason)
	}
	if len(c.Message) > maxConditionMessage || strings.ContainsAny(c.Message, "\r\n\t") || scrubNothing(c.Message) != c.Message {
		t.Errorf("condition %s: message is too long, has line breaks or a key: %q", c.Type, c.Message)
	}
	if !strings.HasSuffix(c.Message, ".") && !strings.HasSuffix(c.Message, "…") {
		t.Errorf("condition %s: message is not a sentence: %q", c.Type, c.Message)
	}
	if at := c.LastTransitionTime.Time; at.IsZero() || !at.Equal(at.Truncate(time.Second)) {
		t.Errorf("condition %s: lastTransitionTime is %s", c.Type, at)
	}
}
