package controllers

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// maxPausedDeployments bounds status.pausedDeployments.
const maxPausedDeployments = 50

// computeGateStatus writes a scope's observations into the gate's status; the state stands there already. It does no IO.
func computeGateStatus(s *gateScope, scrub func(string) string) {
	status := &s.gate.Status
	status.ObservedGeneration = s.gate.Generation
	if !s.gate.Spec.Suspend && s.holdErr == nil {
		status.HeldPods = s.holds.pods
		status.PausedDeployments = s.holds.deployments[:min(len(s.holds.deployments), maxPausedDeployments)]
	}
	c := conditionSetter{conditions: &status.Conditions, generation: s.gate.Generation, now: s.now, scrub: scrub}
	c.setReady(gateReady(s))
	c.set(v1alpha1.ConditionAccepted, gateAccepted(s))
	c.set(v1alpha1.ConditionResolvedRefs, gateResolved(s))
	c.set(v1alpha1.ConditionEvaluated, gateEvaluated(s))
	c.set(v1alpha1.ConditionEnforced, gateEnforced(s))
}

// obstacle says why the expression has no answer; its reason is empty when there is one.
func (s *gateScope) obstacle() verdict {
	for _, v := range []verdict{gateAccepted(s), gateResolved(s), gateEvaluated(s)} {
		if v.status != metav1.ConditionTrue {
			return v
		}
	}
	return verdict{}
}

// suspendedBy says who asked for nothing to be decided; empty when nobody did.
func (s *gateScope) suspendedBy() string {
	if s.gate.Spec.Suspend {
		return "spec.suspend is true."
	}
	if s.isSuspended() {
		return fmt.Sprintf("StatsigProject %s is suspended.", gateProject(s.gate))
	}
	return ""
}

// gateReady sums up: Ready is true exactly while the gate is open.
func gateReady(s *gateScope) verdict {
	state, reason := s.gate.Status.State, asSentence(s.gate.Status.Reason)
	held, obstacle := s.heldByHand() != "", s.obstacle()
	switch {
	case s.suspendedBy() != "" && !held:
		v := isFalse(v1alpha1.ReasonSuspended, s.suspendedBy()+" The gate stays as it is.")
		if state == v1alpha1.GateOpen {
			v.status = metav1.ConditionTrue
		}
		return v
	case state == v1alpha1.GateOpen && obstacle.reason != "":
		return isTrue(v1alpha1.ReasonFailurePolicy, "Only spec.failurePolicy keeps the gate open. "+obstacle.message)
	case state == v1alpha1.GateOpen:
		return isTrue(v1alpha1.ReasonGateOpen, reason)
	case s.overdue:
		return isStalled(v1alpha1.ReasonDeadlineExceeded, "The gate has not been open for longer than spec.deadline. "+reason)
	case held:
		return isFalse(v1alpha1.ReasonHeldByHand, reason)
	case obstacle.reason != "":
		return obstacle
	default:
		return isFalse(v1alpha1.ReasonGateClosed, reason)
	}
}

func gateAccepted(s *gateScope) verdict {
	if s.invalid != nil {
		return isStalled(v1alpha1.ReasonInvalid, sentence(s.invalid))
	}
	return isTrue(v1alpha1.ReasonAccepted, "The spec is understood.")
}

func gateResolved(s *gateScope) verdict {
	switch {
	case s.gate.Spec.Suspend || s.invalid != nil:
		return isUnknown(v1alpha1.ReasonPending, "Not looked at yet.")
	case s.project == nil:
		missing := missingProject(gateProject(s.gate))
		return isFalse(missing.reason, missing.message)
	case s.notPermitted != "":
		return isStalled(v1alpha1.ReasonRefNotPermitted, s.notPermitted)
	default:
		return isTrue(v1alpha1.ReasonResolved, "Every reference was found.")
	}
}

func gateEvaluated(s *gateScope) verdict {
	project := gateProject(s.gate)
	switch {
	case s.suspendedBy() != "":
		return isUnknown(v1alpha1.ReasonSuspended, s.suspendedBy())
	case s.invalid != nil || s.project == nil || s.notPermitted != "":
		return isUnknown(v1alpha1.ReasonPending, "Not evaluated.")
	case s.awaitsSpecs:
		return isUnknown(v1alpha1.ReasonPending, fmt.Sprintf("StatsigProject %s has no specs yet.", project))
	case s.evaluator == nil:
		return isFalse(v1alpha1.ReasonSpecsUnavailable, fmt.Sprintf("StatsigProject %s has no specs.", project))
	case s.tooOld:
		return isFalse(v1alpha1.ReasonStale, fmt.Sprintf("No source of StatsigProject %s has confirmed the specs for %s.",
			project, failAfter(s.project)))
	case s.userErr != nil:
		return isStalled(v1alpha1.ReasonUserExpressionFailed, "spec."+strings.TrimRight(s.userErr.Error(), ". \n")+".")
	case s.verdict.Problem != "":
		return isFalse(string(s.verdict.Problem), asSentence(s.verdict.Message))
	default:
		return isTrue(v1alpha1.ReasonEvaluated, "The expression was evaluated.")
	}
}

func gateEnforced(s *gateScope) verdict {
	switch {
	case s.gate.Spec.Suspend:
		return isUnknown(v1alpha1.ReasonSuspended, s.suspendedBy()+" Nothing is held or released.")
	case s.holdErr != nil:
		return isFalse(v1alpha1.ReasonWriteFailed, sentence(s.holdErr)+" It is retried.")
	case len(s.holds.conflicts) > 0:
		return isFalse(v1alpha1.ReasonHoldConflict, asSentence(listed(s.holds.conflicts)))
	case !mayHold(s.gate):
		return isTrue(v1alpha1.ReasonEnforced, "Nothing is held by this gate.")
	case s.gate.Status.State == v1alpha1.GateOpen:
		return isTrue(v1alpha1.ReasonEnforced, "What waited for the gate goes on.")
	default:
		return isTrue(v1alpha1.ReasonEnforced, "What is to wait for the gate waits.")
	}
}

// gateEvents tells of a gate that came to another state, or stays in one for another reason, and of what goes wrong with it.
func gateEvents(before, after *v1alpha1.RolloutGate) *kubernetesEvents {
	const action = "Decide"
	queued := &kubernetesEvents{}
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if is.Reason != v1alpha1.ReasonPending && (was == nil || was.Status != is.Status || was.Reason != is.Reason) {
		switch is.Reason {
		case v1alpha1.ReasonGateOpen, v1alpha1.ReasonGateClosed, v1alpha1.ReasonHeldByHand, v1alpha1.ReasonSuspended:
			queued.normal(is.Reason, action, is.Message)
		default:
			queued.warning(is.Reason, action, is.Message)
		}
	}
	for _, conditionType := range []string{
		v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionEvaluated, v1alpha1.ConditionEnforced,
	} {
		queued.tell(before.Status.Conditions, after.Status.Conditions, conditionType, action)
	}
	return queued
}
