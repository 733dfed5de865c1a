package gate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"

	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// noSuchKeyPrefix begins CEL's message of a missing member.
const noSuchKeyPrefix = "no such key: "

// unlike is what is said of operands whose types are not known.
const unlike = "the values are of types that do not go together"

// failure says why an evaluation gave an error.
func (e *Expression) failure(err error, a *answers, state interpreter.EvalState) Verdict {
	if problem, ok := errors.AsType[*problemError](err); ok {
		return Verdict{Problem: problem.problem, Message: subject.OneLine(problem.message)}
	}
	message := subject.Unalias(err.Error())
	failed, ok := errors.AsType[*types.Err](err)
	if !ok {
		return Verdict{Problem: ExpressionFailed, Message: subject.OneLine(message)}
	}
	part := e.decision.find(failed.NodeID())
	if text := part.missingValue(message, a); text != "" {
		return Verdict{Problem: ValueNotFound, Message: subject.OneLine(text)}
	}
	return Verdict{Problem: ExpressionFailed, Message: e.source.at(e.info, failed.NodeID(), part.explain(message, state))}
}

// missingValue says which value is not there, "" when that is not what failed. d is the part that failed, nil for one
// of a loop.
func (d *decision) missingValue(message string, a *answers) string {
	if d == nil {
		return ""
	}
	if d.read != nil {
		if found := a.recall(d.read.ref, d.read.store()); found != nil {
			if _, missing := d.read.lookup(found); missing != "" {
				return fmt.Sprintf("%s has no %q", title(d.read.ref), missing)
			}
		}
		return ""
	}
	key, isKey := strings.CutPrefix(message, noSuchKeyPrefix)
	if r := d.origin(); isKey && r != nil {
		return fmt.Sprintf("%s has no %q", r.title(), key)
	}
	return ""
}

// explain says in plain words what CEL's message of a failed evaluation means. d is the part that failed, nil for one
// of a loop.
func (d *decision) explain(message string, state interpreter.EvalState) string {
	key, isKey := strings.CutPrefix(message, noSuchKeyPrefix)
	switch {
	case isKey:
		return fmt.Sprintf("there is no %q; index with [?'key'] where a key may be missing", key)
	case !strings.HasPrefix(message, "no such overload"):
		return message
	case d == nil || len(d.parts) == 0:
		return unlike
	}
	operands := make([]string, len(d.parts))
	for i, part := range d.parts {
		value := part.value(state)
		switch {
		case value == nil:
			return unlike
		case d.function == operators.Conditional:
			return "the condition of ? : is " + naming(value.Type().TypeName()) + ", but a bool is needed"
		}
		operands[i] = value.Type().TypeName()
	}
	return sayMismatch(d.function, operands)
}
