package gate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// decisive writes the evaluations as kind/name, with the parameter where there is one.
func decisive(v Verdict) string {
	texts := make([]string, len(v.Decisive))
	for i, e := range v.Decisive {
		texts[i] = e.Result.String()
		if e.Parameter != "" {
			texts[i] += "." + e.Parameter
		}
	}
	return strings.Join(texts, " ")
}

func TestWhatDecided(t *testing.T) {
	const freezeOn = `config freeze.state = "on" (rule r-freeze)`
	cases := map[string]struct {
		open, reason, want string
	}{
		"a gate alone": {
			"gate('yes')", "gate yes = true (rule r-yes)", "Gate/yes",
		},
		"a gate that is negated": {
			"!gate('no')", "gate no = false (rule default)", "Gate/no",
		},
		"both sides of a true and": {
			"gate('yes') && gate('nested')", "gate yes = true (rule r-yes), gate nested = true (rule r-nested)", "Gate/yes Gate/nested",
		},
		"the false side of an and": {
			"gate('yes') && config('freeze').state != 'on'", freezeOn, "DynamicConfig/freeze.state",
		},
		"the first false side of an and": {
			"gate('yes') && gate('no') && config('freeze').state != 'on'", "gate no = false (rule default)", "Gate/no",
		},
		"the false side of an and, whatever is wrong with the other": {
			"gate('none') && gate('no')", "gate no = false (rule default)", "Gate/no",
		},
		"the true side of an or": {
			"gate('no') || gate('yes')", "gate yes = true (rule r-yes)", "Gate/yes",
		},
		"both sides of a false or": {
			"gate('no') || !gate('yes')", "gate no = false (rule default), gate yes = true (rule r-yes)", "Gate/no Gate/yes",
		},
		"the side of an and within an or within an and": {
			"gate('yes') && (gate('no') || (gate('nested') && gate('no')))", "gate no = false (rule default)", "Gate/no",
		},
		"the first false side of a long chain": {
			"gate('yes') && gate('yes') && (gate('nested') && (gate('no') && gate('yes'))) && gate('yes')",
			"gate no = false (rule default)", "Gate/no",
		},
		"the sides of a comparison": {
			"gate('yes') == config('freeze').active", "gate yes = true (rule r-yes), config freeze.active = true (rule r-freeze)",
			"Gate/yes DynamicConfig/freeze.active",
		},
		"an and within a comparison": {
			"(gate('yes') && gate('no')) == false", "gate no = false (rule default)", "Gate/no",
		},
		"the condition of a choice, and what it chose": {
			"gate('no') ? gate('yes') : config('freeze').active",
			"gate no = false (rule default), config freeze.active = true (rule r-freeze)", "Gate/no DynamicConfig/freeze.active",
		},
		"a condition that is a value": {
			"config('freeze').active ? gate('no') : gate('yes')",
			"config freeze.active = true (rule r-freeze), gate no = false (rule default)", "DynamicConfig/freeze.active Gate/no",
		},
		"a constant condition": {
			"true ? gate('no') : gate('yes')", "gate no = false (rule default)", "Gate/no",
		},
		"a value and what stands in for it": {
			"config('freeze').?mode.orValue(config('freeze').state) == 'on'", "config freeze.mode is not set (rule r-freeze), " + freezeOn,
			"DynamicConfig/freeze.mode",
		},
		"that there is a value": {
			"has(config('freeze').state)", "config freeze.state is set (rule r-freeze)", "DynamicConfig/freeze.state",
		},
		"that there is no value": {
			"'mode' in config('freeze')", "config freeze.mode is not set (rule r-freeze)", "DynamicConfig/freeze.mode",
		},
		"all that a loop read": {
			"[1, 9].all(x, config('freeze').count > x || gate('yes'))",
			"config freeze.count = 5 (rule r-freeze), gate yes = true (rule r-yes)", "DynamicConfig/freeze.count Gate/yes",
		},
		"nothing that a loop did not come to": {
			"[1].all(x, config('freeze').count > x || gate('yes'))", "config freeze.count = 5 (rule r-freeze)", "DynamicConfig/freeze.count",
		},
		"a list": {
			"config('freeze').zones.size() == 2", `config freeze.zones = ["a",{"name":"b"}] (rule r-freeze)`, "DynamicConfig/freeze.zones",
		},
		"a whole config without a value": {
			"config('blank') == {}", "config blank = {} (rule default)", "DynamicConfig/blank",
		},
		"an experiment with its group": {
			"experiment('color').color == 'green'", `experiment color.color = "green" (rule r-test, group Test)`, "Experiment/color.color",
		},
		"each parameter of a layer": {
			"layer('ranking').model == 'b' && layer('ranking').size == 3",
			`layer ranking.model = "b" (rule r-layer), layer ranking.size = 3 (rule r-layer)`, "Layer/ranking.model Layer/ranking.size",
		},
		"a config once, whatever is read of it": {
			"config('freeze').state == 'on' && config('freeze').count == 5", freezeOn + ", config freeze.count = 5 (rule r-freeze)",
			"DynamicConfig/freeze.state",
		},
		"what a store's parameter was read from": {
			"parameterStore('ui').width == 10 && parameterStore('ui').state == 'on' && parameterStore('ui').model == 'b'",
			`parameterStore ui.width = 10 (rule r-yes), parameterStore ui.state = "on" (rule r-freeze), ` +
				`parameterStore ui.model = "b" (rule r-layer)`,
			"Gate/yes DynamicConfig/freeze.state Layer/ranking.model",
		},
		"a store alone, which asks no entity": {
			"parameterStore('ui').theme == 'dark'", `parameterStore ui.theme = "dark"`, "",
		},
		"nothing of Statsig's": {
			"namespace.name != 'shop'", "the expression is false", "",
		},
	}
	in := fixture(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := mustCompile(t, tc.open).Evaluate(in)
			if diff := cmp.Diff([]string{"", tc.reason, tc.want}, []string{string(got.Problem), got.Reason, decisive(got)}); diff != "" {
				t.Errorf("problem, reason and evaluations of %s (-want +got):\n%s", tc.open, diff)
			}
		})
	}
}

