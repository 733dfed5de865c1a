package gate

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixture has an entity of every kind, and one for each thing that can go wrong with one.
func fixture(t testing.TB) Input {
	t.Helper()
	pass := evaltest.NewRule("r-yes")
	return Input{
		Evaluator: eval.NewEvaluator(evaltest.Compile(t, evaltest.NewDocument(
			evaltest.NewGate("yes").Rule(pass),
			evaltest.NewGate("no"),
			evaltest.NewGate("nested").Rule(evaltest.NewRule("r-nested").When(evaltest.PassGate("yes"))),
			evaltest.NewGate("nested too").Rule(evaltest.NewRule("r-too").When(evaltest.FailGate("no"))),
			evaltest.NewGate("odd").Rule(evaltest.NewRule("r-odd").When(evaltest.UserField("email", "sounds_like", "x"))),
			evaltest.NewGate("loop").Rule(evaltest.NewRule("r-loop").When(evaltest.PassGate("loop"))),
			evaltest.NewDynamicConfig("freeze").Rule(evaltest.NewRule("r-freeze").Return(map[string]any{
				"state": "on", "active": true, "count": 5, "share": 2.5, "nothing": nil, "big": 9007199254740993,
				"tiers": map[string]any{"gold": map[string]any{"rps": 100}}, "zones": []any{"a", map[string]any{"name": "b"}},
			})),
			evaltest.NewDynamicConfig("blank"),
			evaltest.NewExperiment("color").Rule(
				evaltest.NewRule("r-test").Group("Test").Return(map[string]any{"color": "green"})),
			evaltest.NewLayer("ranking").Rule(evaltest.NewRule("r-layer").Return(map[string]any{"model": "b", "size": 3})),
		).Store("ui", map[string]any{
			"theme": evaltest.Static("dark"), "width": evaltest.FromGate("yes", 10, 20),
			"state": evaltest.FromDynamicConfig("freeze", "state"), "model": evaltest.FromLayer("ranking", "model"),
			"lost": evaltest.FromDynamicConfig("freeze", "lost"),
		})), eval.Options{}),
		User: eval.NewUser(eval.UserAttributes{UserID: "shop"}), Now: noon, Cluster: "east",
		Namespace: &subject.Object{Name: "shop", Labels: map[string]string{"tier": "gold"}},
	}
}

func mustCompile(t testing.TB, open string) *Expression {
	t.Helper()
	e, err := Compile(open)
	if err != nil {
		t.Fatalf("compiling %s: %v", open, err)
	}
	return e
}

