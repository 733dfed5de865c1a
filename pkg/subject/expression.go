package subject

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// expression is one compiled attribute.
type expression struct {
	field   string
	program cel.Program
	// private keeps what CEL says of a failed evaluation out of errors, as it may quote the value.
	private bool
}

// compile compiles source as the expression of field. wants judges the type it gives; what it reads is added to uses.
func compile(field, source string, unit Unit, wants func(*cel.Type) error, uses *Uses) (*expression, error) {
	if len(source) > MaxExpressionLength {
		return nil, fmt.Errorf("the expression has %d bytes, at most %d are allowed", len(source), MaxExpressionLength)
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(aliased(source))
	if issues.Err() != nil {
		return nil, compileError(issues)
	}
	if err := uses.add(checked.NativeRep().Expr(), unit); err != nil {
		return nil, err
	}
	if err := wants(checked.OutputType()); err != nil {
		return nil, err
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if !isCheap(env, checked) {
		options = append(options, cel.CostLimit(CostLimit))
	}
	program, err := env.Program(checked, options...)
	if err != nil {
		return nil, err
	}
	return &expression{field: field, program: program}, nil
}

// compileError puts the first thing that CEL found wrong, with its line and column, in one line.
func compileError(issues *cel.Issues) error {
	errs := issues.Errors()
	if len(errs) == 0 {
		return issues.Err()
	}
	first := errs[0]
	message := unaliased(first.Message)
	// What is wrong with the expression as a whole, such as its depth, has no line.
	if line := first.Location.Line(); line > 0 {
		message = fmt.Sprintf("%d:%d: %s", line, first.Location.Column()+1, message)
	}
	if more := len(errs) - 1; more > 0 {
		message = fmt.Sprintf("%s (and %d more)", message, more)
	}
	return errors.New(message)
}

// eval returns the expression's value. found is false when it gave an empty optional, which leaves the attribute out.
func (e *expression) eval(vars cel.Activation) (value ref.Val, found bool, err error) {
	value, _, err = e.program.Eval(vars)
	if err != nil {
		return nil, false, e.failure(err)
	}
	if optional, ok := value.(*types.Optional); ok {
		if !optional.HasValue() {
			return nil, false, nil
		}
		value = optional.GetValue()
	}
	return value, true, nil
}

func (e *expression) failure(err error) *FieldError {
	message := unaliased(err.Error())
	switch {
	case strings.Contains(message, "cost limit exceeded"):
		message = fmt.Sprintf("the expression costs more than %d to evaluate", CostLimit)
	case e.private:
		message = "the expression fails; CEL's message is withheld, as it may quote the private value"
	case strings.HasPrefix(message, "no such key"):
		message += "; index with [?'key'] where a key may be missing"
	}
	return &FieldError{Field: e.field, Message: oneLine(message)}
}

// text evaluates an expression that has to give a string.
func (e *expression) text(vars cel.Activation) (text string, found bool, err error) {
	value, found, err := e.eval(vars)
	if err != nil || !found {
		return "", false, err
	}
	s, ok := value.(types.String)
	if !ok {
		return "", false, &FieldError{Field: e.field, Message: notText(value.Type().TypeName())}
	}
	return string(s), true, nil
}

// json evaluates an expression that has to give a JSON value, and returns it as plain Go.
func (e *expression) json(vars cel.Activation) (value any, found bool, err error) {
	v, found, err := e.eval(vars)
	if err != nil || !found {
		return nil, false, err
	}
	value, err = plain(v)
	if err != nil {
		return nil, false, &FieldError{Field: e.field, Message: oneLine(err.Error())}
	}
	return value, true, nil
}
