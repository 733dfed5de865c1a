package controllers

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// summarize returns "<status> <reason>" by type of condition.
func summarize(conditions []metav1.Condition) map[string]string {
	summary := map[string]string{}
	for _, c := range conditions {
		summary[c.Type] = string(c.Status) + " " + c.Reason
	}
	return summary
}

func messageOf(conditions []metav1.Condition, conditionType string) string {
	for _, c := range conditions {
		if c.Type == conditionType {
			return c.Message
		}
	}
	return ""
}

// bindingCase is what a reconcile observed and the conditions that it comes to.
type bindingCase struct {
	scope    func(t *testing.T) *bindingScope
	phaseErr error
	// want are the conditions that differ from those of a binding with which all is well.
	want map[string]string
	// says is a part of Ready's message.
	says string
}

var allIsWell = map[string]string{
	"Ready": "True Applied", "Accepted": "True Accepted", "ResolvedRefs": "True Resolved", "Evaluated": "True Evaluated",
	"Materialized": "True Applied",
}

func checkBindingStatus(t *testing.T, tc bindingCase) {
	t.Helper()
	s := tc.scope(t)
	computeBindingStatus(s, tc.phaseErr, scrubNothing)
	status := &s.binding.Status
	checkKstatus(t, status.Conditions, s.binding.Generation)
	if status.ObservedGeneration != s.binding.Generation {
		t.Errorf("observedGeneration: want %d, got %d", s.binding.Generation, status.ObservedGeneration)
	}
	want := maps.Clone(allIsWell)
	maps.Copy(want, tc.want)
	if diff := cmp.Diff(want, summarize(status.Conditions)); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if got := messageOf(status.Conditions, "Ready"); !strings.Contains(got, tc.says) {
		t.Errorf("message of Ready: want %q in it, got %q", tc.says, got)
	}
	// The same observations a minute later must not change the status: it would be written again.
	before := status.DeepCopy()
	s.now = s.now.Add(time.Minute)
	computeBindingStatus(s, tc.phaseErr, scrubNothing)
	if !equality.Semantic.DeepEqual(before, status) {
		t.Errorf("status computed twice (-first +second):\n%s", cmp.Diff(before, status))
	}
}

// unready are the conditions of an object that is not ready, and stuck for that reason, beside others.
func unready(ready, stuck string, others map[string]string) map[string]string {
	_, reason, _ := strings.Cut(ready, " ")
	conditions := map[string]string{"Ready": ready, stuck: "True " + reason}
	maps.Copy(conditions, others)
	return conditions
}

// pending is unready for a binding that was not evaluated.
func pending(ready, stuck string, others map[string]string) map[string]string {
	conditions := unready(ready, stuck, map[string]string{"Evaluated": "Unknown Pending", "Materialized": "Unknown Pending"})
	maps.Copy(conditions, others)
	return conditions
}

