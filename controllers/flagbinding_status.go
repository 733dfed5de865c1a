package controllers

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

const (
	// maxUnitStatuses bounds status.workloads; status.units has the full number.
	maxUnitStatuses = 50
	// maxOtherOutcomes bounds the outcomes listed beside an entry's most frequent one.
	maxOtherOutcomes = 4
	// maxNamed bounds the names in a condition's message.
	maxNamed = 3
	// maxStatusMessage is the CRD's bound for messages in status.
	maxStatusMessage = 512
	// maxStatusText is the CRD's bound for names that come from Statsig.
	maxStatusText = 256
)

// computeBindingStatus writes a scope's observations into the binding's status. It does no IO.
func computeBindingStatus(s *bindingScope, phaseErr error, scrub func(string) string) {
	status := &s.binding.Status
	status.ObservedGeneration = s.binding.Generation
	s.interrupted = phaseErr != nil && !s.acted
	if s.acted {
		describeValues(s, status, scrub)
	}
	c := conditionSetter{conditions: &status.Conditions, generation: s.binding.Generation, now: s.now, scrub: scrub}
	verdicts := []struct {
		conditionType string
		verdict
	}{
		{v1alpha1.ConditionAccepted, acceptedVerdict(s)},
		{v1alpha1.ConditionResolvedRefs, resolvedVerdict(s)},
		{v1alpha1.ConditionEvaluated, evaluatedVerdict(s)},
		{v1alpha1.ConditionMaterialized, materializedVerdict(s)},
	}
	ready := isTrue(v1alpha1.ReasonApplied, "Every target holds the evaluated values.")
	for _, v := range verdicts {
		if v.status != metav1.ConditionTrue && (v.conditionType != v1alpha1.ConditionEvaluated || blocksReady(s)) {
			ready = v.verdict
			break
		}
	}
	switch {
	case ready.status == metav1.ConditionTrue && s.acted && len(s.units) == 0:
		ready = evaluatedVerdict(s)
	case s.suspended() != "":
		ready = isFalse(v1alpha1.ReasonSuspended, s.suspended())
	case phaseErr != nil && ready.status != metav1.ConditionFalse:
		ready = isFalse(v1alpha1.ReasonInternalError, sentence(phaseErr)+" It is retried.")
	}
	c.setReady(ready)
	for _, v := range verdicts {
		c.set(v.conditionType, v.verdict)
	}
}

// suspended says why nothing is done; empty when something is.
func (s *bindingScope) suspended() string {
	if s.binding.Spec.Suspend {
		return "spec.suspend is true. Values that were written stay."
	}
	if s.isSuspended() {
		return fmt.Sprintf("StatsigProject %s is suspended. Values that were written stay.", projectKey(s.binding))
	}
	return ""
}

// evaluatedUnits reports whether the phases came as far as evaluating.
func (s *bindingScope) evaluatedUnits() bool { return !s.blocked() && s.suspended() == "" }

func acceptedVerdict(s *bindingScope) verdict {
	if s.invalid != nil {
		return isStalled(v1alpha1.ReasonInvalid, sentence(s.invalid)+" Nothing was written.")
	}
	return isTrue(v1alpha1.ReasonAccepted, "The spec is understood.")
}

func resolvedVerdict(s *bindingScope) verdict {
	switch {
	case s.notPermitted != "":
		return isStalled(v1alpha1.ReasonRefNotPermitted, s.notPermitted)
	case len(s.problems) > 0:
		messages := make([]string, 0, len(s.problems))
		for _, p := range s.problems {
			messages = append(messages, p.message)
		}
		return isFalse(s.problems[0].reason, strings.Join(messages, " "))
	case s.invalid != nil || s.binding.Spec.Suspend || s.interrupted:
		return isUnknown(v1alpha1.ReasonPending, "Not looked at yet.")
	default:
		return isTrue(v1alpha1.ReasonResolved, "Every reference was found.")
	}
}

// evaluatedVerdict names the worst that happened to an entry. Users that could not be built come first: they cost a unit everything.
func evaluatedVerdict(s *bindingScope) verdict {
	switch {
	case s.suspended() != "":
		return isUnknown(v1alpha1.ReasonSuspended, s.suspended())
	case s.awaitsSpecs:
		return isUnknown(v1alpha1.ReasonPending, fmt.Sprintf("StatsigProject %s has no specs yet.", projectKey(s.binding)))
	case s.blocked():
		return isUnknown(v1alpha1.ReasonPending, "Not evaluated.")
	case len(s.units) == 0:
		return isTrue(v1alpha1.ReasonNoUnits, "No workload or pod matches, so there is nothing to evaluate.")
	}
	for i := range s.units {
		if u := &s.units[i]; u.userErr != nil {
			return isStalled(v1alpha1.ReasonUserExpressionFailed, fmt.Sprintf(
				"%s %s: %s Nothing was written for it.", u.kind, u.name, sentence(u.userErr)))
		}
	}
	if s.project == nil {
		return isFalse(v1alpha1.ReasonSpecsUnavailable, fmt.Sprintf(
			"StatsigProject %s does not exist. Entries keep their values or take their defaults.", projectKey(s.binding)))
	}
	if s.evaluator == nil {
		return isFalse(v1alpha1.ReasonSpecsUnavailable, fmt.Sprintf(
			"StatsigProject %s has no specs. Entries keep their values or take their defaults.", projectKey(s.binding)))
	}
	return entriesVerdict(s)
}

