package controllers

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/gate"
)

// newGateScope is the scope of a reconcile in which a gate's expression was evaluated, unless change says otherwise.
func newGateScope(t *testing.T, g *v1alpha1.RolloutGate, change func(*gateScope)) *gateScope {
	t.Helper()
	snapshot := evaltest.Compile(t, everyKind())
	s := &gateScope{gate: g, now: noon, user: eval.NewUser(eval.UserAttributes{}), verdict: gate.Verdict{Reason: "gate release = false"}}
	s.projectView = projectView{
		project: newProject("checkout").Obj(), namespace: newMetadata("v1", "Namespace", g.Namespace),
		snapshot: snapshot, evaluator: eval.NewEvaluator(snapshot, eval.Options{}),
	}
	if change != nil {
		change(s)
	}
	return s
}

// gateCase is what a reconcile of a gate observed, and the conditions that it comes to.
type gateCase struct {
	gate   *gateBuilder
	change func(*gateScope)
	// want are the conditions that differ from those of an open gate with which all is well.
	want map[string]string
	// says is a part of Ready's message.
	says string
}

var openGate = map[string]string{
	"Ready": "True GateOpen", "Accepted": "True Accepted", "ResolvedRefs": "True Resolved", "Evaluated": "True Evaluated",
	"Enforced": "True Enforced",
}

func checkGateStatus(t *testing.T, tc gateCase) {
	t.Helper()
	s := newGateScope(t, tc.gate.Obj(), tc.change)
	computeGateStatus(s, scrubNothing)
	status := &s.gate.Status
	checkKstatus(t, status.Conditions, s.gate.Generation)
	if status.ObservedGeneration != s.gate.Generation {
		t.Errorf("observedGeneration: want %d, got %d", s.gate.Generation, status.ObservedGeneration)
	}
	want := maps.Clone(openGate)
	maps.Copy(want, tc.want)
	if diff := cmp.Diff(want, summarize(status.Conditions)); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if got := messageOf(status.Conditions, "Ready"); !strings.Contains(got, tc.says) {
		t.Errorf("message of Ready: want %q in it, got %q", tc.says, got)
	}
	// Everybody who waits for Ready must find what those find who ask for the state.
	if ready := meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady); ready != (status.State == v1alpha1.GateOpen) {
		t.Errorf("Ready is %v while the state is %s", ready, status.State)
	}
	// The same observations a minute later must not change the status: it would be written again.
	before := status.DeepCopy()
	s.now = s.now.Add(time.Minute)
	computeGateStatus(s, scrubNothing)
	if !equality.Semantic.DeepEqual(before, status) {
		t.Errorf("status computed twice (-first +second):\n%s", cmp.Diff(before, status))
	}
}

func TestConditionsOfAGateWithAnAnswer(t *testing.T) {
	held := func(g *v1alpha1.RolloutGate) { g.Spec.Hold = &v1alpha1.Hold{Reason: "incident 42"} }
	for name, tc := range map[string]gateCase{
		"An open gate is ready": {
			gate: newGate("a").Was(v1alpha1.GateOpen), says: "What decided an hour ago.",
		},
		"A closed gate is under way, and not stuck": {
			gate: newGate("a").Was(v1alpha1.GateClosed), want: unready("False GateClosed", "Reconciling", nil), says: "What decided an hour ago.",
		},
		"A gate held by hand": {
			gate: newGate("a").Was(v1alpha1.GateClosed).With(held), want: unready("False HeldByHand", "Reconciling", nil),
		},
		"A hold by hand that has ended decides nothing": {
			gate: newGate("a").Was(v1alpha1.GateClosed).With(held).With(func(g *v1alpha1.RolloutGate) { g.Spec.Hold.Until = timeOf(noon) }),
			want: unready("False GateClosed", "Reconciling", nil),
		},
		"A gate past its deadline is stuck": {
			gate: newGate("a").Was(v1alpha1.GateClosed), change: func(s *gateScope) { s.overdue = true },
			want: unready("False DeadlineExceeded", "Stalled", nil),
			says: "The gate has not been open for longer than spec.deadline. What decided an hour ago.",
		},
		"A gate held by hand past its deadline is stuck": {
			gate: newGate("a").Was(v1alpha1.GateClosed).With(held), change: func(s *gateScope) { s.overdue = true },
			want: unready("False DeadlineExceeded", "Stalled", nil),
		},
	} {
		t.Run(name, func(t *testing.T) { checkGateStatus(t, tc) })
	}
}