func TestConditionsOfABindingThatIsNotEvaluated(t *testing.T) {
	scope := func(change func(*bindingScope)) func(*testing.T) *bindingScope {
		return func(*testing.T) *bindingScope {
			s := &bindingScope{binding: newBinding("a").Gate("on").ConfigMap("flags").Obj(), projectView: projectView{project: newProject("checkout").Obj()}, now: noon}
			change(s)
			return s
		}
	}
	suspended := map[string]string{
		"Ready": "False Suspended", "Evaluated": "Unknown Suspended", "Materialized": "Unknown Suspended",
	}
	notLookedAt := maps.Clone(suspended)
	notLookedAt["ResolvedRefs"] = "Unknown Pending"
	for name, tc := range map[string]bindingCase{
		"A spec that cannot work": {
			scope: scope(func(s *bindingScope) {
				s.invalid, s.project = errors.New("spec.subject.user: user.email: 1:3: oops"), nil
			}),
			want: pending("False Invalid", "Stalled", map[string]string{
				"Accepted": "False Invalid", "ResolvedRefs": "Unknown Pending",
			}),
			says: "user.email: 1:3: oops. Nothing was written.",
		},
		"A project that does not allow the namespace": {
			scope: scope(func(s *bindingScope) { s.notPermitted = "Ask its owner." }),
			want:  pending("False RefNotPermitted", "Stalled", map[string]string{"ResolvedRefs": "False RefNotPermitted"}),
			says:  "Ask its owner.",
		},
		"A suspended project that does not allow the namespace": {
			scope: scope(func(s *bindingScope) { s.notPermitted, s.project.Spec.Suspend = "Ask its owner.", true }),
			want:  pending("False RefNotPermitted", "Stalled", map[string]string{"ResolvedRefs": "False RefNotPermitted"}),
			says:  "Ask its owner.",
		},
		"A project whose first answer is outstanding": {
			scope: scope(func(s *bindingScope) { s.awaitsSpecs = true }),
			want:  pending("Unknown Pending", "Reconciling", nil),
			says:  "StatsigProject shop/checkout has no specs yet.",
		},
		"A suspended binding": {
			scope: scope(func(s *bindingScope) { s.binding.Spec.Suspend, s.project = true, nil }),
			want:  notLookedAt, says: "spec.suspend is true. Values that were written stay.",
		},
		"A suspended project": {
			scope: scope(func(s *bindingScope) { s.project.Spec.Suspend = true }),
			want:  suspended, says: "StatsigProject shop/checkout is suspended. Values that were written stay.",
		},
		"An API server that does not answer": {
			scope:    scope(func(s *bindingScope) { s.project = nil }),
			phaseErr: errors.New("resolving the project: reading namespace shop: the server is away"),
			want:     pending("False InternalError", "Reconciling", map[string]string{"ResolvedRefs": "Unknown Pending"}),
			says:     "Resolving the project: reading namespace shop: the server is away. It is retried.",
		},
		"Workloads that cannot be listed": {
			scope: scope(func(s *bindingScope) {
				s.problems = []refProblem{{v1alpha1.ReasonRefNotFound, "Deployment cart does not exist in namespace shop."}}
			}),
			phaseErr: errors.New("finding workloads: listing StatefulSet: the server is away"),
			want:     pending("False RefNotFound", "Reconciling", map[string]string{"ResolvedRefs": "False RefNotFound"}),
		},
	} {
		t.Run(name, func(t *testing.T) { checkBindingStatus(t, tc) })
	}
}

// deployed evaluates a binding's entries for two Deployments, and then changes what came of it.
func deployed(binding *bindingBuilder, change func(*bindingScope)) func(*testing.T) *bindingScope {
	return func(t *testing.T) *bindingScope {
		t.Helper()
		s := newScope(t, binding.ConfigMap("flags-$(workload.name)").Obj(), evaltest.Compile(t, everyKind()),
			newDeployment("cart", "cart-0"), newDeployment("checkout", "checkout-0"))
		evaluated(t, s, nil)
		change(s)
		return s
	}
}

// asked is deployed for a binding that nothing goes wrong with.
func asked(binding *bindingBuilder) func(*testing.T) *bindingScope {
	return deployed(binding, func(*bindingScope) {})
}

// needing is a binding with a required entry of the name needed.
func needing(entry v1alpha1.Entry) *bindingBuilder {
	entry.Name, entry.Required = "needed", true
	return newBinding("a").Gate("on").Entry(entry)
}

