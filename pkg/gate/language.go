package gate

import (
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// answersVariable is a hidden variable that holds the answers of one evaluation. The macros of our functions hand it to
// them; no expression can name it, since no identifier begins with this character.
const answersVariable = "@answers"

var answersType = cel.OpaqueType("answers")

// function is one of the functions that ask Statsig.
type function struct {
	name string
	kind eval.Kind
	// selects is whether only a single parameter may be asked for, and that by a literal name: what is exposed is a
	// layer's parameter, and what is evaluated is a store's.
	selects bool
}

// functions are all of them.
var functions = [...]function{
	{name: "gate", kind: eval.KindGate},
	{name: "config", kind: eval.KindDynamicConfig},
	{name: "experiment", kind: eval.KindExperiment},
	{name: "layer", kind: eval.KindLayer, selects: true},
	{name: "parameterStore", kind: eval.KindParameterStore, selects: true},
}

// functionNamed returns the function of a name, nil when there is none.
func functionNamed(name string) *function {
	for i := range functions {
		if functions[i].name == name {
			return &functions[i]
		}
	}
	return nil
}

// functionOf returns the function that asks for a kind of entities.
func functionOf(kind eval.Kind) *function {
	for i := range functions {
		if functions[i].kind == kind {
			return &functions[i]
		}
	}
	return &functions[0]
}

// title is how messages call an entity.
func title(r eval.Ref) string { return functionOf(r.Kind).name + " " + r.Name }

// environment returns what expressions are compiled in.
var environment = sync.OnceValues(newEnvironment)

func newEnvironment() (*cel.Env, error) {
	base, err := subject.Environment()
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{cel.Variable(answersVariable, answersType)}
	macros := make([]cel.Macro, 0, len(functions))
	for i := range functions {
		macros = append(macros, functions[i].macro())
		options = append(options, functions[i].declaration())
	}
	env, err := base.Extend(append(options, cel.Macros(macros...))...)
	if err != nil {
		return nil, fmt.Errorf("adding the gate's functions: %w", err)
	}
	return env, nil
}

// takesName tells the macros' messages from CEL's own.
const takesName = " takes one name in quotes, such as "

// macro checks a call's argument, and hands the answers to it.
func (f *function) macro() cel.Macro {
	return cel.GlobalVarArgMacro(f.name, func(factory cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		if len(args) == 1 && literalText(args[0]) != "" {
			return factory.NewCall(f.name, factory.NewIdent(answersVariable), args[0]), nil
		}
		message := f.name + takesName + f.example()
		if len(args) == 0 {
			return nil, &cel.Error{Message: message}
		}
		return nil, factory.NewError(args[len(args)-1].ID(), message)
	})
}

// example is a call of the function.
func (f *function) example() string {
	if f.selects {
		return f.name + "('name').parameter"
	}
	return f.name + "('name')"
}

func (f *function) declaration() cel.EnvOption {
	gives, ask := cel.MapType(cel.StringType, cel.DynType), (*answers).value
	if f.kind == eval.KindGate {
		gives, ask = cel.BoolType, (*answers).pass
	}
	binding := func(a, name ref.Val) ref.Val {
		return ask(a.(*answers), eval.Ref{Kind: f.kind, Name: string(name.(types.String))})
	}
	return cel.Function(f.name,
		cel.Overload(f.name+"_string", []*cel.Type{answersType, cel.StringType}, gives, cel.BinaryBinding(binding)))
}

// literalText is the text of a literal, "" for anything else.
func literalText(e ast.Expr) string {
	if e.Kind() != ast.LiteralKind {
		return ""
	}
	text, _ := e.AsLiteral().(types.String)
	return string(text)
}