func TestEvaluate(t *testing.T) {
	cases := map[string]struct {
		open string
		want bool
	}{
		"a gate that passes opens":                        {"gate('yes')", true},
		"a gate that fails does not":                      {"gate('no')", false},
		"a gate's value is a bool":                        {"gate('no') == false", true},
		"a value is compared with a text":                 {"config('freeze').state == 'on'", true},
		"a value that is a bool decides by itself":        {"config('freeze').active", true},
		"a value of a nested object is reached":           {"config('freeze').tiers.gold.rps == 100", true},
		"an element of a list is reached":                 {"config('freeze').zones[1].name == 'b'", true},
		"a member is reached by an index":                 {"config('freeze')['state'] == 'on'", true},
		"a member is reached by a name worked out":        {"config('freeze')['st' + 'ate'] == 'on'", true},
		"null is null":                                    {"config('freeze').nothing == null", true},
		"an integer equals an int":                        {"config('freeze').count == 5", true},
		"an integer equals a double":                      {"config('freeze').count == 5.0", true},
		"an integer is less than a double":                {"config('freeze').count < 5.5", true},
		"a fraction equals a double":                      {"config('freeze').share == 2.5", true},
		"a fraction is less than an int":                  {"config('freeze').share < 3", true},
		"a large integer is exact":                        {"config('freeze').big == 9007199254740992", false},
		"an integer is added to an int":                   {"config('freeze').count + 1 == 6", true},
		"a number is found in a list":                     {"config('freeze').share in [1, 2.5]", true},
		"an object equals a map":                          {"config('freeze').tiers == {'gold': {'rps': 100.0}}", true},
		"a map equals an object":                          {"{'gold': {'rps': 100}} == config('freeze').tiers", true},
		"an object differs from another":                  {"config('freeze').tiers == config('freeze').tiers.gold", false},
		"an object has a size":                            {"size(config('freeze').tiers) == 1", true},
		"a list has a size":                               {"size(config('freeze').zones) == 2", true},
		"members are listed in the document's order":      {"config('freeze').map(k, k)[0] == 'active'", true},
		"members are gone through":                        {"config('freeze').tiers.all(k, k == 'gold')", true},
		"elements are gone through":                       {"config('freeze').zones.exists(z, z == 'a')", true},
		"a config without a value is empty":               {"config('blank') == {}", true},
		"a missing value has a substitute":                {"config('freeze').?mode.orValue('off') == 'off'", true},
		"a substitute is not used without need":           {"config('freeze').?state.orValue('off') == 'on'", true},
		"an optional index has a substitute":              {"config('freeze')[?'mode'].orValue('off') == 'off'", true},
		"a path can be optional in the middle":            {"config('freeze').?caps.gold.orValue(1) == 1", true},
		"an optional value is looked at":                  {"config('freeze').?state.optMap(s, s == 'on').orValue(false)", true},
		"has sees a value":                                {"has(config('freeze').state)", true},
		"has sees none":                                   {"has(config('freeze').mode)", false},
		"in sees a member":                                {"'state' in config('freeze')", true},
		"a text is matched":                               {"config('freeze').state.matches('^o')", true},
		"an experiment gives its group's value":           {"experiment('color').color == 'green'", true},
		"an experiment is a config too":                   {"config('color').color == 'green'", true},
		"a layer gives its parameter":                     {"layer('ranking').model == 'b'", true},
		"a layer's parameter is reached by an index":      {"layer('ranking')['size'] == 3", true},
		"a layer's parameter may be missing":              {"layer('ranking').?depth.orValue(7) == 7", true},
		"has sees a layer's parameter":                    {"has(layer('ranking').model)", true},
		"a store gives a value of its own":                {"parameterStore('ui').theme == 'dark'", true},
		"a store gives a gate's value":                    {"parameterStore('ui').width == 10", true},
		"a store gives a config's value":                  {"parameterStore('ui').state == 'on'", true},
		"a store's parameter is reached by an index":      {"parameterStore('ui')['width'] == 10", true},
		"a store's parameter may be missing":              {"parameterStore('ui').?depth.orValue(7) == 7", true},
		"a store's parameter may stand for nothing":       {"parameterStore('ui')[?'lost'].orValue(7) == 7", true},
		"has sees a store's parameter":                    {"has(parameterStore('ui').theme)", true},
		"in sees a store's parameter":                     {"'theme' in parameterStore('ui')", true},
		"in sees that a store has none":                   {"'depth' in parameterStore('ui')", false},
		"the namespace is known":                          {"namespace.name == 'shop' && namespace.metadata.labels['tier'] == 'gold'", true},
		"the cluster is known":                            {"cluster.name == 'east'", true},
		"a false side hides that the other has no answer": {"gate('none') && gate('no')", false},
		"a true side hides that the other has no answer":  {"gate('none') || gate('yes')", true},
		"what is not needed is not asked":                 {"gate('no') ? gate('none') : true", true},
	}
	in := fixture(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := mustCompile(t, tc.open).Evaluate(in)
			if got.Problem != "" || got.Open != tc.want {
				t.Errorf("%s gives %t, problem %q, message %q; want %t", tc.open, got.Open, got.Problem, got.Message, tc.want)
			}
		})
	}
}