func TestConditionsByWhatBecameOfEntries(t *testing.T) {
	notEvaluated := func(reason string) map[string]string {
		return unready("False "+reason, "Reconciling", map[string]string{"Evaluated": "False " + reason})
	}
	for name, tc := range map[string]bindingCase{
		"All is well": {scope: asked(newBinding("a").Gate("on")), says: "Every target holds the evaluated values."},
		"Nothing matches": {
			scope: deployed(newBinding("a").Gate("on"), func(s *bindingScope) { s.units = nil }),
			want:  map[string]string{"Ready": "True NoUnits", "Evaluated": "True NoUnits"},
			says:  "No workload or pod matches",
		},
		"An entry that is not required names no gate": {
			scope: asked(newBinding("a").Gate("on").Gate("nope")), want: map[string]string{"Evaluated": "False EntityNotFound"},
		},
		"A required entry names no gate": {
			scope: asked(needing(v1alpha1.Entry{Gate: "nope"})), want: notEvaluated("EntityNotFound"), says: "needed (Gate nope)",
		},
		"A required entry names no config": {
			scope: asked(needing(v1alpha1.Entry{DynamicConfig: "nope", Path: "a.b"})),
			want:  notEvaluated("EntityNotFound"), says: "needed (DynamicConfig nope, path a.b)",
		},
		"A required entry names no parameter": {
			scope: asked(needing(v1alpha1.Entry{DynamicConfig: "limits", Parameter: "burst"})),
			want:  notEvaluated("ValueNotFound"), says: "needed (DynamicConfig limits, parameter burst)",
		},
		"A required entry has an unknown condition": {
			scope: asked(needing(v1alpha1.Entry{Gate: "odd"})), want: notEvaluated("UnsupportedOperator"),
		},
		"A required entry needs itself": {
			scope: asked(needing(v1alpha1.Entry{Gate: "loop"})), want: notEvaluated("EvaluationFailed"),
		},
		"A required entry suffers beside one that is not, for another reason": {
			scope: asked(newBinding("a").Gate("odd").Entry(v1alpha1.Entry{Name: "needed", Gate: "nope", Required: true})),
			want:  notEvaluated("EntityNotFound"), says: "needed (Gate nope)",
		},
		"An expression fails for one unit": {
			scope: asked(newBinding("a").Gate("on").UserID("workload.metadata.labels['team']")),
			want: unready("False UserExpressionFailed", "Stalled", map[string]string{
				"Evaluated": "False UserExpressionFailed", "Materialized": "Unknown Pending",
			}),
			says: "Nothing was written for it.",
		},
		"There are no specs": {
			scope: deployed(newBinding("a").Gate("on"), func(s *bindingScope) { s.evaluator, s.snapshot = nil, nil }),
			want:  notEvaluated("SpecsUnavailable"), says: "Entries keep their values or take their defaults.",
		},
	} {
		t.Run(name, func(t *testing.T) { checkBindingStatus(t, tc) })
	}
}

func TestConditionsByWhatBecameOfReferencesAndTargets(t *testing.T) {
	plain := func(change func(*bindingScope)) func(*testing.T) *bindingScope {
		return deployed(newBinding("a").Gate("on"), change)
	}
	fails := func(reason string) func(*testing.T) *bindingScope {
		return plain(func(s *bindingScope) { s.targets[0].fail(reason, "Something is wrong.") })
	}
	notApplied := func(reason, stuck string) map[string]string {
		return unready("False "+reason, stuck, map[string]string{"Materialized": "False " + reason})
	}
	for name, tc := range map[string]bindingCase{
		"The project does not exist": {
			scope: plain(func(s *bindingScope) {
				s.project, s.evaluator, s.snapshot = nil, nil, nil
				s.problems = []refProblem{{v1alpha1.ReasonRefNotFound, "StatsigProject shop/checkout does not exist."}}
			}),
			want: unready("False RefNotFound", "Reconciling", map[string]string{
				"ResolvedRefs": "False RefNotFound", "Evaluated": "False SpecsUnavailable",
			}),
			says: "StatsigProject shop/checkout does not exist.",
		},
		"A kind of workload does not exist, and a workload neither": {
			scope: plain(func(s *bindingScope) {
				s.problems = []refProblem{{v1alpha1.ReasonKindNotFound, "No kind Rollout."}, {v1alpha1.ReasonRefNotFound, "No Deployment cart."}}
			}),
			want: unready("False KindNotFound", "Reconciling", map[string]string{
				"ResolvedRefs": "False KindNotFound", "Materialized": "Unknown Pending",
			}),
			says: "No kind Rollout. No Deployment cart.",
		},
		"A ConfigMap belongs to somebody else": {
			scope: fails("TargetConflict"), want: notApplied("TargetConflict", "Stalled"),
			says: "Target flags-$(workload.name): Something is wrong.",
		},
		"The values do not fit":       {scope: fails("TargetTooLarge"), want: notApplied("TargetTooLarge", "Stalled")},
		"Two units share a ConfigMap": {scope: fails("TargetInvalid"), want: notApplied("TargetInvalid", "Stalled")},
		"A write fails": {
			scope: fails("WriteFailed"), phaseErr: errors.New("writing ConfigMaps: the server is away"),
			want: notApplied("WriteFailed", "Reconciling"),
		},
		"Something old cannot be removed": {
			scope: plain(func(*bindingScope) {}), phaseErr: errors.New("removing what is not wanted any more: the server is away"),
			want: unready("False InternalError", "Reconciling", nil), says: "It is retried.",
		},
	} {
		t.Run(name, func(t *testing.T) { checkBindingStatus(t, tc) })
	}
}

