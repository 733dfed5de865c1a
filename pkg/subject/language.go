package subject

import (
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/interpreter"
)

// Environment returns the CEL environment of this package's expressions, for packages that add functions of their own to
// it. Whatever is compiled in it goes through [Alias] first, and its messages through [Unalias].
func Environment() (*cel.Env, error) { return environment() }

// Alias returns source with another word of the same length for the variable namespace, which CEL reserves.
func Alias(source string) string { return aliased(source) }

// Unalias undoes [Alias] in a message.
func Unalias(message string) string { return unaliased(message) }

// OneLine returns a message without line breaks and other control characters, and bounded.
func OneLine(message string) string { return oneLine(message) }

// CheckUses returns a [*UseError] for an expression that reads variables that the unit does not have, or an object as a
// whole.
func CheckUses(expr ast.Expr, unit Unit) error { return new(Uses).add(expr, unit) }

// IsCheap reports whether evaluating an expression is known in advance to cost no more than [CostLimit]. The cost of any
// other has to be counted while it is evaluated.
func IsCheap(env *cel.Env, checked *cel.Ast) bool { return isCheap(env, checked) }

// NewActivation gives an input's objects to an expression.
func NewActivation(in Input) interpreter.Activation { return &activation{in} }
