package controllers

import (
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/gate"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// evaluateGate evaluates a gate's expression, where there is something to evaluate it with. It does no IO.
func evaluateGate(s *gateScope, clusterName string) {
	if s.evaluator == nil {
		return
	}
	if s.staleAt = s.whenStale(); !s.staleAt.IsZero() && !s.now.Before(s.staleAt) {
		// Specs from the store may be old only because no source has been asked yet.
		s.tooOld, s.awaitsSpecs = true, !s.running.state().Attempted
		s.staleAt = time.Time{}
		return
	}
	namespace := subjectObject(s.namespace, nil)
	if s.user, s.userErr = s.program.user.User(subject.Input{Namespace: namespace, Cluster: clusterName}); s.userErr != nil {
		return
	}
	s.verdict = s.program.open.Evaluate(gate.Input{
		Evaluator: s.evaluator, User: s.user, Now: s.now, Namespace: namespace, Cluster: clusterName,
	})
	for _, ref := range s.program.open.References() {
		s.boundary = earlierBoundary(s.boundary, s.snapshot, ref, s.now)
	}
}

// decide lets a gate's state follow from what was observed. It does no IO.
func decide(s *gateScope, scrub func(string) string) {
	policy := gatePolicy(&s.gate.Spec)
	if s.awaitsSpecs && policy.OnFailure == gate.FailOpen {
		// Nothing has failed: the answer is seconds away, and may be no.
		policy.OnFailure = gate.FailLastKnown
	}
	is, look, overdue := policy.Next(gateStatus(&s.gate.Status), s.observation(scrub), s.now)
	setGateStatus(&s.gate.Status, is)
	s.look, s.overdue = look, overdue
}

// observation is what the state machine is told.
func (s *gateScope) observation(scrub func(string) string) gate.Observation {
	held := s.heldByHand()
	seen := gate.Observation{
		Held: oneLine(scrub(held)),
		// A project that is idle on purpose leaves its gates as they are, but does not keep anybody from closing one.
		Suspended: s.gate.Spec.Suspend || (s.isSuspended() && held == ""),
	}
	if held != "" && s.gate.Spec.Hold.Until != nil {
		seen.HeldUntil = s.gate.Spec.Hold.Until.Time
	}
	switch obstacle := s.obstacle(); {
	case obstacle.reason != "":
		seen.Reason = strings.TrimSuffix(obstacle.message, ".")
	case s.verdict.Open:
		seen.Answer, seen.Reason = gate.True, s.verdict.Reason
	default:
		seen.Answer, seen.Reason = gate.False, s.verdict.Reason
	}
	seen.Reason = truncate(oneLine(scrub(seen.Reason)), gate.MaxReason)
	return seen
}

// oneLine replaces line breaks and other control characters, which rules and users may bring, and which a column cannot show.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// gateStatus is what the state machine remembers of a gate.
func gateStatus(status *v1alpha1.RolloutGateStatus) gate.Status {
	was := gate.Status{
		State: gate.State(status.State), Reason: status.Reason, Since: timeOrZero(status.Since), ClosedSince: timeOrZero(status.ClosedSince),
	}
	if status.Pending != nil {
		was.Pending, was.PendingSince = gate.State(status.Pending.State), status.Pending.Since.Time
	}
	for i := range status.History {
		t := &status.History[i]
		was.History = append(was.History, gate.Transition{State: gate.State(t.State), Time: t.Time.Time, Reason: t.Reason})
	}
	return was
}

// setGateStatus writes what the state machine remembers into a gate's status.
func setGateStatus(status *v1alpha1.RolloutGateStatus, is gate.Status) {
	status.State, status.Reason = v1alpha1.GateState(is.State), is.Reason
	status.Since, status.ClosedSince = timeOrNil(is.Since), timeOrNil(is.ClosedSince)
	status.Pending = nil
	if is.Pending != "" {
		status.Pending = &v1alpha1.PendingGateState{State: v1alpha1.GateState(is.Pending), Since: metav1.NewTime(is.PendingSince)}
	}
	status.History = status.History[:0]
	for _, t := range is.History {
		status.History = append(status.History, v1alpha1.GateTransition{
			State: v1alpha1.GateState(t.State), Time: metav1.NewTime(t.Time), Reason: t.Reason,
		})
	}
}

func timeOrZero(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

func timeOrNil(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}