func TestEvaluationsAreThoseOfTheEvaluator(t *testing.T) {
	in := fixture(t)
	var recorder eval.Recorder
	want := in.Evaluator.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "nested"}, in.User, in.Now, &recorder)
	if len(want.SecondaryExposures) == 0 {
		t.Fatal("the nested gate exposes nothing")
	}
	got := mustCompile(t, "gate('nested') && gate('nested too')").Evaluate(in)
	if diff := cmp.Diff(want, got.Decisive[0].Result, cmp.AllowUnexported(eval.Result{})); diff != "" {
		t.Errorf("result, whose exposures another evaluation followed (-want +got):\n%s", diff)
	}
}

func TestVerdictsAreRepeatable(t *testing.T) {
	in := fixture(t)
	e := mustCompile(t, "config('freeze').map(k, k) == [] || layer('ranking').model == 'a' || parameterStore('ui').width > 10")
	want := e.Evaluate(in)
	for range 20 {
		if diff := cmp.Diff(want, e.Evaluate(in), cmp.AllowUnexported(eval.Result{})); diff != "" {
			t.Fatalf("another verdict (-want +got):\n%s", diff)
		}
	}
}

func TestReasonsAreBounded(t *testing.T) {
	in := fixture(t)
	var parts []string
	for range 3 {
		parts = append(parts, "config('freeze').state == 'on'", "config('freeze').count == 5", "config('freeze').active",
			"config('freeze').share == 2.5", "config('freeze').big > 1", "config('freeze').zones.size() == 2", "gate('nested')",
			"layer('ranking').model == 'b'", "layer('ranking').size == 3", "experiment('color').color == 'green'",
			"parameterStore('ui').state == 'on'", "parameterStore('ui').model == 'b'", "config('freeze').tiers.gold.rps == 100")
	}
	got := mustCompile(t, strings.Join(parts, " && ")).Evaluate(in)
	if !got.Open || len(got.Reason) > MaxReason || !strings.HasSuffix(got.Reason, "…") {
		t.Errorf("open %t, reason of %d bytes: %s; want one of %d that says that it was cut", got.Open, len(got.Reason), got.Reason, MaxReason)
	}
}

func TestBounded(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"a text that fits stays":                     {"12345678", "12345678"},
		"a longer one is cut":                        {"123456789", "12345…"},
		"a character of several bytes is not halved": {"1234ä6789", "1234…"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := bounded(tc.text, 8); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
