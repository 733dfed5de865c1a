package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// MaxExpressionLength bounds an expression, in bytes.
const MaxExpressionLength = 2048

// Expression is a compiled expression. It is immutable and safe for concurrent use.
type Expression struct {
	source source
	info   *ast.SourceInfo
	// counting ends when the expression has cost too much; nil for one that cannot.
	counting cel.Program
	// tracking tells what the parts of the expression gave.
	tracking   cel.Program
	decision   *decision
	references []eval.Ref
}

// Compile compiles an expression. Its error is one line for users: line and column, what is wrong, and what to write
// instead.
func Compile(open string) (*Expression, error) {
	if len(open) > MaxExpressionLength {
		return nil, fmt.Errorf("the expression has %d bytes, at most %d are allowed", len(open), MaxExpressionLength)
	}
	if strings.TrimSpace(open) == "" {
		return nil, errors.New("the expression is empty")
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	s := source(open)
	parsed, issues := env.Parse(subject.Alias(open))
	if issues.Err() != nil {
		return nil, s.issue(issues.Errors())
	}
	e := &Expression{source: s, info: parsed.NativeRep().SourceInfo()}
	if err := e.take(parsed.NativeRep()); err != nil {
		return nil, err
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, s.issue(issues.Errors())
	}
	if err := e.check(checked); err != nil {
		return nil, err
	}
	if err := e.plan(env, checked); err != nil {
		return nil, fmt.Errorf("planning the expression: %w", err)
	}
	return e, nil
}

// plan makes the programs. CEL counts no cost in a program that tracks what its parts give, so an expression that may
// cost too much has another for that.
func (e *Expression) plan(env *cel.Env, checked *cel.Ast) (err error) {
	if !subject.IsCheap(env, checked) {
		e.counting, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostTracking(costs{}), cel.CostLimit(MaxCost))
		if err != nil {
			return err
		}
	}
	e.tracking, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize, cel.OptTrackState))
	return err
}

// take notes what the expression reads, and refuses layers and parameter stores without a parameter.
func (e *Expression) take(parsed *ast.AST) error {
	e.decision = newDecision(ast.NavigateAST(parsed))
	reads := e.decision.reads()
	e.references = referencesOf(reads)
	for _, r := range reads {
		if f := functionOf(r.ref.Kind); f.selects && r.parameter() == "" {
			return e.source.errorAt(e.info, r.call, fmt.Sprintf(
				"%s needs a parameter, by a name that is written out, such as %s", f.name, f.example()))
		}
	}
	return nil
}

// check refuses variables that gates do not have, objects that are no values, and anything that is not true or false.
func (e *Expression) check(checked *cel.Ast) error {
	native := checked.NativeRep()
	if err := subject.CheckUses(native.Expr(), subject.UnitNamespace); err != nil {
		use, ok := errors.AsType[*subject.UseError](err)
		if !ok {
			return err
		}
		message := use.Error()
		if use.IsMissing() {
			message = "there is no workload or pod here; a gate knows namespace and cluster"
		}
		return e.source.errorAt(e.info, use.ID, message)
	}
	switch t := checked.OutputType(); t.Kind() {
	case types.BoolKind, types.DynKind:
		return nil
	default:
		return e.source.errorAt(e.info, native.Expr().ID(), notBool(t.String()))
	}
}

// notBool says of a type that it is none for an expression.
func notBool(typeName string) string {
	return fmt.Sprintf("the expression gives %s, but has to give true or false%s", naming(typeName), advice(typeName))
}

// References returns the entities that the expression names, each once, sorted by kind and name. The slice must not be
// changed.
func (e *Expression) References() []eval.Ref { return e.references }

// References returns the entities that an expression names, each once, sorted by kind and name; nil for one that does
// not parse. An expression that parses need not compile.
func References(open string) []eval.Ref {
	env, err := environment()
	if err != nil || len(open) > MaxExpressionLength {
		return nil
	}
	parsed, issues := env.Parse(subject.Alias(open))
	if issues.Err() != nil {
		return nil
	}
	return referencesOf(newDecision(ast.NavigateAST(parsed.NativeRep())).reads())
}

func referencesOf(reads []*read) []eval.Ref {
	references := make([]eval.Ref, 0, len(reads))
	for _, r := range reads {
		references = append(references, r.ref)
	}
	slices.SortFunc(references, func(a, b eval.Ref) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return slices.Compact(references)
}

// Input is what an expression is evaluated on.
type Input struct {
	// Evaluator has to be set.
	Evaluator *eval.Evaluator
	// User may be nil: one without ID and fields.
	User *eval.User
	// Now is the instant of the evaluation.
	Now time.Time
	// Namespace is the variable of that name; nil where the expression does not read it.
	Namespace *subject.Object
	// Cluster is the name that the cluster goes by; it may be empty.
	Cluster string
}

// Evaluate evaluates the expression. It gives an answer, or a problem and why; equal inputs give equal verdicts.
func (e *Expression) Evaluate(in Input) Verdict {
	a := newAnswers(in)
	if e.counting != nil {
		// Any other error comes up again below.
		if _, _, err := e.counting.Eval(a); isTooCostly(err) {
			return Verdict{
				Problem: ExpressionFailed,
				Message: fmt.Sprintf("the expression costs more than %d to evaluate; compare less", MaxCost),
			}
		}
	}
	value, details, err := e.tracking.Eval(a)
	if err != nil {
		return e.failure(err, a, details.State())
	}
	open, ok := value.(types.Bool)
	if !ok {
		return Verdict{Problem: ExpressionFailed, Message: notBool(value.Type().TypeName())}
	}
	reads := e.decision.decided(nil, details.State())
	return Verdict{Open: bool(open), Reason: reasonOf(bool(open), reads, a), Decisive: evaluationsOf(reads, a)}
}
