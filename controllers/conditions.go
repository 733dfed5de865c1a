package controllers

import (
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// maxConditionMessage is the API server's own bound for a condition's message, with room to spare.
const maxConditionMessage = 1024

// verdict is what one condition will say.
type verdict struct {
	status  metav1.ConditionStatus
	reason  string
	message string
	// stalled tells that only a change by somebody can help; otherwise the controller carries on by itself.
	stalled bool
}

func isTrue(reason, message string) verdict {
	return verdict{status: metav1.ConditionTrue, reason: reason, message: message}
}

func isFalse(reason, message string) verdict {
	return verdict{status: metav1.ConditionFalse, reason: reason, message: message}
}

func isStalled(reason, message string) verdict {
	return verdict{status: metav1.ConditionFalse, reason: reason, message: message, stalled: true}
}

func isUnknown(reason, message string) verdict {
	return verdict{status: metav1.ConditionUnknown, reason: reason, message: message}
}

// conditionSetter writes verdicts into an object's conditions.
type conditionSetter struct {
	conditions *[]metav1.Condition
	generation int64
	now        time.Time
	scrub      func(string) string
}

func (c conditionSetter) set(conditionType string, v verdict) {
	meta.SetStatusCondition(c.conditions, metav1.Condition{
		Type:               conditionType,
		Status:             v.status,
		Reason:             v.reason,
		Message:            truncate(c.scrub(v.message), maxConditionMessage),
		ObservedGeneration: c.generation,
		LastTransitionTime: metav1.NewTime(c.now.Truncate(time.Second)),
	})
}

// setReady writes Ready, and with it Reconciling and Stalled as kstatus wants them. A suspended object is neither: nothing is
// under way, and nothing is wrong.
func (c conditionSetter) setReady(v verdict) {
	c.set(v1alpha1.ConditionReady, v)
	reconciling, stalled := false, false
	if v.status != metav1.ConditionTrue && v.reason != v1alpha1.ReasonSuspended {
		reconciling, stalled = !v.stalled, v.stalled
	}
	c.setWhile(v1alpha1.ConditionReconciling, reconciling, v)
	c.setWhile(v1alpha1.ConditionStalled, stalled, v)
}

func (c conditionSetter) setWhile(conditionType string, holds bool, v verdict) {
	if !holds {
		meta.RemoveStatusCondition(c.conditions, conditionType)
		return
	}
	v.status = metav1.ConditionTrue
	c.set(conditionType, v)
}

// truncate cuts text to at most limit bytes, at a character's edge, and marks the cut.
func truncate(text string, limit int) string {
	const mark = "…"
	if len(text) <= limit {
		return text
	}
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}