// entriesVerdict names the entries that have no evaluated value, by the reason of the first. Those that are required come first:
// they are what stands in the way of Ready.
func entriesVerdict(s *bindingScope) verdict {
	reason, names := "", []string(nil)
	for _, required := range []bool{true, false} {
		for j := range s.binding.Spec.Entries {
			entry := &s.binding.Spec.Entries[j]
			problem := ""
			if entry.Required == required {
				problem = entryProblem(s, j)
			}
			if reason == "" {
				reason = problem
			}
			if problem != "" && problem == reason {
				names = append(names, entry.Name+" ("+describeEntity(entry)+")")
			}
		}
	}
	if reason == "" {
		return isTrue(v1alpha1.ReasonEvaluated, "Every entry was evaluated.")
	}
	what := map[string]string{
		v1alpha1.ReasonEntityNotFound:      "The specs don't have what these entries name",
		v1alpha1.ReasonValueNotFound:       "The value has no such parameter or path",
		v1alpha1.ReasonUnsupportedOperator: "The rules use an operator or condition that is not supported",
		v1alpha1.ReasonEvaluationFailed:    "The rules are nested too deeply or in a cycle",
	}[reason]
	return isFalse(reason, fmt.Sprintf("%s: %s. The entry keeps its value or takes its default.", what, listed(names)))
}

// entryProblem returns why an entry has no evaluated value for some unit; empty when it has one for all.
func entryProblem(s *bindingScope, entry int) string {
	for i := range s.units {
		if s.units[i].userErr == nil && s.units[i].values[entry].problem != "" {
			return s.units[i].values[entry].problem
		}
	}
	return ""
}

// blocksReady reports whether what is wrong with the evaluation makes the binding unready: everything but an entry that is not
// required.
func blocksReady(s *bindingScope) bool {
	if !s.evaluatedUnits() {
		return true
	}
	for i := range s.units {
		if s.units[i].userErr != nil {
			return true
		}
	}
	if s.evaluator == nil && len(s.units) > 0 {
		return true
	}
	for j := range s.binding.Spec.Entries {
		if s.binding.Spec.Entries[j].Required && entryProblem(s, j) != "" {
			return true
		}
	}
	return false
}

func materializedVerdict(s *bindingScope) verdict {
	if s.suspended() != "" {
		return isUnknown(v1alpha1.ReasonSuspended, s.suspended())
	}
	if s.blocked() {
		return isUnknown(v1alpha1.ReasonPending, "Nothing was written.")
	}
	for i := range s.targets {
		t := &s.targets[i]
		switch t.reason {
		case "":
		case v1alpha1.ReasonWriteFailed:
			return isFalse(t.reason, t.message)
		default:
			return isStalled(t.reason, "Target "+t.name+": "+t.message)
		}
	}
	if s.incomplete() {
		return isUnknown(v1alpha1.ReasonPending, "Not every workload could be looked at.")
	}
	for i := range s.units {
		if s.units[i].userErr != nil {
			return isUnknown(v1alpha1.ReasonPending, "Nothing was written for the units that have no user.")
		}
	}
	return isTrue(v1alpha1.ReasonApplied, "Every target holds the values.")
}

// describeEntity names what an entry asks for, as in "gate new_checkout".
func describeEntity(entry *v1alpha1.Entry) string {
	ref := entryRef(entry)
	text := ref.Kind.String() + " " + ref.Name
	switch {
	case entry.Parameter != "":
		text += ", parameter " + entry.Parameter
	case entry.Path != "":
		text += ", path " + entry.Path
	}
	return text
}

// listed joins names, but for those that would make a message too long.
func listed(names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}

// bindingEvents tells of a binding that became ready or unready, and of values that changed.
func bindingEvents(before, after *v1alpha1.FlagBinding) *kubernetesEvents {
	queued := &kubernetesEvents{}
	queued.tell(before.Status.Conditions, after.Status.Conditions, v1alpha1.ConditionReady, "Reconcile")
	queued.tell(before.Status.Conditions, after.Status.Conditions, v1alpha1.ConditionEvaluated, "Evaluate")
	if before.Status.Hash != "" && before.Status.Hash != after.Status.Hash && len(queued.queued) == 0 {
		queued.normal(v1alpha1.ReasonApplied, "Reconcile",
			fmt.Sprintf("The values changed: %s. Hash %s.", changedEntries(before, after), after.Status.Hash))
	}
	return queued
}

// changedEntries names the entries whose most frequent outcome changed.
func changedEntries(before, after *v1alpha1.FlagBinding) string {
	old := map[string]string{}
	for _, e := range before.Status.Entries {
		old[e.Name] = e.Value
	}
	var names []string
	for _, e := range after.Status.Entries {
		if was, known := old[e.Name]; !known || was != e.Value {
			names = append(names, e.Name+"="+e.Value)
		}
	}
	if len(names) == 0 {
		return "for some units"
	}
	return listed(names)
}
