package ofrep

import (
	"net/http"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// query is one request's question to the evaluator.
type query struct {
	evaluator *eval.Evaluator
	user      *eval.User
	now       time.Time
	recorder  *eval.Recorder
	catalog   *catalog
}

// evaluation is what the evaluator answered for one flag.
type evaluation struct {
	// kind is that of the entity asked for.
	kind eval.Kind
	// result is the evaluation of the entity, or the one that a store's parameter was read from. Its kind is 0 for a
	// parameter that its store gives by itself.
	result eval.Result
	// read is the parameter that was read of result, "" for all of it.
	read string
	// value is JSON, "" where the code's default is to be used.
	value string
}

// whole evaluates a gate, dynamic config or experiment; ok is false for unknown names, and for kinds without a value of
// their own.
func (q *query) whole(kind eval.Kind, name string) (found evaluation, ok bool) {
	if kind == eval.KindLayer || kind == eval.KindParameterStore {
		return evaluation{}, false
	}
	found = evaluation{kind: kind, result: q.evaluator.Evaluate(eval.Ref{Kind: kind, Name: name}, q.user, q.now, q.recorder)}
	switch {
	case found.result.Details.Reason == eval.ReasonUnrecognized:
		return evaluation{}, false
	case kind != eval.KindGate:
		if found.value = found.result.Value; found.value == "" {
			found.value = "{}"
		}
	case found.result.Pass:
		found.value = "true"
	default:
		found.value = "false"
	}
	return found, true
}

// parameter reads a parameter of an entity; ok is false for unknown names, and for gates, which have none.
func (q *query) parameter(kind eval.Kind, name, parameter string) (found evaluation, ok bool) {
	switch kind {
	case eval.KindGate:
		return evaluation{}, false
	case eval.KindParameterStore:
		return q.storeParameter(name, parameter)
	default:
	}
	found = evaluation{
		kind: kind, read: parameter, result: q.evaluator.Evaluate(eval.Ref{Kind: kind, Name: name}, q.user, q.now, q.recorder),
	}
	if found.result.Details.Reason == eval.ReasonUnrecognized {
		return evaluation{}, false
	}
	value, _ := found.result.Parameter(parameter)
	found.value = valueOrDefault(value)
	return found, true
}

func (q *query) storeParameter(store, parameter string) (found evaluation, ok bool) {
	p := q.evaluator.Parameter(store, parameter, q.user, q.now, q.recorder)
	if p.Value == "" && p.From.Kind == 0 {
		return evaluation{}, false
	}
	return evaluation{
		kind: eval.KindParameterStore, result: p.From, read: p.FromParameter, value: valueOrDefault(p.Value),
	}, true
}

// valueOrDefault leaves null to the code's default: no type of OpenFeature has it.
func valueOrDefault(json string) string {
	if json == "null" {
		return ""
	}
	return json
}

// isExposure reports whether Statsig is to hear of the evaluation: something was evaluated, and of a layer also read.
func (v *evaluation) isExposure() bool {
	return v.result.Kind != 0 && (v.result.Kind != eval.KindLayer || v.value != "")
}

// problem says why there is no answer, nil where there is one.
func (q *query) problem(v *evaluation) *failure {
	switch {
	case v.result.Kind == 0:
		return nil
	case v.result.Details.Reason == eval.ReasonUnsupported:
		return &failure{http.StatusBadRequest, codeGeneral, "a rule needs an operator or condition that is not known here"}
	case v.result.Details.Reason == eval.ReasonError:
		return &failure{http.StatusBadRequest, codeGeneral, "the rules nest too deeply, or in a circle"}
	case q.recorder.HashedNobody():
		return &failure{http.StatusBadRequest, codeTargetingKeyMissing,
			"a rule divides users by their user ID: the context needs a targetingKey"}
	default:
		return nil
	}
}

// The reasons of answers. The list of the protocol's document leaves DEFAULT out, but its text and all clients know it.
const (
	reasonStatic         = "STATIC"
	reasonTargetingMatch = "TARGETING_MATCH"
	reasonSplit          = "SPLIT"
	reasonDefault        = "DEFAULT"
)

// reason is OpenFeature's word for how the answer came about.
func (q *query) reason(v *evaluation) string {
	switch {
	case v.value == "":
		return reasonDefault
	case v.result.Kind == 0:
		return reasonStatic
	}
	switch v.ruleID() {
	case "", "default", "disabled":
		return reasonDefault
	}
	switch {
	case v.result.Details.Source == eval.SourceLocalOverride:
		// An override may be for some IDs only.
		return reasonTargetingMatch
	case v.result.IsExperimentGroup || q.recorder.TookShare(&v.result):
		return reasonSplit
	case q.catalog.isStatic(q.evaluator.Snapshot(), v.result.Ref):
		return reasonStatic
	default:
		return reasonTargetingMatch
	}
}

// ruleID is the rule that decided.
func (v *evaluation) ruleID() string {
	if v.result.Kind == eval.KindLayer {
		return v.result.RuleIDFor(v.read)
	}
	return v.result.RuleID
}

// variant names what the user got: a gate's value, the group, or else the rule.
func (v *evaluation) variant() string {
	switch {
	case v.result.Kind == eval.KindGate && v.result.Pass:
		return "true"
	case v.result.Kind == eval.KindGate:
		return "false"
	case v.result.GroupName != "":
		return v.result.GroupName
	default:
		return v.ruleID()
	}
}
