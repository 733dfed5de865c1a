package controllers

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

const (
	defaultWarnAfter = 2 * time.Minute
	defaultFailAfter = time.Hour
	// maxSkippedSpecs bounds the list of specs that could not be read.
	maxSkippedSpecs = 10
	// deliveryAlarm is how many requests in a row must fail before EventsFlowing turns False.
	deliveryAlarm = 3
)

// computeProjectStatus writes a scope's observations into the project's status. It does no IO.
func computeProjectStatus(s *projectScope, scrub func(string) string) {
	status := &s.project.Status
	status.ObservedGeneration = s.project.Generation
	if s.phaseErr == nil {
		status.Bindings = clampInt32(s.bindings)
	}
	if s.running != nil {
		state := s.running.state()
		status.Specs, status.Held = specsStatus(state, scrub), s.running.heldSpecs(state, scrub)
		if counted := eventsStatus(s.running); counted != nil {
			status.Events = counted
		}
	}
	c := conditionSetter{conditions: &status.Conditions, generation: s.project.Generation, now: s.now, scrub: scrub}
	credentials, specs, flowing := credentialsVerdict(s), specsVerdict(s), eventsVerdict(s)
	c.setReady(projectReady(s, credentials, specs))
	c.set(v1alpha1.ConditionCredentialsValid, credentials)
	c.set(v1alpha1.ConditionSpecsFresh, specs)
	c.set(v1alpha1.ConditionEventsFlowing, flowing)
}

// projectReady sums up. Events that don't flow cost nobody a value, so they don't count.
func projectReady(s *projectScope, credentials, specs verdict) verdict {
	switch {
	case s.project.Spec.Suspend:
		return isFalse(v1alpha1.ReasonSuspended, "spec.suspend is true. Values that were written stay.")
	case s.phaseErr != nil:
		return isFalse(v1alpha1.ReasonInternalError, sentence(s.phaseErr)+" It is retried.")
	case s.setUpErr != nil && !errors.Is(s.setUpErr, errWaits):
		return isStalled(v1alpha1.ReasonInvalid, sentence(s.setUpErr))
	case credentials.status != metav1.ConditionTrue && credentials.reason != v1alpha1.ReasonPending:
		return credentials
	case s.missing != nil:
		return isStalled(s.missing.reason, s.missing.message+" Create it, or name another one; what runs goes on.")
	case specs.reason == v1alpha1.ReasonLate, specs.reason == v1alpha1.ReasonHeld:
		return isTrue(specs.reason, specs.message)
	case specs.status != metav1.ConditionTrue:
		return specs
	default:
		return isTrue(v1alpha1.ReasonSynced, "The specs are in use.")
	}
}

func credentialsVerdict(s *projectScope) verdict {
	switch {
	case s.project.Spec.SDKKeySecretRef == nil:
		return isTrue(v1alpha1.ReasonNotRequired, "No source needs an SDK key.")
	case s.key.reason != "":
		return isStalled(s.key.reason, s.key.message)
	case s.running == nil:
		return isUnknown(v1alpha1.ReasonPending, "The SDK key has not been tried yet.")
	}
	state := s.judged()
	switch {
	case isRefused(s):
		return isStalled(v1alpha1.ReasonUnauthorized, fmt.Sprintf(
			"Statsig refuses the SDK key in Secret %s. Put a valid server SDK key there; values that were written stay.",
			s.project.Spec.SDKKeySecretRef.Name))
	case !state.Attempted:
		return isUnknown(v1alpha1.ReasonPending, "The SDK key has not been tried yet.")
	case state.Err != nil && (state.LastSuccess.IsZero() || state.Stale):
		return isUnknown(v1alpha1.ReasonPending, "No source has answered yet, so the SDK key has not been judged.")
	case isKeyless(state.SourceName):
		return isTrue(v1alpha1.ReasonNotRequired, "The source in use asks for no SDK key.")
	default:
		return isTrue(v1alpha1.ReasonAccepted, "The SDK key is accepted.")
	}
}