// Whatever the failure policy makes of it, the conditions tell the true problem.
func TestConditionsOfAGateWithoutAnAnswer(t *testing.T) {
	notEvaluated := func(others map[string]string) map[string]string {
		conditions := map[string]string{"Evaluated": "Unknown Pending"}
		maps.Copy(conditions, others)
		return conditions
	}
	problem := func(p gate.Problem, message string) func(*gateScope) {
		return func(s *gateScope) { s.verdict = gate.Verdict{Problem: p, Message: message} }
	}
	for name, tc := range map[string]struct {
		change func(*gateScope)
		// ready is Ready of a gate whose policy does not keep it open, stuck what stands beside it.
		ready, stuck string
		others       map[string]string
		says         string
	}{
		"A spec that cannot work": {
			func(s *gateScope) { s.invalid, s.project = errors.New("spec.open: 1:5: unexpected"), nil },
			"False Invalid", "Stalled",
			notEvaluated(map[string]string{"Accepted": "False Invalid", "ResolvedRefs": "Unknown Pending"}), "spec.open: 1:5: unexpected.",
		},
		"A project that does not exist": {
			func(s *gateScope) { s.projectView = projectView{} }, "False RefNotFound", "Reconciling",
			notEvaluated(map[string]string{"ResolvedRefs": "False RefNotFound"}), "StatsigProject shop/checkout does not exist.",
		},
		"A project that does not allow the namespace": {
			func(s *gateScope) { s.notPermitted = "Ask its owner." }, "False RefNotPermitted", "Stalled",
			notEvaluated(map[string]string{"ResolvedRefs": "False RefNotPermitted"}), "Ask its owner.",
		},
		"A first answer that is awaited": {
			func(s *gateScope) { s.awaitsSpecs = true }, "Unknown Pending", "Reconciling", notEvaluated(nil),
			"StatsigProject shop/checkout has no specs yet.",
		},
		"A project without specs": {
			func(s *gateScope) { s.evaluator = nil }, "False SpecsUnavailable", "Reconciling",
			map[string]string{"Evaluated": "False SpecsUnavailable"}, "StatsigProject shop/checkout has no specs.",
		},
		"Specs that are too old": {
			func(s *gateScope) { s.tooOld = true }, "False Stale", "Reconciling", map[string]string{"Evaluated": "False Stale"},
			"No source of StatsigProject shop/checkout has confirmed the specs for 1h0m0s.",
		},
		"A user that cannot be built": {
			func(s *gateScope) { s.userErr = errors.New("user.userID: no such key: team") },
			"False UserExpressionFailed", "Stalled", map[string]string{"Evaluated": "False UserExpressionFailed"},
			"spec.user.userID: no such key: team.",
		},
		"A gate that the specs lack": {
			problem(gate.EntityNotFound, "there is no gate release"), "False EntityNotFound", "Reconciling",
			map[string]string{"Evaluated": "False EntityNotFound"}, "There is no gate release.",
		},
		"A parameter that the value lacks": {
			problem(gate.ValueNotFound, "config limits has no rps"), "False ValueNotFound", "Reconciling",
			map[string]string{"Evaluated": "False ValueNotFound"}, "Config limits has no rps.",
		},
		"An operator that is not supported": {
			problem(gate.UnsupportedOperator, "gate release uses one"), "False UnsupportedOperator", "Reconciling",
			map[string]string{"Evaluated": "False UnsupportedOperator"}, "Gate release uses one.",
		},
		"Rules in a cycle": {
			problem(gate.EvaluationFailed, "gate release is nested too deeply"), "False EvaluationFailed", "Reconciling",
			map[string]string{"Evaluated": "False EvaluationFailed"}, "Gate release is nested too deeply.",
		},
		"Types that don't compare": {
			problem(gate.ExpressionFailed, "1:9: no such overload"), "False ExpressionFailed", "Reconciling",
			map[string]string{"Evaluated": "False ExpressionFailed"}, "1:9: no such overload.",
		},
	} {
		for _, state := range []v1alpha1.GateState{v1alpha1.GateUnknown, v1alpha1.GateClosed} {
			t.Run(fmt.Sprintf("%s: %s", name, state), func(t *testing.T) {
				checkGateStatus(t, gateCase{newGate("a").Was(state), tc.change, unready(tc.ready, tc.stuck, tc.others), tc.says})
			})
		}
		t.Run(name+": kept open by the policy", func(t *testing.T) {
			want := map[string]string{"Ready": "True FailurePolicy"}
			maps.Copy(want, tc.others)
			says := "Only spec.failurePolicy keeps the gate open. " + tc.says
			checkGateStatus(t, gateCase{newGate("a").Was(v1alpha1.GateOpen), tc.change, want, says})
		})
		t.Run(name+": held by hand", func(t *testing.T) {
			held := newGate("a").Was(v1alpha1.GateClosed).With(func(g *v1alpha1.RolloutGate) { g.Spec.Hold = &v1alpha1.Hold{Reason: "incident"} })
			checkGateStatus(t, gateCase{held, tc.change, unready("False HeldByHand", "Reconciling", tc.others), ""})
		})
		t.Run(name+": past the deadline", func(t *testing.T) {
			change := func(s *gateScope) { tc.change(s); s.overdue = true }
			checkGateStatus(t, gateCase{
				newGate("a").Was(v1alpha1.GateUnknown), change, unready("False DeadlineExceeded", "Stalled", tc.others), "",
			})
		})
	}
}

