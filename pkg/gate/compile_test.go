package gate

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestCompileSaysWhatIsWrongAndWhere(t *testing.T) {
	const knownNames = "there are the functions gate, config, experiment, layer and parameterStore, and the variables namespace and cluster"
	cases := map[string]struct{ open, want string }{
		"nothing":                     {"", "the expression is empty"},
		"blanks":                      {" \n ", "the expression is empty"},
		"an end that comes too early": {"gate('a') &&", "1:13: the expression ends too early"},
		"a parenthesis not closed":    {"gate('a' && true", "1:17: a closing ) is missing"},
		"a bracket not closed":        {"config('a')['b'", "1:16: a closing ] is missing"},
		"a quote not closed":          {"gate(\"a)", "1:6: the text that begins here has no closing quote"},
		"an unknown escape": {
			`gate('\x')`, `1:6: the text that begins here has an escape that CEL does not know; write \\ for a backslash`,
		},
		"quotes of a text processor":  {"config('a').b != ‘on’", `1:18: unexpected ‘; texts stand in straight quotes, ' or "`},
		"a semicolon":                 {"gate('a');", "1:10: unexpected ;"},
		"a single equals sign":        {"gate('a') = true", "1:11: write == instead of ="},
		"a single ampersand":          {"gate('a') & gate('b')", "1:11: write && instead of &"},
		"and as a word":               {"gate('a') and gate('b')", "1:11: write && instead of and"},
		"OR as a word":                {"gate('a') OR gate('b')", "1:11: write || instead of OR"},
		"not as a word":               {"not gate('a')", "1:5: write ! instead of not"},
		"a word that is reserved":     {"package == 1", "1:1: package is a word that CEL reserves"},
		"a mistake on another line":   {"gate('a')\n  && foo", "2:6: foo is not known; " + knownNames},
		"an unknown function":         {"foo('a')", "1:1: foo is not known; " + knownNames},
		"a text without quotes":       {"config('a').b == on", "1:18: on is not known; " + knownNames},
		"a function by another name":  {"checkGate('a')", "1:1: checkGate is not known in this form; write gate('name')"},
		"a function in another case":  {"parameter_store('a').b", "1:1: parameter_store is not known in this form; write parameterStore('name').parameter"},
		"a function that is not used": {"gate['a']", "1:1: gate is not known in this form; write gate('name')"},
		"a name without quotes":       {"gate(release)", "1:6: gate takes one name in quotes, such as gate('name')"},
		"a name that is worked out":   {"config(namespace.name).a", "1:18: config takes one name in quotes, such as config('name')"},
		"no name":                     {"gate()", "1:1: gate takes one name in quotes, such as gate('name')"},
		"an empty name":               {"gate('')", "1:6: gate takes one name in quotes, such as gate('name')"},
		"two names":                   {"gate('a', 'b')", "1:11: gate takes one name in quotes, such as gate('name')"},
		"a layer without a parameter": {
			"gate('a') && layer('b') == 3",
			"1:14: layer needs a parameter, by a name that is written out, such as layer('name').parameter",
		},
		"a layer's parameter that is worked out": {
			"layer('b')[cluster.name] == 3",
			"1:1: layer needs a parameter, by a name that is written out, such as layer('name').parameter",
		},
		"a store's parameter that is a number": {
			"parameterStore('b')[3] == 3",
			"1:1: parameterStore needs a parameter, by a name that is written out, such as parameterStore('name').parameter",
		},
		"a store that is gone through": {
			"parameterStore('b').exists(p, p == 'a')",
			"1:1: parameterStore needs a parameter, by a name that is written out, such as parameterStore('name').parameter",
		},
		"a gate that is compared with a text": {
			"gate('a') == 'true'", "1:11: == does not take a bool and a string; compare with true or false, without quotes",
		},
		"a gate that is taken for an object": {"gate('a').b", "1:11: a bool has no fields"},
		"a config that is taken for a bool": {
			"config('a') && gate('b')", "1:1: this is an object, but a bool is needed; take a value from it, such as config('name').state",
		},
		"a config that is negated": {
			"!config('a')", "1:1: ! does not take an object; take a value from it, such as config('name').state",
		},
		"an optional value that decides": {
			"config('a').?b",
			"1:14: the expression gives an optional value, but has to give true or false; say with .orValue(…) what counts where it is missing",
		},
		"an optional value that is compared": {
			"config('a').?b == 'c'", "1:16: == does not take an optional value and a string; say with .orValue(…) what counts where it is missing",
		},
		"a text that decides":        {"gate('a') ? 'b' : 'c'", "1:11: the expression gives a string, but has to give true or false"},
		"outcomes of unlike types":   {"config('a').b ? true : 3", "1:15: the two outcomes of ? : are a bool and a whole number, but have to be of one type"},
		"a sum of unlike types":      {"1 + 'a' == 2", "1:3: + does not take a whole number and a string"},
		"a sum of unlike numbers":    {"1 + 1.5 > 2.0", "1:3: + does not take a whole number and a decimal number; convert one of them with double(…) or int(…)"},
		"a function of another type": {"size(gate('a')) == 1", "1:1: size does not take a bool"},
		"a method of another type":   {"gate('a').orValue(true)", "1:11: a bool has no function orValue that takes a bool"},
		"a loop over a number":       {"5.exists(x, true)", "1:1: a whole number has no elements to go through; a list or an object is needed"},
		"a loop without a variable":  {"[1].all(3, true)", "1:9: the first argument names a variable, such as x in list.all(x, x > 1)"},
		"has without a field":        {"has(gate('a'))", "1:5: has takes a field, such as has(config('name').field)"},
		"an unknown field": {
			"namespace.team == 'a'", "1:11: there is no field team here; namespace has name and metadata, and cluster has name",
		},
		"a variable of another place": {"workload.name == 'a'", "1:1: there is no workload or pod here; a gate knows namespace and cluster"},
		"an object as a whole":        {"[namespace].size() == 1", "1:2: namespace is an object and not a value; name a field, such as namespace.name"},
		"a pattern that is no pattern": {
			"config('a').b.matches('[')", "1:23: error parsing regexp: missing closing ]: `[`",
		},
		"a pattern that is a value": {"'a'.matches(config('b').c)", "1:25: the regular expression has to be a literal"},
		"a duration that is none":   {"duration('long') > duration('1h')", "1:10: invalid duration argument"},
		"the hidden variable":       {"@answers == 1", "1:1: unexpected @"},
		"too much nesting":          {strings.Repeat("(", 400) + "true" + strings.Repeat(")", 400), "the expression is nested too deeply"},
		"too much text": {
			"true" + strings.Repeat(" && true", 300), fmt.Sprintf("the expression has 2404 bytes, at most %d are allowed", MaxExpressionLength),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(tc.open)
			if err == nil || err.Error() != tc.want {
				t.Errorf("compiling %s: %v, want %s", tc.open, err, tc.want)
			}
		})
	}
}

