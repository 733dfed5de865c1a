package subject

import (
	"regexp/syntax"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// regexValidator refuses regular expressions that are not literals, do not parse or are too large. CEL has a limit of
// its own, but that of v0.31 panics on counted repetitions.
type regexValidator struct{}

// Name returns the validator's name.
func (regexValidator) Name() string { return "statsig_operator.validator.regex" }

// Validate reports each call of matches whose pattern is refused.
func (regexValidator) Validate(_ *cel.Env, _ cel.ValidatorConfig, a *ast.AST, issues *cel.Issues) {
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "matches" {
			return
		}
		arguments := e.AsCall().Args()
		if len(arguments) == 0 {
			return
		}
		argument := arguments[len(arguments)-1]
		if problem := regexProblem(argument); problem != "" {
			issues.ReportErrorAtID(argument.ID(), "%s", problem)
		}
	}))
}

// regexProblem returns what is wrong with the pattern of a call, "" for nothing.
func regexProblem(argument ast.Expr) string {
	if argument.Kind() != ast.LiteralKind {
		return "the regular expression has to be a literal"
	}
	pattern, ok := argument.AsLiteral().(types.String)
	if !ok {
		return "the regular expression has to be a literal string"
	}
	parsed, err := syntax.Parse(string(pattern), syntax.Perl)
	if err != nil {
		return err.Error()
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return err.Error()
	}
	if len(program.Inst) > maxRegexProgram {
		return "the regular expression is too large; repeat less"
	}
	return ""
}