// What a reconcile says must not depend on what an earlier one said.
func TestConditionsDoNotDependOnThoseBefore(t *testing.T) {
	stuck := &bindingScope{binding: newBinding("a").Gate("on").Obj(), now: noon, invalid: errors.New("spec.entries[a] is odd")}
	computeBindingStatus(stuck, nil, scrubNothing)
	checkKstatus(t, stuck.binding.Status.Conditions, 3)

	s := newScope(t, stuck.binding.DeepCopy(), evaltest.Compile(t, everyKind()), newDeployment("cart"))
	s.now = noon.Add(time.Hour)
	s.binding.Generation = 4
	computeBindingStatus(evaluated(t, s, nil), nil, scrubNothing)
	checkKstatus(t, s.binding.Status.Conditions, 4)
	if diff := cmp.Diff(allIsWell, summarize(s.binding.Status.Conditions)); diff != "" {
		t.Errorf("conditions after the spec was mended (-want +got):\n%s", diff)
	}
	for _, c := range s.binding.Status.Conditions {
		if want := noon.Add(time.Hour); !c.LastTransitionTime.Time.Equal(want) {
			t.Errorf("%s turned: want lastTransitionTime %s, got %s", c.Type, want, c.LastTransitionTime)
		}
	}
}

// What was written stays, and so does what the status tells of it.
func TestValuesStayInStatusWhileNothingIsDone(t *testing.T) {
	s := newScope(t, newBinding("a").Gate("on").ConfigMap("flags").Obj(), evaltest.Compile(t, everyKind()), newDeployment("cart"))
	computeBindingStatus(evaluated(t, s, nil), nil, scrubNothing)
	values := s.binding.Status.DeepCopy()
	if values.Hash == "" || len(values.Entries) != 1 || values.TargetsApplied != "1/1" {
		t.Fatalf("status of an applied binding: %+v", values)
	}
	for name, idle := range map[string]*bindingScope{
		"suspended":                 {projectView: projectView{project: &v1alpha1.StatsigProject{Spec: v1alpha1.StatsigProjectSpec{Suspend: true}}}},
		"not permitted":             {projectView: projectView{notPermitted: "Ask its owner."}},
		"awaiting the first answer": {projectView: projectView{awaitsSpecs: true}},
		"stopped by the API server": {},
		"not understood any more":   {invalid: errors.New("spec.entries[a] is odd")},
	} {
		idle.binding, idle.now = s.binding.DeepCopy(), noon.Add(time.Hour)
		computeBindingStatus(idle, errors.New("reading: the server is away"), scrubNothing)
		got := idle.binding.Status.DeepCopy()
		got.Conditions = values.Conditions
		if diff := cmp.Diff(values, got); diff != "" {
			t.Errorf("%s: the values in status changed (-want +got):\n%s", name, diff)
		}
	}
}