func TestEvaluateWithoutAnAnswer(t *testing.T) {
	cases := map[string]struct {
		open    string
		problem Problem
		message string
	}{
		"a gate that does not exist is named": {
			"gate('none')", EntityNotFound, "the specs have no gate none",
		},
		"a config that does not exist is named": {
			"config('none').state == 'on'", EntityNotFound, "the specs have no config none",
		},
		"an experiment that does not exist is named": {
			"experiment('none').?color.hasValue()", EntityNotFound, "the specs have no experiment none",
		},
		"a layer that does not exist is named": {
			"layer('none').model == 'a'", EntityNotFound, "the specs have no layer none",
		},
		"a store that does not exist is named": {
			"parameterStore('none').theme == 'a'", EntityNotFound, "the specs have no parameterStore none",
		},
		"in does not hide that a store does not exist": {
			"'theme' in parameterStore('none')", EntityNotFound, "the specs have no parameterStore none",
		},
		"a true side does not hide that the other has no answer": {
			"gate('yes') && gate('none')", EntityNotFound, "the specs have no gate none",
		},
		"a gate with an unknown operator is named": {
			"gate('odd')", UnsupportedOperator, "gate odd needs a condition or an operator that is not supported",
		},
		"a gate in a circle is named": {
			"gate('loop')", EvaluationFailed, "the rules of gate loop nest too deeply, or in a circle",
		},
		"a missing value is named": {
			"config('freeze').mode == 'on'", ValueNotFound, `config freeze has no "mode"`,
		},
		"a path is named as far as it is missing": {
			"config('freeze').tiers.silver.rps == 1", ValueNotFound, `config freeze has no "tiers.silver"`,
		},
		"an element that is missing is named": {
			"config('freeze').zones[7] == 'a'", ValueNotFound, `config freeze has no "zones[7]"`,
		},
		"a member of a text is a missing value": {
			"config('freeze').state.mode == 'on'", ValueNotFound, `config freeze has no "state.mode"`,
		},
		"a member by a name worked out is named": {
			"config('freeze')['mo' + 'de'] == 'on'", ValueNotFound, `config freeze has no "mode"`,
		},
		"has does not hide that the way to a value is missing": {
			"has(config('freeze').caps.gold)", ValueNotFound, `config freeze has no "caps"`,
		},
		"an optional step does not make the steps before it optional": {
			"config('freeze').caps.?gold.hasValue()", ValueNotFound, `config freeze has no "caps"`,
		},
		"an experiment's missing parameter is named": {
			"experiment('color').size == 1", ValueNotFound, `experiment color has no "size"`,
		},
		"a layer's missing parameter is named": {
			"layer('ranking').depth == 1", ValueNotFound, `layer ranking has no "depth"`,
		},
		"a store's missing parameter is named": {
			"parameterStore('ui').depth == 1", ValueNotFound, `parameterStore ui has no "depth"`,
		},
		"a store's parameter that stands for nothing is named": {
			"parameterStore('ui').lost == 1", ValueNotFound, `parameterStore ui has no "lost"`,
		},
		"a missing label is no missing value of Statsig": {
			"namespace.metadata.labels['team'] == 'a'", ExpressionFailed,
			`1:26: there is no "team"; index with [?'key'] where a key may be missing`,
		},
		"unlike values that are compared are told by their types": {
			"config('freeze').state < 3", ExpressionFailed, "1:24: < does not take a string and a whole number",
		},
		"numbers that are added are told how": {
			"config('freeze').count + 0.5 > 1.0", ExpressionFailed,
			"1:24: + does not take a whole number and a decimal number; convert one of them with double(…) or int(…)",
		},
		"a condition that is no bool is told": {
			"config('freeze').state ? gate('yes') : gate('no')", ExpressionFailed,
			"1:24: the condition of ? : is a string, but a bool is needed",
		},
		"an operand that is no bool is told": {
			"gate('yes') && config('freeze').count", ExpressionFailed, "1:13: && does not take a bool and a whole number",
		},
		"a body that fails in a loop is told": {
			"config('freeze').zones.all(z, z < 3)", ExpressionFailed, "1:33: the values are of types that do not go together",
		},
		"a result that is no bool is told": {
			"config('freeze').state", ExpressionFailed, "the expression gives a string, but has to give true or false",
		},
		"a division by zero is told": {
			"10 / (config('freeze').count - 5) == 1", ExpressionFailed, "1:4: division by zero",
		},
		"an expression that works too long is stopped": {
			"[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, " +
				"[1,2,3,4,5,6,7,8,9].all(e, config('freeze').count + a + b + c + d + e > 0)))))",
			ExpressionFailed, "the expression costs more than 100000 to evaluate; compare less",
		},
	}
	in := fixture(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := Verdict{Problem: tc.problem, Message: tc.message}
			if diff := cmp.Diff(want, mustCompile(t, tc.open).Evaluate(in)); diff != "" {
				t.Errorf("verdict of %s (-want +got):\n%s", tc.open, diff)
			}
		})
	}
}

