package subject

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
)

const (
	// MaxExpressionLength bounds one expression, in bytes.
	MaxExpressionLength = 1024
	// CostLimit bounds the evaluation of one expression, in CEL's cost units: one for reading a field, one for each ten
	// characters that a string function passes over.
	CostLimit = 100_000

	// maxText bounds, in bytes, what replace and join may build in one call. CEL charges for a call once it has
	// returned, too late for one that turns a long text and a short expression into gigabytes.
	maxText = 256 << 10
	// maxRegexProgram bounds the compiled size of a regular expression, in instructions: a few characters such as
	// (x{9}){99} make many, which CEL's cost does not see.
	maxRegexProgram = 500
	// maxField is the longest text of any field but an annotation that Kubernetes admits, in bytes.
	maxField = 253
)

// environment returns what expressions of every unit are compiled in; building one takes longer than compiling an
// expression.
var environment = sync.OnceValues(newEnvironment)

func newEnvironment() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("creating the type registry: %w", err)
	}
	text, texts := cel.StringType, cel.ListType(cel.StringType)
	env, err := cel.NewEnv(
		cel.CustomTypeProvider(provider{registry}),
		cel.CustomTypeAdapter(registry),
		cel.Variable(workloadVariable, cel.ObjectType(workloadType)),
		cel.Variable(podVariable, cel.ObjectType(podType)),
		cel.Variable(namespaceAlias, cel.ObjectType(namespaceType)),
		cel.Variable(clusterVariable, cel.ObjectType(clusterType)),
		cel.ASTValidators(cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(), regexValidator{}),
		cel.OptionalTypes(),
		ext.Strings(ext.StringsVersion(5)),
		cel.Function("replace",
			cel.MemberOverload("string_replace_string_string", []*cel.Type{text, text, text}, text,
				cel.FunctionBinding(replace)),
			cel.MemberOverload("string_replace_string_string_int", []*cel.Type{text, text, text, cel.IntType}, text,
				cel.FunctionBinding(replace))),
		cel.Function("join",
			cel.MemberOverload("list_join", []*cel.Type{texts}, text,
				cel.UnaryBinding(func(list ref.Val) ref.Val { return join(list, types.String("")) })),
			cel.MemberOverload("list_join_string", []*cel.Type{texts, text}, text, cel.BinaryBinding(join))),
		// format can repeat a long text at two bytes of expression each time, and nothing here needs quote.
		cel.Function("format", cel.DisableDeclaration(true),
			cel.MemberOverload("string_format", []*cel.Type{text, cel.ListType(cel.DynType)}, text)),
		cel.Function("strings.quote", cel.DisableDeclaration(true),
			cel.Overload("strings_quote", []*cel.Type{text}, text)),
	)
	if err != nil {
		return nil, fmt.Errorf("creating the CEL environment: %w", err)
	}
	return env, nil
}

// replace is CEL's, with its result bounded before it is built.
func replace(args ...ref.Val) ref.Val {
	text, old, replacement := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	count := strings.Count(text, old)
	if len(args) == 4 {
		if limit := args[3].(types.Int); limit >= 0 && limit < types.Int(count) {
			count = int(limit)
		}
	}
	if len(text)+count*(len(replacement)-len(old)) > maxText {
		return types.NewErr("replace would build a text of more than %d bytes", maxText)
	}
	return types.String(strings.Replace(text, old, replacement, count))
}

// join is CEL's, with its result bounded while it is built.
func join(list, separator ref.Val) ref.Val {
	var b strings.Builder
	before := ""
	for it := list.(traits.Lister).Iterator(); it.HasNext() == types.True; {
		text, ok := it.Next().(types.String)
		if !ok {
			return types.NewErr("join takes a list of strings")
		}
		b.WriteString(before)
		b.WriteString(string(text))
		before = string(separator.(types.String))
		if b.Len() > maxText {
			return types.NewErr("join would build a text of more than %d bytes", maxText)
		}
	}
	return types.String(b.String())
}

// isCheap reports whether a bound on the expression's cost is known in advance and within the limit. Counting the cost
// while evaluating is ten times the work of reading a label, so it is left to the expressions that need it.
func isCheap(env *cel.Env, checked *cel.Ast) bool {
	estimate, err := env.EstimateCost(checked, sizes{})
	return err == nil && estimate.Max <= CostLimit && estimate.Max < math.MaxUint64
}

// sizes knows how long the texts of an object can be. How many labels there are, and how long an annotation is, it
// leaves open.
type sizes struct{}

func (sizes) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	path := node.Path()
	if len(path) == 0 || node.Type().Kind() != types.StringKind || slices.Contains(path, "annotations") {
		return nil
	}
	// Other paths start at a list that the expression itself makes, of texts as long as they like.
	switch path[0] {
	case workloadVariable, podVariable, namespaceAlias, clusterVariable:
	default:
		return nil
	}
	return &checker.SizeEstimate{Max: maxField}
}

func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}
