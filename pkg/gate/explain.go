package gate

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/common/operators"
)

// syntaxError begins CEL's messages of texts that are no expression.
const syntaxError = "Syntax error: "

// known is what messages list when a name is unknown.
const known = "there are the functions gate, config, experiment, layer and parameterStore, and the variables namespace and cluster"

// explanation turns one of CEL's messages into words for users.
type explanation struct {
	pattern *regexp.Regexp
	// say gets the pattern's groups, and the word before the place that CEL points at.
	say func(groups []string, before string) string
}

var explanations = []explanation{
	{regexp.MustCompile(`token recognition error at: '(?s:(.*))'$`), sayToken},
	{regexp.MustCompile(`missing '(.)' at '<EOF>'`), func(groups []string, _ string) string {
		return "a closing " + groups[0] + " is missing"
	}},
	{regexp.MustCompile(`'<EOF>' expecting`), func([]string, string) string { return "the expression ends too early" }},
	{regexp.MustCompile(`(?:mismatched|extraneous|alternative at) input '(?s:(.*?))'(?: expecting|$)`), sayUnexpected},
	{regexp.MustCompile(`missing '(.)' at '(?s:(.*))'$`), func(groups []string, _ string) string {
		return fmt.Sprintf("%s is missing before %s", groups[0], groups[1])
	}},
	{regexp.MustCompile(`^undeclared reference to '(.*)' \(in container`), sayUndeclared},
	{regexp.MustCompile(`^found no matching overload for '(.*?)' applied to '(.*)'$`), sayNoOverload},
	{regexp.MustCompile(`^expected type '(.*)' but found '(.*)'$`), func(groups []string, _ string) string {
		return fmt.Sprintf("this is %s, but %s is needed%s", naming(groups[1]), naming(groups[0]), advice(groups[1]))
	}},
	{regexp.MustCompile(`^type '(.*)' does not support field selection$`), func(groups []string, _ string) string {
		return naming(groups[0]) + " has no fields"
	}},
	{regexp.MustCompile(`^undefined field '(.*)'$`), func(groups []string, _ string) string {
		return "there is no field " + groups[0] + " here; namespace has name and metadata, and cluster has name"
	}},
	{regexp.MustCompile(`^expression of type '(.*)' cannot be range`), func(groups []string, _ string) string {
		return naming(groups[0]) + " has no elements to go through; a list or an object is needed"
	}},
	{regexp.MustCompile(`^reserved identifier: (.*)$`), func(groups []string, _ string) string {
		return groups[0] + " is a word that CEL reserves"
	}},
	{regexp.MustCompile(`^invalid argument to has\(\)`), func([]string, string) string {
		return "has takes a field, such as has(config('name').field)"
	}},
	{regexp.MustCompile(`^argument must be a simple name`), func([]string, string) string {
		return "the first argument names a variable, such as x in list.all(x, x > 1)"
	}},
	{regexp.MustCompile(`recursion (?:limit|depth) exceeded`), func([]string, string) string {
		return "the expression is nested too deeply"
	}},
}

// explain says in plain words what one of CEL's messages means; one that is not listed stays as it is.
func explain(message, before string) string {
	for _, e := range explanations {
		if groups := e.pattern.FindStringSubmatch(message); groups != nil {
			return e.say(groups[1:], before)
		}
	}
	return strings.TrimPrefix(message, syntaxError)
}

// spelling says how CEL spells what other languages write in another way.
var spelling = map[string]string{
	"and": "&&", "AND": "&&", "&": "&&",
	"or": "||", "OR": "||", "|": "||",
	"not": "!", "NOT": "!",
	"=": "==",
}

func sayToken(groups []string, _ string) string {
	token := strings.TrimSpace(groups[0])
	switch right, isKnown := spelling[token]; {
	case isKnown:
		return fmt.Sprintf("write %s instead of %s", right, token)
	case strings.ContainsAny(token, "‘’“”`"):
		return fmt.Sprintf("unexpected %s; texts stand in straight quotes, ' or \"", token)
	case !strings.HasPrefix(token, `'`) && !strings.HasPrefix(token, `"`):
		return "unexpected " + token
	case len(token) > 1 && token[len(token)-1] == token[0]:
		return `the text that begins here has an escape that CEL does not know; write \\ for a backslash`
	default:
		return "the text that begins here has no closing quote"
	}
}

