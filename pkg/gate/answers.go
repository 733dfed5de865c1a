package gate

import (
	"errors"
	"reflect"
	"slices"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// answers are what Statsig's rules said in the course of one evaluation of an expression. They are the expression's
// variables, and the value of the hidden one among them, so that asking twice evaluates once.
type answers struct {
	interpreter.Activation
	in       Input
	recorder eval.Recorder
	known    []answer
}

// answer is what one entity, or one parameter of a store, gave.
type answer struct {
	ref eval.Ref
	// parameter is a store's, "" for all other kinds.
	parameter string
	// result is detached from the recorder.
	result eval.Result
	// value is the object of a config, experiment or layer, or a store's parameter; one that does not exist is none.
	value gjson.Result
	// cel is the value to CEL; nil for a gate, and where there is none.
	cel ref.Val
	// read is the parameter that a store's was read from.
	read string
	err  *problemError
}

// problemError is why an entity has no answer.
type problemError struct {
	problem Problem
	message string
}

// Error returns the message.
func (e *problemError) Error() string { return e.message }

func newAnswers(in Input) *answers {
	return &answers{
		Activation: subject.NewActivation(subject.Input{Namespace: in.Namespace, Cluster: in.Cluster}), in: in,
	}
}

// ResolveName implements [interpreter.Activation].
func (a *answers) ResolveName(name string) (any, bool) {
	if name == answersVariable {
		return a, true
	}
	return a.Activation.ResolveName(name)
}

// pass is the value of gate(name).
func (a *answers) pass(r eval.Ref) ref.Val {
	found := a.ask(r, "")
	if found.err != nil {
		return types.WrapErr(found.err)
	}
	return types.Bool(found.result.Pass)
}

// value is the value of the other functions.
func (a *answers) value(r eval.Ref) ref.Val {
	if r.Kind == eval.KindParameterStore {
		return store{object: new(object), answers: a, ref: r}
	}
	found := a.ask(r, "")
	if found.err != nil {
		return types.WrapErr(found.err)
	}
	return found.cel
}

// ask returns an answer, which it works out on the first call.
func (a *answers) ask(r eval.Ref, parameter string) *answer {
	if found := a.recall(r, parameter); found != nil {
		return found
	}
	found := answer{ref: r, parameter: parameter}
	if r.Kind == eval.KindParameterStore {
		a.evaluateParameter(&found)
	} else {
		found.result = a.in.Evaluator.Evaluate(r, a.in.User, a.in.Now, &a.recorder)
		if r.Kind != eval.KindGate {
			found.value = gjson.Parse(found.result.Value)
			found.cel = &object{json: found.value}
		}
		found.err = problemOf(r, found.result.Details.Reason)
	}
	// The recorder is used again. Whether Undelegated is nil or empty matters to the exposure; Clone keeps it.
	found.result.SecondaryExposures = slices.Clone(found.result.SecondaryExposures)
	found.result.Undelegated = slices.Clone(found.result.Undelegated)
	a.known = append(a.known, found)
	return &a.known[len(a.known)-1]
}

// recall returns an answer that is known already, nil when it is not.
func (a *answers) recall(r eval.Ref, parameter string) *answer {
	for i := range a.known {
		if a.known[i].ref == r && a.known[i].parameter == parameter {
			return &a.known[i]
		}
	}
	return nil
}

func (a *answers) evaluateParameter(found *answer) {
	p := a.in.Evaluator.Parameter(found.ref.Name, found.parameter, a.in.User, a.in.Now, &a.recorder)
	found.result, found.read, found.value = p.From, p.FromParameter, gjson.Parse(p.Value)
	found.result.Details = p.Details
	if found.value.Exists() {
		found.cel = valueOf(found.value)
	}
	found.err = problemOf(found.ref, p.Details.Reason)
}

// problemOf says what an evaluation's reason means, nil when there is an answer.
func problemOf(r eval.Ref, reason eval.Reason) *problemError {
	switch reason {
	case eval.ReasonUnrecognized:
		return &problemError{EntityNotFound, "the specs have no " + title(r)}
	case eval.ReasonUnsupported:
		return &problemError{UnsupportedOperator, title(r) + " needs a condition or an operator that is not supported"}
	case eval.ReasonError:
		return &problemError{EvaluationFailed, "the rules of " + title(r) + " nest too deeply, or in a circle"}
	default:
		return nil
	}
}

// ConvertToNative implements [ref.Val].
func (a *answers) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("answers have no native form")
}

// ConvertToType implements [ref.Val].
func (a *answers) ConvertToType(ref.Type) ref.Val {
	return types.NewErr("answers are of one type only")
}

// Equal implements [ref.Val].
func (a *answers) Equal(other ref.Val) ref.Val { return types.Bool(other == a) }

// Type implements [ref.Val].
func (a *answers) Type() ref.Type { return answersType }

// Value implements [ref.Val].
func (a *answers) Value() any { return a }

// store is a parameter store: a map that evaluates what is looked up in it. The compiler sees to it that nothing else
// is done with one.
type store struct {
	*object
	answers *answers
	ref     eval.Ref
}

// Find implements [traits.Mapper].
func (s store) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	found := s.answers.ask(s.ref, string(name))
	if found.err != nil {
		return types.WrapErr(found.err), true
	}
	return found.cel, found.cel != nil
}

// Get implements [traits.Mapper].
func (s store) Get(key ref.Val) ref.Val {
	if value, found := s.Find(key); found {
		return value
	}
	return noSuchKey(key)
}

// Contains implements [traits.Mapper].
func (s store) Contains(key ref.Val) ref.Val {
	value, found := s.Find(key)
	if types.IsError(value) {
		return value
	}
	return types.Bool(found)
}
