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

// pending are the conditions of a binding that was not evaluated for want of something that others say.
func pending(ready, stuck string, others map[string]string) map[string]string {
	conditions := map[string]string{"Ready": ready, "Evaluated": "Unknown Pending", "Materialized": "Unknown Pending"}
	_, reason, _ := strings.Cut(ready, " ")
	conditions[stuck] = "True " + reason
	maps.Copy(conditions, others)
	return conditions
}

func TestConditionsOfABindingThatIsNotEvaluated(t *testing.T) {
	scope := func(change func(*bindingScope)) func(*testing.T) *bindingScope {
		return func(*testing.T) *bindingScope {
			s := &bindingScope{binding: newBinding("a").Gate("on").ConfigMap("flags").Obj(), project: newProject("checkout").Obj(), now: noon}
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

func TestConditionsOfABindingThatIsEvaluated(t *testing.T) {
	// deployed evaluates entries for two Deployments and then changes what came of it.
	deployed := func(binding *bindingBuilder, change func(*bindingScope)) func(*testing.T) *bindingScope {
		return func(t *testing.T) *bindingScope {
			s := newScope(t, binding.ConfigMap("flags-$(workload.name)").Obj(), evaltest.Compile(t, everyKind()),
				newDeployment("cart", "cart-0"), newDeployment("checkout", "checkout-0"))
			evaluated(t, s, nil)
			change(s)
			return s
		}
	}
	plain := func(change func(*bindingScope)) func(*testing.T) *bindingScope {
		return deployed(newBinding("a").Gate("on"), change)
	}
	asIs := func(*bindingScope) {}
	required := func(e v1alpha1.Entry) *bindingBuilder {
		e.Name, e.Required = "needed", true
		return newBinding("a").Gate("on").Entry(e)
	}
	fails := func(reason string) func(*bindingScope) {
		return func(s *bindingScope) { s.targets[0].fail(reason, "Something is wrong.") }
	}
	for name, tc := range map[string]bindingCase{
		"All is well": {scope: plain(asIs), says: "Every target holds the evaluated values."},
		"Nothing matches": {
			scope: plain(func(s *bindingScope) { s.units = nil }),
			want:  map[string]string{"Ready": "True NoUnits", "Evaluated": "True NoUnits"},
			says:  "No workload or pod matches",
		},
		"An entry that is not required names no gate": {
			scope: deployed(newBinding("a").Gate("on").Gate("nope"), asIs), want: map[string]string{"Evaluated": "False EntityNotFound"},
		},
		"A required entry names no gate": {
			scope: deployed(required(v1alpha1.Entry{Gate: "nope"}), asIs),
			want:  map[string]string{"Ready": "False EntityNotFound", "Reconciling": "True EntityNotFound", "Evaluated": "False EntityNotFound"},
			says:  "needed (Gate nope)",
		},
		"A required entry names no config": {
			scope: deployed(required(v1alpha1.Entry{DynamicConfig: "nope", Path: "a.b"}), asIs),
			want:  map[string]string{"Ready": "False EntityNotFound", "Reconciling": "True EntityNotFound", "Evaluated": "False EntityNotFound"},
			says:  "needed (DynamicConfig nope, path a.b)",
		},
		"A required entry names no parameter": {
			scope: deployed(required(v1alpha1.Entry{DynamicConfig: "limits", Parameter: "burst"}), asIs),
			want:  map[string]string{"Ready": "False ValueNotFound", "Reconciling": "True ValueNotFound", "Evaluated": "False ValueNotFound"},
			says:  "needed (DynamicConfig limits, parameter burst)",
		},
		"A required entry has an unknown condition": {
			scope: deployed(required(v1alpha1.Entry{Gate: "odd"}), asIs),
			want: map[string]string{
				"Ready": "False UnsupportedOperator", "Reconciling": "True UnsupportedOperator", "Evaluated": "False UnsupportedOperator",
			},
		},
		"A required entry needs itself": {
			scope: deployed(required(v1alpha1.Entry{Gate: "loop"}), asIs),
			want: map[string]string{
				"Ready": "False EvaluationFailed", "Reconciling": "True EvaluationFailed", "Evaluated": "False EvaluationFailed",
			},
		},
		"A required entry suffers beside one that is not, for another reason": {
			scope: deployed(newBinding("a").Gate("odd").Entry(v1alpha1.Entry{Name: "needed", Gate: "nope", Required: true}), asIs),
			want: map[string]string{
				"Ready": "False EntityNotFound", "Reconciling": "True EntityNotFound", "Evaluated": "False EntityNotFound",
			},
			says: "needed (Gate nope)",
		},
		"An expression fails for one unit": {
			scope: deployed(newBinding("a").Gate("on").UserID("workload.metadata.labels['team']"), asIs),
			want: map[string]string{
				"Ready": "False UserExpressionFailed", "Stalled": "True UserExpressionFailed", "Evaluated": "False UserExpressionFailed",
				"Materialized": "Unknown Pending",
			},
			says: "Nothing was written for it.",
		},
		"There are no specs": {
			scope: plain(func(s *bindingScope) { s.evaluator, s.snapshot = nil, nil }),
			want: map[string]string{
				"Ready": "False SpecsUnavailable", "Reconciling": "True SpecsUnavailable", "Evaluated": "False SpecsUnavailable",
			},
			says: "Entries keep their values or take their defaults.",
		},
		"The project does not exist": {
			scope: plain(func(s *bindingScope) {
				s.project, s.evaluator, s.snapshot = nil, nil, nil
				s.problems = []refProblem{{v1alpha1.ReasonRefNotFound, "StatsigProject shop/checkout does not exist."}}
			}),
			want: map[string]string{
				"Ready": "False RefNotFound", "Reconciling": "True RefNotFound", "ResolvedRefs": "False RefNotFound",
				"Evaluated": "False SpecsUnavailable",
			},
			says: "StatsigProject shop/checkout does not exist.",
		},
		"A kind of workload does not exist, and a workload neither": {
			scope: plain(func(s *bindingScope) {
				s.problems = []refProblem{{v1alpha1.ReasonKindNotFound, "No kind Rollout."}, {v1alpha1.ReasonRefNotFound, "No Deployment cart."}}
			}),
			want: map[string]string{
				"Ready": "False KindNotFound", "Reconciling": "True KindNotFound", "ResolvedRefs": "False KindNotFound",
				"Materialized": "Unknown Pending",
			},
			says: "No kind Rollout. No Deployment cart.",
		},
		"A ConfigMap belongs to somebody else": {
			scope: plain(fails("TargetConflict")),
			want:  map[string]string{"Ready": "False TargetConflict", "Stalled": "True TargetConflict", "Materialized": "False TargetConflict"},
			says:  "Target flags-$(workload.name): Something is wrong.",
		},
		"The values do not fit": {
			scope: plain(fails("TargetTooLarge")),
			want:  map[string]string{"Ready": "False TargetTooLarge", "Stalled": "True TargetTooLarge", "Materialized": "False TargetTooLarge"},
		},
		"Two units share a ConfigMap": {
			scope: plain(fails("TargetInvalid")),
			want:  map[string]string{"Ready": "False TargetInvalid", "Stalled": "True TargetInvalid", "Materialized": "False TargetInvalid"},
		},
		"A write fails": {
			scope: plain(fails("WriteFailed")), phaseErr: errors.New("writing ConfigMaps: the server is away"),
			want: map[string]string{"Ready": "False WriteFailed", "Reconciling": "True WriteFailed", "Materialized": "False WriteFailed"},
		},
		"Something old cannot be removed": {
			scope: plain(asIs), phaseErr: errors.New("removing what is not wanted any more: the server is away"),
			want: map[string]string{"Ready": "False InternalError", "Reconciling": "True InternalError"},
			says: "It is retried.",
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
		"suspended":                 {project: &v1alpha1.StatsigProject{Spec: v1alpha1.StatsigProjectSpec{Suspend: true}}},
		"not permitted":             {notPermitted: "Ask its owner."},
		"awaiting the first answer": {awaitsSpecs: true},
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