func TestConditionsOfASuspendedGate(t *testing.T) {
	suspend := func(g *v1alpha1.RolloutGate) { g.Spec.Suspend = true }
	suspended := func(s *gateScope) { s.projectView, s.user, s.overdue = projectView{}, nil, true }
	byGate := map[string]string{"ResolvedRefs": "Unknown Pending", "Evaluated": "Unknown Suspended", "Enforced": "Unknown Suspended"}
	ready := func(v string, others map[string]string) map[string]string {
		conditions := map[string]string{"Ready": v}
		maps.Copy(conditions, others)
		return conditions
	}
	byProject := map[string]string{"Evaluated": "Unknown Suspended"}
	project := func(s *gateScope) { s.project.Spec.Suspend, s.evaluator, s.user = true, nil, nil }
	held := func(g *v1alpha1.RolloutGate) { g.Spec.Hold = &v1alpha1.Hold{Reason: "incident"} }
	for name, tc := range map[string]gateCase{
		"An open gate stays ready":       {newGate("a").Was("Open").With(suspend), suspended, ready("True Suspended", byGate), "spec.suspend is true."},
		"A closed gate rests":            {newGate("a").Was("Closed").With(suspend), suspended, ready("False Suspended", byGate), "The gate stays as it is."},
		"An unknown one rests too":       {newGate("a").Was("Unknown").With(suspend), suspended, ready("False Suspended", byGate), ""},
		"Its hold by hand rests as well": {newGate("a").Was("Open").With(suspend).With(held), suspended, ready("True Suspended", byGate), ""},
		"A suspended project keeps a gate open": {
			newGate("a").Was("Open"), project, ready("True Suspended", byProject), "StatsigProject shop/checkout is suspended.",
		},
		"A suspended project keeps it closed": {newGate("a").Was("Closed"), project, ready("False Suspended", byProject), ""},
		"A hold by hand needs no project": {
			newGate("a").Was("Closed").With(held), project, unready("False HeldByHand", "Reconciling", byProject), "",
		},
	} {
		t.Run(name, func(t *testing.T) { checkGateStatus(t, tc) })
	}
}

func TestConditionEnforced(t *testing.T) {
	holds := func(g *v1alpha1.RolloutGate) {
		g.Spec.Hold = &v1alpha1.Hold{PauseDeployments: &v1alpha1.PauseDeploymentsHold{Selector: &metav1.LabelSelector{}}}
	}
	for name, tc := range map[string]struct {
		gate     *gateBuilder
		change   func(*gateScope)
		want     string
		wantSays string
	}{
		"A gate that holds nothing": {newGate("a").Was("Closed"), nil, "True Enforced", "Nothing is held by this gate."},
		"A closed gate":             {newGate("a").Was("Closed").With(holds), nil, "True Enforced", "What is to wait for the gate waits."},
		"An open gate":              {newGate("a").Was("Open").With(holds), nil, "True Enforced", "What waited for the gate goes on."},
		"A Deployment of somebody else's": {
			newGate("a").Was("Closed").With(holds),
			func(s *gateScope) {
				s.holds.conflicts = []string{"Deployment web: field manager kubectl manages spec.paused"}
			},
			"False HoldConflict", "Deployment web: field manager kubectl manages spec.paused.",
		},
		"Many of them are not all named": {
			newGate("a").Was("Closed").With(holds),
			func(s *gateScope) { s.holds.conflicts = []string{"Deployment a: b", "c", "d", "e", "f"} },
			"False HoldConflict", "Deployment a: b, c, d and 2 more.",
		},
		"A write that failed": {
			newGate("a").Was("Closed").With(holds), func(s *gateScope) { s.holdErr = errors.New("pausing Deployment web: forbidden") },
			"False WriteFailed", "Pausing Deployment web: forbidden. It is retried.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newGateScope(t, tc.gate.Obj(), tc.change)
			computeGateStatus(s, scrubNothing)
			checkKstatus(t, s.gate.Status.Conditions, s.gate.Generation)
			if got := summarize(s.gate.Status.Conditions)["Enforced"]; got != tc.want {
				t.Errorf("Enforced: want %s, got %s", tc.want, got)
			}
			if got := messageOf(s.gate.Status.Conditions, "Enforced"); got != tc.wantSays {
				t.Errorf("message: want %q, got %q", tc.wantSays, got)
			}
		})
	}
}

