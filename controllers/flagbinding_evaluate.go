package controllers

import (
	"slices"
	"sort"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/render"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// unit is what one evaluation is made for.
type unit struct {
	// kind and name identify the unit in status: a workload's, a pod's or the namespace's.
	kind, name string
	// workload is nil for the units Namespace and Static.
	workload *metav1.PartialObjectMetadata
	// pod is set for unit Pod only.
	pod *metav1.PartialObjectMetadata
	// pods are annotated with the unit's values.
	pods []*metav1.PartialObjectMetadata
	// markers are the hashes of what the binding wrote to each of the pods.
	markers map[types.UID]string
	// user is nil without specs and when userErr is set.
	user *eval.User
	// userErr says why there is no user; nothing is written for the unit then.
	userErr error
	// values has one element per entry of the spec, in its order.
	values []entryValue
	// failed is set when a target does not hold the unit's values.
	failed bool
}

// entryValue is one entry's answer for one unit.
type entryValue struct {
	// value is raw JSON; meaningful when problem is empty.
	value string
	// problem is the condition reason that says why there is no value; empty when there is one.
	problem string
	result  eval.Result
	// parameter is the config's, experiment's or layer's parameter that was read, for the exposure.
	parameter string
	// state and text are what the described target made of it.
	state v1alpha1.EntryState
	text  string
}

// buildUnits makes the units of a binding from its workloads.
func buildUnits(binding *v1alpha1.FlagBinding, workloads []workload) []unit {
	switch binding.Spec.Subject.Unit {
	case v1alpha1.UnitWorkload:
		units := make([]unit, 0, len(workloads))
		for _, w := range workloads {
			units = append(units, unit{kind: kindName(w.meta), name: w.meta.Name, workload: w.meta, pods: w.pods})
		}
		return units
	case v1alpha1.UnitPod:
		var units []unit
		for _, w := range workloads {
			for _, pod := range w.pods {
				units = append(units, unit{
					kind: podKind.Kind, name: pod.Name, workload: w.meta, pod: pod,
					pods: []*metav1.PartialObjectMetadata{pod},
				})
			}
		}
		sort.Slice(units, func(i, j int) bool { return units[i].name < units[j].name })
		return units
	default:
		only := unit{kind: namespaceKind.Kind, name: binding.Namespace}
		if binding.Spec.Subject.Unit == v1alpha1.UnitStatic {
			only.kind = string(v1alpha1.UnitStatic)
		}
		for _, w := range workloads {
			only.pods = append(only.pods, w.pods...)
		}
		return []unit{only}
	}
}

// kindName is the kind, with its group where that is not one of Kubernetes' own.
func kindName(object *metav1.PartialObjectMetadata) string {
	kind := object.GroupVersionKind()
	if strings.Contains(kind.Group, ".") {
		return kind.Kind + "." + kind.Group
	}
	return kind.Kind
}

// evaluateUnits answers every entry for every unit. It does no IO. Without an evaluator every entry is unavailable.
func evaluateUnits(s *bindingScope, clusterName string) {
	recorder := new(eval.Recorder)
	prefixes := ownPrefixes(s.binding)
	for i := range s.units {
		u := &s.units[i]
		u.values = make([]entryValue, len(s.binding.Spec.Entries))
		if s.evaluator == nil {
			for j := range u.values {
				u.values[j].problem = v1alpha1.ReasonSpecsUnavailable
			}
			continue
		}
		u.user, u.userErr = s.program.User(userInput(u, s.namespace, clusterName, prefixes))
		if u.userErr != nil {
			continue
		}
		for j := range u.values {
			u.values[j] = evaluateEntry(s.evaluator, &s.binding.Spec.Entries[j], u.user, s.now, recorder)
		}
	}
	for i := range s.units {
		presumeStates(s.binding, &s.units[i])
	}
	s.boundary = nextBoundary(s)
}

// nextBoundary is the earliest instant at which time alone can change an answer.
func nextBoundary(s *bindingScope) time.Time {
	var earliest time.Time
	if s.snapshot == nil || len(s.units) == 0 {
		return earliest
	}
	for i := range s.binding.Spec.Entries {
		earliest = earlierBoundary(earliest, s.snapshot, entryRef(&s.binding.Spec.Entries[i]), s.now)
	}
	return earliest
}

// earlierBoundary is the earlier of an instant, zero for none, and the next at which time alone can change the answer of an entity.
func earlierBoundary(than time.Time, snapshot *eval.Snapshot, ref eval.Ref, now time.Time) time.Time {
	at, ok := snapshot.NextBoundary(ref, now)
	if ok && (than.IsZero() || at.Before(than)) {
		return at
	}
	return than
}

// evaluateEntry answers one entry for one user. The result's exposures are copied out of the recorder, which the next call reuses.
func evaluateEntry(
	evaluator *eval.Evaluator, entry *v1alpha1.Entry, user *eval.User, now time.Time, recorder *eval.Recorder,
) entryValue {
	ref := entryRef(entry)
	if ref.Kind == eval.KindParameterStore {
		return evaluateParameter(evaluator, entry, user, now, recorder)
	}
	v := entryValue{result: evaluator.Evaluate(ref, user, now, recorder), parameter: entry.Parameter}
	detachExposures(&v.result)
	if v.problem = problemOf(v.result.Details.Reason); v.problem != "" {
		return v
	}
	found := true
	switch {
	case ref.Kind == eval.KindGate:
		v.value = "false"
		if v.result.Pass {
			v.value = "true"
		}
	case entry.Parameter != "":
		v.value, found = v.result.Parameter(entry.Parameter)
	case entry.Path != "":
		v.value, found = render.Select(v.result.Value, entry.Path)
	case v.result.Value == "":
		v.value = "{}"
	default:
		v.value = v.result.Value
	}
	if !found {
		v.problem = v1alpha1.ReasonValueNotFound
	}
	return v
}

func evaluateParameter(
	evaluator *eval.Evaluator, entry *v1alpha1.Entry, user *eval.User, now time.Time, recorder *eval.Recorder,
) entryValue {
	parameter := evaluator.Parameter(entry.ParameterStore, entry.Parameter, user, now, recorder)
	v := entryValue{value: parameter.Value, result: parameter.From, parameter: parameter.FromParameter}
	detachExposures(&v.result)
	if v.problem = problemOf(parameter.Details.Reason); v.problem == "" && parameter.Value == "" {
		v.problem = v1alpha1.ReasonValueNotFound
	}
	v.result.Details = parameter.Details
	return v
}

func detachExposures(result *eval.Result) {
	// Whether Undelegated is nil or empty matters to the exposure; Clone keeps it.
	result.SecondaryExposures = slices.Clone(result.SecondaryExposures)
	result.Undelegated = slices.Clone(result.Undelegated)
}

// problemOf names what an evaluation reason means for an entry, empty when there is an answer.
func problemOf(reason eval.Reason) string {
	switch reason {
	case eval.ReasonUnrecognized:
		return v1alpha1.ReasonEntityNotFound
	case eval.ReasonUnsupported:
		return v1alpha1.ReasonUnsupportedOperator
	case eval.ReasonError:
		return v1alpha1.ReasonEvaluationFailed
	default:
		return ""
	}
}

// userInput shows a unit to the user expressions. Only metadata is shown, and nothing that the operator itself writes.
func userInput(u *unit, namespace *metav1.PartialObjectMetadata, clusterName string, prefixes []string) subject.Input {
	input := subject.Input{
		Namespace: subjectObject(namespace, prefixes),
		Cluster:   clusterName,
	}
	if u.workload != nil {
		input.Workload = subjectObject(u.workload, prefixes)
	}
	if u.pod != nil {
		input.Pod = subjectObject(u.pod, prefixes)
	}
	return input
}

// sortWorkloads orders workloads by kind and name and drops repetitions, which overlapping selectors give.
func sortWorkloads(workloads []workload) []workload {
	sort.Slice(workloads, func(i, j int) bool {
		a, b := workloads[i].meta, workloads[j].meta
		if ka, kb := kindName(a), kindName(b); ka != kb {
			return ka < kb
		}
		return a.Name < b.Name
	})
	seen := map[types.UID]bool{}
	unique := workloads[:0]
	for _, w := range workloads {
		if !seen[w.meta.UID] {
			seen[w.meta.UID] = true
			unique = append(unique, w)
		}
	}
	return unique
}

// workloadKind returns the kind that a selector names.
func workloadKind(w *v1alpha1.WorkloadSelector) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(w.APIVersion, w.Kind)
}