func TestEvaluateForNobodyAndNowhere(t *testing.T) {
	in := Input{Evaluator: fixture(t).Evaluator, Now: noon}
	if got := mustCompile(t, "gate('yes') && cluster.name == ''").Evaluate(in); !got.Open {
		t.Errorf("got %+v, want an open gate", got)
	}
	got := mustCompile(t, "namespace.name == 'shop'").Evaluate(in)
	if got.Problem != ExpressionFailed || got.Message == "" {
		t.Errorf("got %+v, want a problem, as there is no namespace", got)
	}
}

func TestOneExpressionServesManyAtOnce(t *testing.T) {
	in := fixture(t)
	e := mustCompile(t, "gate('nested') && config('freeze').zones.exists(z, z == 'a') && parameterStore('ui').width == 10")
	want := e.Evaluate(in)
	if !want.Open {
		t.Fatalf("got %+v, want an open gate", want)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				if diff := cmp.Diff(want, e.Evaluate(in), cmp.AllowUnexported(eval.Result{})); diff != "" {
					t.Errorf("another verdict (-want +got):\n%s", diff)
				}
			}
		})
	}
	group.Wait()
}

func TestReferences(t *testing.T) {
	cases := map[string]struct {
		open string
		want []eval.Ref
	}{
		"every entity is listed once, by kind and name": {
			"gate('b') && gate('a') && config('c').x == config('c').y && layer('l').p && parameterStore('s').p && experiment('e').p",
			[]eval.Ref{
				{Kind: eval.KindGate, Name: "a"}, {Kind: eval.KindGate, Name: "b"}, {Kind: eval.KindDynamicConfig, Name: "c"},
				{Kind: eval.KindExperiment, Name: "e"}, {Kind: eval.KindLayer, Name: "l"}, {Kind: eval.KindParameterStore, Name: "s"},
			},
		},
		"what stands in loops, lists, branches and arguments is listed": {
			"[gate('a')].all(x, x || gate('b')) ? size(config('c').list) > 1 : {'k': gate('d')}['k']",
			[]eval.Ref{
				{Kind: eval.KindGate, Name: "a"}, {Kind: eval.KindGate, Name: "b"}, {Kind: eval.KindGate, Name: "d"},
				{Kind: eval.KindDynamicConfig, Name: "c"},
			},
		},
		"a name in a text is none": {"cluster.name == \"gate('a')\"", []eval.Ref{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, mustCompile(t, tc.open).References()); diff != "" {
				t.Errorf("references of the compiled expression (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, References(tc.open)); diff != "" {
				t.Errorf("references (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReferencesOfWhatDoesNotCompile(t *testing.T) {
	if diff := cmp.Diff([]eval.Ref{{Kind: eval.KindGate, Name: "a"}}, References("gate('a') && typo")); diff != "" {
		t.Errorf("an expression that parses (-want +got):\n%s", diff)
	}
	if got := References("gate('a') &&"); got != nil {
		t.Errorf("an expression that does not parse has references: %v", got)
	}
}