func sayUnexpected(groups []string, before string) string {
	for _, word := range []string{before, groups[0]} {
		if right, isKnown := spelling[word]; isKnown {
			return fmt.Sprintf("write %s instead of %s", right, word)
		}
	}
	return "unexpected " + groups[0]
}

// otherNames are names that people may know our functions by, without underscores and in lower case.
var otherNames = map[string]string{
	"gate": "gate", "checkgate": "gate", "featuregate": "gate", "getfeaturegate": "gate",
	"config": "config", "dynamicconfig": "config", "getconfig": "config", "getdynamicconfig": "config",
	"experiment": "experiment", "getexperiment": "experiment",
	"layer": "layer", "getlayer": "layer",
	"parameterstore": "parameterStore", "paramstore": "parameterStore", "getparameterstore": "parameterStore",
}

func sayUndeclared(groups []string, _ string) string {
	name := groups[0]
	if f := functionNamed(otherNames[strings.ToLower(strings.ReplaceAll(name, "_", ""))]); f != nil {
		return fmt.Sprintf("%s is not known in this form; write %s", name, f.example())
	}
	return fmt.Sprintf("%s is not known; %s", name, known)
}

// operatorNames are CEL's names of operators, as people write them.
var operatorNames = map[string]string{
	operators.Conditional: "? :", operators.Index: "[ ]", operators.OptIndex: "[? ]", operators.OptSelect: ".?",
	operators.In: "in",
}

func sayNoOverload(groups []string, _ string) string {
	name, signature := groups[0], strings.TrimSuffix(groups[1], ")")
	if target, arguments, ok := strings.Cut(signature, ".("); ok {
		return fmt.Sprintf("%s has no function %s that takes %s", naming(target), name, list(split(arguments)))
	}
	types := split(strings.TrimPrefix(signature, "("))
	if name == operators.Conditional && len(types) == 3 {
		return fmt.Sprintf("the two outcomes of ? : are %s and %s, but have to be of one type", naming(types[1]), naming(types[2]))
	}
	return sayMismatch(name, types)
}

// sayMismatch says that an operator or a function is none for operands of some types.
func sayMismatch(function string, types []string) string {
	operator, isOperator := operatorNames[function]
	if !isOperator {
		operator = strings.Trim(function, "_")
	}
	message := fmt.Sprintf("%s does not take %s", operator, list(types))
	for _, t := range types {
		if hint := advice(t); hint != "" {
			return message + hint
		}
	}
	if len(types) != 2 {
		return message
	}
	first, second := naming(types[0]), naming(types[1])
	switch {
	case first == aBool && second == aString:
		return message + "; compare with true or false, without quotes"
	case isNumber(first) && isNumber(second):
		return message + "; convert one of them with double(…) or int(…)"
	}
	return message
}

// split separates types at the commas that stand in no parentheses.
func split(types string) []string {
	var parts []string
	depth, begin := 0, 0
	for i, c := range types {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(types[begin:i]))
			begin = i + 1
		}
	}
	return append(parts, strings.TrimSpace(types[begin:]))
}

func list(types []string) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = naming(t)
	}
	return strings.Join(names, " and ")
}

// The names of types that messages give advice on.
const (
	aBool     = "a bool"
	aString   = "a string"
	anInteger = "a whole number"
	aDecimal  = "a decimal number"
)

func isNumber(named string) bool { return named == anInteger || named == aDecimal }

// naming is how messages call a type of CEL's.
func naming(typeName string) string {
	name, _, _ := strings.Cut(typeName, "(")
	switch name {
	case "":
		return "nothing"
	case "bool":
		return aBool
	case "string":
		return aString
	case "list", "type":
		return "a " + name
	case "bytes":
		return name
	case "int", "uint":
		return anInteger
	case "double":
		return aDecimal
	case "dyn":
		return "a value"
	case "null", "null_type":
		return "null"
	case "optional_type", "optional":
		return "an optional value"
	case "google.protobuf.Timestamp", "timestamp":
		return "a timestamp"
	case "google.protobuf.Duration", "duration":
		return "a duration"
	default: // maps and Kubernetes objects
		return "an object"
	}
}

// advice is what to do about a type that does not fit, with the semicolon before it; "" when there is nothing to say.
func advice(typeName string) string {
	switch name, _, _ := strings.Cut(typeName, "("); name {
	case "map":
		return "; take a value from it, such as config('name').state"
	case "optional_type", "optional":
		return "; say with .orValue(…) what counts where it is missing"
	default:
		return ""
	}
}