// inner are words of CEL's implementation, which mean nothing to users.
var inner = regexp.MustCompile(`_[^a-z]*_|overload|container|Syntax error|<EOF>|expecting|IDENTIFIER|dyn|\(string\)|@|namespac_|google`)

func TestNoMessageSpeaksOfTheCompiler(t *testing.T) {
	parts := []string{
		"gate('a')", "config('b')", "config('b').c", "config('b').?c", "layer('l').p", "namespace", "namespace.name", "cluster", "'text'", "3", "1.5",
		"[1]", "{'k': 1}", "null", "b'x'", "foo", "foo()", "duration('1h')", "timestamp('2026-01-01T00:00:00Z')", "",
	}
	operators := []string{" && ", " == ", " + ", " < ", " in ", " and ", ".", " ? true : ", "[", " ", ", "}
	compiled := 0
	for _, left := range parts {
		for _, operator := range operators {
			for _, right := range parts {
				for _, open := range []string{left + operator + right, "!(" + left + operator + right + ")"} {
					_, err := Compile(open)
					if err == nil {
						compiled++
					} else if found := inner.FindString(err.Error()); found != "" {
						t.Errorf("compiling %s: %v; users do not know what %q is", open, err, found)
					}
				}
			}
		}
	}
	if compiled == 0 {
		t.Error("nothing compiles")
	}
}