// isKeyless reports whether sources of a type answer whatever the key.
func isKeyless(source string) bool {
	switch v1alpha1.SourceType(source) {
	case v1alpha1.SourceConfigMap, v1alpha1.SourceFile, v1alpha1.SourceDataStore:
		return true
	default:
		return false
	}
}

// judged is the state of what the spec asks for, which may still be tried while its predecessor serves.
func (s *projectScope) judged() specsync.State {
	if s.candidate != nil {
		return s.candidate.state()
	}
	return s.running.state()
}

// isRefused reports whether a source refuses the SDK key.
func isRefused(s *projectScope) bool {
	if s.running == nil {
		return false
	}
	state := s.judged()
	return errors.Is(state.Err, specsync.ErrUnauthorized) || errors.Is(state.Skipped, specsync.ErrUnauthorized)
}

func specsVerdict(s *projectScope) verdict {
	if s.project.Spec.Suspend {
		return isUnknown(v1alpha1.ReasonSuspended, "spec.suspend is true.")
	}
	if s.running == nil {
		return isUnknown(v1alpha1.ReasonPending, "No source has been asked yet.")
	}
	state := s.judged()
	switch {
	case !state.Attempted:
		return isUnknown(v1alpha1.ReasonPending, "The first answer is awaited.")
	case state.Err != nil:
		return failureVerdict(s, state)
	case state.Held != nil:
		return isUnknown(v1alpha1.ReasonHeld, fmt.Sprintf("There are newer specs with the hash %s, held by spec.changeGuard: %s. "+
			"The previous ones stay in use until annotation %s has that hash.",
			shortHash(state.Held.Snapshot.Hash()), state.Held.Message, v1alpha1.ApproveAnnotation))
	case state.IDListsErr != nil:
		return isTrue(v1alpha1.ReasonSynced,
			"The specs are as new as the sources have them. Not all ID lists are: "+sentence(state.IDListsErr))
	case state.StoreErr != nil:
		return isTrue(v1alpha1.ReasonSynced,
			"The specs are as new as the sources have them, but are not kept for the next start: "+sentence(state.StoreErr))
	default:
		return isTrue(v1alpha1.ReasonSynced, "The specs are as new as the sources have them.")
	}
}

// failureVerdict says how it stands while no source confirms the specs.
func failureVerdict(s *projectScope, state specsync.State) verdict {
	age := s.now.Sub(state.LastSuccess)
	switch {
	case errors.Is(state.Err, specsync.ErrWrongProject):
		return isFalse(v1alpha1.ReasonWrongProject, "The source offers specs made for another SDK key."+s.meanwhile())
	case errors.Is(state.Err, specsync.ErrMalformed), errors.Is(state.Err, specsync.ErrTooLarge):
		return isFalse(v1alpha1.ReasonMalformed, sentence(state.Err)+s.meanwhile())
	case state.Snapshot == nil && errors.Is(state.Err, specsync.ErrNoSpecs):
		return isFalse(v1alpha1.ReasonNoValues, "The source answers, but has no specs for this SDK key."+s.meanwhile())
	case state.Snapshot == nil:
		return isFalse(v1alpha1.ReasonFetchFailed, sentence(state.Err)+s.meanwhile())
	case age >= failAfter(s.project):
		return isFalse(v1alpha1.ReasonStale, fmt.Sprintf("No source has confirmed the specs for %s. The last good ones stay in use. %s",
			failAfter(s.project), sentence(state.Err)))
	case age >= warnAfter(s.project):
		return isUnknown(v1alpha1.ReasonLate, fmt.Sprintf("No source has confirmed the specs for %s. The last good ones stay in use. %s",
			warnAfter(s.project), sentence(state.Err)))
	default:
		return isTrue(v1alpha1.ReasonSynced, "The specs are in use.")
	}
}