func TestStatusTellsWhatAGateHolds(t *testing.T) {
	var names []string
	for i := range maxPausedDeployments + 5 {
		names = append(names, fmt.Sprintf("web-%02d", i))
	}
	g := newGate("a").Was(v1alpha1.GateClosed).Obj()
	computeGateStatus(newGateScope(t, g, func(s *gateScope) { s.holds = holdOutcome{pods: 7, deployments: names} }), scrubNothing)
	if g.Status.HeldPods != 7 || len(g.Status.PausedDeployments) != maxPausedDeployments {
		t.Errorf("want 7 pods and %d Deployments, got %d and %d", maxPausedDeployments, g.Status.HeldPods, len(g.Status.PausedDeployments))
	}
	// What could not be looked at is not taken for gone.
	computeGateStatus(newGateScope(t, g, func(s *gateScope) { s.holdErr = errors.New("the server is away") }), scrubNothing)
	if g.Status.HeldPods != 7 || len(g.Status.PausedDeployments) != maxPausedDeployments {
		t.Errorf("after an error: got %d pods and %d Deployments", g.Status.HeldPods, len(g.Status.PausedDeployments))
	}
	g.Spec.Suspend = true
	computeGateStatus(newGateScope(t, g, nil), scrubNothing)
	if g.Status.HeldPods != 7 {
		t.Errorf("suspended: got %d pods", g.Status.HeldPods)
	}
}

func TestEventsOfAGate(t *testing.T) {
	conditions := func(b *gateBuilder, change func(*gateScope)) *v1alpha1.RolloutGate {
		s := newGateScope(t, b.Obj(), change)
		computeGateStatus(s, scrubNothing)
		return s.gate
	}
	closed, open := conditions(newGate("a").Was("Closed"), nil), conditions(newGate("a").Was("Open"), nil)
	missing := func(s *gateScope) {
		s.verdict = gate.Verdict{Problem: gate.EntityNotFound, Message: "there is no gate release"}
	}
	awaited := func(s *gateScope) { s.awaitsSpecs = true }
	for name, tc := range map[string]struct {
		before, after *v1alpha1.RolloutGate
		want          []string
	}{
		"A new gate that is closed":  {newGate("a").Obj(), closed, []string{"Normal GateClosed: What decided an hour ago."}},
		"A gate that opens":          {closed, open, []string{"Normal GateOpen: What decided an hour ago."}},
		"A gate that closes":         {open, closed, []string{"Normal GateClosed: What decided an hour ago."}},
		"A gate that stays as it is": {open, open, nil},
		"A gate that awaits specs":   {newGate("a").Obj(), conditions(newGate("a").Was("Unknown"), awaited), nil},
		"A gate that is missing":     {open, conditions(newGate("a").Was("Unknown"), missing), []string{"Warning EntityNotFound: There is no gate release."}},
		"One that the policy keeps open": {
			open, conditions(newGate("a").Was("Open"), missing), []string{
				"Warning FailurePolicy: Only spec.failurePolicy keeps the gate open. There is no gate release.",
				"Warning EntityNotFound: There is no gate release.",
			},
		},
		"A gate past its deadline": {
			closed, conditions(newGate("a").Was("Closed"), func(s *gateScope) { s.overdue = true }),
			[]string{"Warning DeadlineExceeded: The gate has not been open for longer than spec.deadline. What decided an hour ago."},
		},
		"A gate that is suspended": {
			open, conditions(newGate("a").Was("Open").With(func(g *v1alpha1.RolloutGate) { g.Spec.Suspend = true }), nil),
			[]string{"Normal Suspended: spec.suspend is true. The gate stays as it is."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range gateEvents(tc.before, tc.after).queued {
				got = append(got, fmt.Sprintf("%s %s: %s", e.kind, e.reason, e.note))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
