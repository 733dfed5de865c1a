package gate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

const (
	// MaxReason bounds reasons, in bytes.
	MaxReason = 512
	// maxValue bounds the text of one value in a reason, in bytes.
	maxValue = 64
)

// Verdict is the outcome of one evaluation.
type Verdict struct {
	// Open is the expression's value; false when there is a problem.
	Open bool
	// Problem says that there is no answer, and Message, for users, why. Both are empty when there is one.
	Problem Problem
	Message string
	// Reason is what decided, at most MaxReason bytes; empty when there is a problem.
	Reason string
	// Decisive are the evaluations that decided, each once, in the order of the expression; nil when there is a
	// problem, or when nothing was asked: a parameter that its store holds by itself asks no entity. A layer is there
	// once per parameter, as it is exposed.
	Decisive []Evaluation
}

// Problem says why there is no answer, in the words of the API's condition reasons; empty when there is one.
type Problem string

// The problems of an evaluation.
const (
	// EntityNotFound means that the specs lack an entity.
	EntityNotFound Problem = "EntityNotFound"
	// ValueNotFound means that an entity has no value at the path that is read.
	ValueNotFound Problem = "ValueNotFound"
	// UnsupportedOperator means that an entity's rules need what the evaluator does not know.
	UnsupportedOperator Problem = "UnsupportedOperator"
	// EvaluationFailed means that an entity's rules nest too deeply, or in a circle.
	EvaluationFailed Problem = "EvaluationFailed"
	// ExpressionFailed means that the expression itself gave an error.
	ExpressionFailed Problem = "ExpressionFailed"
)

// Evaluation is one answer of Statsig's rules, as exposures need it.
type Evaluation struct {
	// Result holds no memory that is used again. That of a store's parameter is what the parameter was read from.
	Result eval.Result
	// Parameter is the config's, experiment's or layer's parameter that was read; empty for a gate, and where none of
	// that name exists.
	Parameter string
}

// evaluationsOf returns what the reads evaluated, each once.
func evaluationsOf(reads []*read, a *answers) []Evaluation {
	var evaluations []Evaluation
	for _, r := range reads {
		found := a.recall(r.ref, r.store())
		if found == nil || found.result.Kind == 0 {
			continue
		}
		e := Evaluation{Result: found.result, Parameter: r.parameter()}
		if r.ref.Kind == eval.KindParameterStore {
			e.Parameter = found.read
		}
		isKnown := func(other Evaluation) bool {
			return other.Result.Ref == e.Result.Ref && (other.Parameter == e.Parameter || e.Result.Kind != eval.KindLayer)
		}
		if !slices.ContainsFunc(evaluations, isKnown) {
			evaluations = append(evaluations, e)
		}
	}
	return evaluations
}

// reasonOf says what the reads gave.
func reasonOf(open bool, reads []*read, a *answers) string {
	var texts []string
	for _, r := range reads {
		found := a.recall(r.ref, r.store())
		if found == nil {
			continue
		}
		if text := r.outcome(found); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return fmt.Sprintf("the expression is %t", open)
	}
	return bounded(strings.Join(texts, ", "), MaxReason)
}

// outcome says what a read gave, and by which rule.
func (r *read) outcome(found *answer) string {
	text := r.title()
	switch value, missing := r.lookup(found); {
	case found.err != nil:
		return found.err.Error()
	case r.ref.Kind == eval.KindGate:
		text += fmt.Sprintf(" = %t", found.result.Pass)
	case missing != "":
		text += " is not set"
	case r.presence:
		text += " is set"
	default:
		text += " = " + valueText(value)
	}
	rule, group := found.result.RuleID, ""
	switch found.result.Kind {
	case eval.KindLayer:
		parameter := r.parameter()
		if r.ref.Kind == eval.KindParameterStore {
			parameter = found.read
		}
		rule, group = found.result.RuleIDFor(parameter), found.result.GroupName
	case eval.KindExperiment:
		group = found.result.GroupName
	default: // the others have no groups
	}
	switch {
	case rule == "":
		return text
	case group == "":
		return fmt.Sprintf("%s (rule %s)", text, rule)
	default:
		return fmt.Sprintf("%s (rule %s, group %s)", text, rule, group)
	}
}

// valueText is a value as JSON without blanks, bounded.
func valueText(value gjson.Result) string {
	if !value.Exists() {
		return "{}"
	}
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(value.Raw)) != nil {
		return bounded(value.Raw, maxValue)
	}
	return bounded(compact.String(), maxValue)
}

// bounded cuts a text such that it has at most limit bytes, and ends in … where it was cut.
func bounded(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