// meanwhile says what is served while the specs that are asked for are not to be had.
func (s *projectScope) meanwhile() string {
	switch {
	case s.candidate != nil:
		return " What served before goes on until that is mended."
	case s.running.state().Snapshot != nil:
		return " The previous ones stay in use."
	default:
		return " There are no earlier ones: entries keep their values or take their defaults."
	}
}

func eventsVerdict(s *projectScope) verdict {
	switch {
	case s.project.Spec.Suspend:
		return isUnknown(v1alpha1.ReasonSuspended, "spec.suspend is true.")
	case s.running == nil:
		return isUnknown(v1alpha1.ReasonPending, "Nothing runs yet.")
	case s.running.logger == nil && s.project.Spec.SDKKeySecretRef == nil:
		return isTrue(v1alpha1.ReasonDisabled, "There is no SDK key to send events with.")
	case s.running.logger == nil:
		return isTrue(v1alpha1.ReasonDisabled, "spec.events.disabled is true.")
	}
	stats := s.running.logger.Stats()
	switch {
	case stats.State == events.StateUnauthorized:
		return isFalse(v1alpha1.ReasonUnauthorized, "The events endpoint refuses the SDK key.")
	case stats.ConsecutiveFailures >= deliveryAlarm:
		return isFalse(v1alpha1.ReasonDeliveryFailed, "Events are not taken and are retried: "+sentence(stats.LastError))
	case stats.Spool.State == events.SpoolDegraded && stats.Spool.LastError != nil:
		return isTrue(v1alpha1.ReasonDelivered, "No batch of events is refused, but the disk of the spool fails: they wait in memory only.")
	default:
		return isTrue(v1alpha1.ReasonDelivered, "No batch of events is refused.")
	}
}

func specsStatus(state specsync.State, scrub func(string) string) *v1alpha1.SpecsStatus {
	if state.Snapshot == nil {
		return nil
	}
	snapshot := state.Snapshot
	status := &v1alpha1.SpecsStatus{
		Source:          state.SourceName,
		Hash:            shortHash(snapshot.Hash()),
		Gates:           count(snapshot, eval.KindGate),
		DynamicConfigs:  count(snapshot, eval.KindDynamicConfig),
		Experiments:     count(snapshot, eval.KindExperiment),
		Layers:          count(snapshot, eval.KindLayer),
		ParameterStores: count(snapshot, eval.KindParameterStore),
		IDLists:         clampInt32(len(state.IDLists.Names())),
		SkippedSpecs:    skippedSpecs(snapshot.Problems(), scrub),
		Skipped:         clampInt32(len(snapshot.Problems())),
	}
	if changed := snapshot.Time(); changed > 0 {
		at := metav1.NewTime(time.UnixMilli(changed).Truncate(time.Second))
		status.LastConfigUpdate = &at
	}
	return status
}

func skippedSpecs(problems []eval.Problem, scrub func(string) string) []v1alpha1.SkippedSpec {
	var skipped []v1alpha1.SkippedSpec
	seen := map[eval.Ref]bool{}
	for _, p := range problems {
		ref := eval.Ref{Kind: p.Kind, Name: truncate(scrub(p.Name), 128)}
		if seen[ref] || len(skipped) == maxSkippedSpecs {
			continue
		}
		seen[ref] = true
		skipped = append(skipped, v1alpha1.SkippedSpec{
			Kind: p.Kind.String(), Name: ref.Name, Message: truncate(scrub(p.Message), 256),
		})
	}
	return skipped
}

// eventsStatus returns nil while there is nothing to count, so that a restart of the manager alone changes no status.
func eventsStatus(running *projectRuntime) *v1alpha1.EventsStatus {
	if running.logger == nil {
		return nil
	}
	stats := running.logger.Stats()
	dropped := sum(stats.Dropped) - stats.Dropped[events.ReasonDisabled]
	setAside := sum(stats.SetAside)
	if stats.Delivered == 0 && dropped == 0 && setAside == 0 && stats.ConsecutiveFailures == 0 {
		return nil
	}
	status := &v1alpha1.EventsStatus{Delivered: coarse(stats.Delivered), Dropped: coarse(dropped), SetAside: coarse(setAside)}
	if stats.ConsecutiveFailures > 0 {
		status.Pending, status.Spooled = coarse(int64(stats.Pending)), coarse(int64(stats.Spool.Events))
	}
	return status
}

func sum(counts map[events.Reason]int64) int64 {
	var total int64
	for _, n := range counts {
		total += n
	}
	return total
}

// coarse rounds down to one significant digit, so that a counter changes the status rarely.
func coarse(n int64) int64 {
	scale := int64(1)
	for n/scale >= 10 {
		scale *= 10
	}
	return n / scale * scale
}

// untilStale is the time until the specs turn late or stale; zero while a source confirms them.
func (s *projectScope) untilStale() time.Duration {
	if s.running == nil {
		return 0
	}
	state := s.running.state()
	if state.Err == nil || state.Snapshot == nil {
		return 0
	}
	age := s.now.Sub(state.LastSuccess)
	return soonest(warnAfter(s.project)-age, failAfter(s.project)-age)
}

func warnAfter(project *v1alpha1.StatsigProject) time.Duration {
	if st := project.Spec.Staleness; st != nil && st.WarnAfter != nil {
		return st.WarnAfter.Duration
	}
	return defaultWarnAfter
}

func failAfter(project *v1alpha1.StatsigProject) time.Duration {
	if st := project.Spec.Staleness; st != nil && st.FailAfter != nil {
		return st.FailAfter.Duration
	}
	return defaultFailAfter
}

// projectEvents tells of conditions that changed between two versions of a project.
func projectEvents(before, after *v1alpha1.StatsigProject) *kubernetesEvents {
	queued := &kubernetesEvents{}
	for _, conditionType := range []string{
		v1alpha1.ConditionReady, v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionSpecsFresh, v1alpha1.ConditionEventsFlowing,
	} {
		queued.tell(before.Status.Conditions, after.Status.Conditions, conditionType, "Sync")
	}
	return queued
}

// tell queues an event when a condition turned to another reason. Pending is no news; nor is a second condition with the reason
// that was already told.
func (q *kubernetesEvents) tell(before, after []metav1.Condition, conditionType, action string) {
	was, is := meta.FindStatusCondition(before, conditionType), meta.FindStatusCondition(after, conditionType)
	if is == nil || is.Reason == v1alpha1.ReasonPending || (was != nil && was.Status == is.Status && was.Reason == is.Reason) {
		return
	}
	for _, e := range q.queued {
		if e.reason == is.Reason {
			return
		}
	}
	switch {
	case is.Reason == v1alpha1.ReasonSuspended:
		q.normal(is.Reason, action, is.Message)
	case is.Reason == v1alpha1.ReasonLate, is.Reason == v1alpha1.ReasonHeld:
		q.warning(is.Reason, action, is.Message)
	case is.Status == metav1.ConditionTrue:
		if conditionType == v1alpha1.ConditionReady || (was != nil && was.Status == metav1.ConditionFalse) {
			q.normal(is.Reason, action, is.Message)
		}
	default:
		q.warning(is.Reason, action, is.Message)
	}
}

// sentence makes an error text a sentence: errors begin in lower case and end without a period. A text that begins with the path of
// a field keeps it as it is.
func sentence(err error) string {
	if err == nil {
		return ""
	}
	return asSentence(err.Error())
}

// asSentence is sentence for a text.
func asSentence(text string) string {
	if text = strings.TrimRight(text, ". \n"); text == "" {
		return ""
	}
	word, _, _ := strings.Cut(text, " ")
	if strings.ContainsAny(word, ".[") {
		return text + "."
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}

func count(snapshot *eval.Snapshot, kind eval.Kind) int32 {
	return clampInt32(len(snapshot.Names(kind)))
}

func clampInt32(n int) int32 {
	return int32(max(0, min(n, 1<<31-1)))
}

// shortHash is what people see of a hash.
func shortHash(hash string) string { return hash[:min(len(hash), 8)] }
