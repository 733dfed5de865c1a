package ofrep

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// namesakes has many entities whose names are alike. Each config, layer and store says in the parameter who it is.
func namesakes() *evaltest.Document {
	who := func(name string, parameters ...string) map[string]any {
		value := map[string]any{}
		for _, p := range parameters {
			value[p] = name
		}
		return value
	}
	return evaltest.NewDocument(
		evaltest.NewGate("same"), evaltest.NewGate("same.shared"), evaltest.NewGate("gate:odd"), evaltest.NewGate("a/b c"),
		evaltest.NewDynamicConfig("same").Default(who("config same", "p", "shared", "q.r", "dotted.", ".x", "")),
		evaltest.NewDynamicConfig("same.q").Default(who("config same.q", "r")),
		evaltest.NewExperiment("trial").Default(who("experiment trial", "p")),
		evaltest.NewLayer("same").Default(who("layer same", "p", "only")),
		evaltest.NewLayer("l").Default(who("layer l", "p")),
		evaltest.NewDynamicConfig("layer:x").Default(who("config layer:x", "p")),
	).Store("same", map[string]any{"p": evaltest.Static("store same"), "rest": evaltest.Static("store same")}).
		Store("l", map[string]any{"p": evaltest.Static("store l"), "s": evaltest.Static("store l")}).
		Store("s", map[string]any{"p": evaltest.Static("store s")})
}

func TestAKeyMeansOneEntity(t *testing.T) {
	tests := map[string]struct{ key, want string }{
		"a whole name is a gate first":                         {"same", `false`},
		"a kind leads past the gate":                           {"dynamicConfig:same", `{"":"config same",".x":"config same","dotted.":"config same","p":"config same","q.r":"config same","shared":"config same"}`},
		"experiments may be asked as dynamic configs":          {"dynamicConfig:trial", `{"p":"experiment trial"}`},
		"dynamic configs may be asked as experiments":          {"experiment:same.p", `"config same"`},
		"a whole name wins over a parameter":                   {"same.shared", `false`},
		"a kind leads to the parameter":                        {"dynamicConfig:same.shared", `"config same"`},
		"a config's parameter wins over a layer's":             {"same.p", `"config same"`},
		"a config without the parameter still wins":            {"same.only", ``},
		"a kind leads to the layer":                            {"layer:same.only", `"layer same"`},
		"a layer wins over a store":                            {"l.p", `"layer l"`},
		"a kind leads to the store":                            {"parameterStore:l.p", `"store l"`},
		"a store comes last":                                   {"s.p", `"store s"`},
		"the longer name wins":                                 {"same.q.r", `"config same.q"`},
		"a parameter may end with a dot":                       {"dynamicConfig:same.dotted.", `"config same"`},
		"a parameter may begin with a dot":                     {"dynamicConfig:same..x", `"config same"`},
		"a gate whose name begins like a kind needs one":       {"gate:gate:odd", `false`},
		"a config whose name begins like a kind needs its own": {"dynamicConfig:layer:x.p", `"config layer:x"`},
		"names may hold slashes and blanks":                    {"a/b c", `false`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, namesakes(), eval.Options{})
			for _, path := range []string{flags + "/" + url.PathEscape(tc.key), (&url.URL{Path: flags + "/" + tc.key}).String()} {
				w := f.post(path, `{}`)
				if got := gjson.Get(w.Body.String(), "value").Raw; w.Code != http.StatusOK || got != tc.want {
					t.Errorf("%s is answered %d with value %s, want 200 with %s", path, w.Code, got, tc.want)
				}
				if got := gjson.Get(w.Body.String(), "key").Str; got != tc.key {
					t.Errorf("%s is answered with key %q, want %q", path, got, tc.key)
				}
			}
		})
	}
}

func TestKeysThatMeanNothing(t *testing.T) {
	f := newFixture(t, namesakes(), eval.Options{})
	for _, key := range []string{"gate:odd", "gate:same.p", "layer:same", "trial.", ".p", ".", "...", "layer:x.p", "Gate:same", "gate:", ":same", "segment:x",
		"trial." + strings.Repeat("x", maxKeyBytes-len("trial.")+1), strings.Repeat("x.", 100_000),
	} {
		if w := f.post(flags+"/"+key, `{}`); w.Code != http.StatusNotFound {
			t.Errorf("key %.50q is answered %d, want 404: %.200s", key, w.Code, w.Body)
		}
	}
}

func TestNamesThatOnlyOverridesKnowAreFlags(t *testing.T) {
	overrides := &eval.Overrides{}
	overrides.Gate("new", true, "alice")
	overrides.DynamicConfig("made", `{"up":1}`)
	overrides.Experiment("tried", `{"out":2}`)
	overrides.Layer("ranking", `{"model":"mine"}`)
	overrides.ParameterStore("ui", `{"theme":"dark"}`)
	f := newFixture(t, shop(), eval.Options{Overrides: overrides})
	for key, want := range map[string]string{
		"new": "true", "made": `{"up":1}`, "made.up": "1", "tried.out": "2", "experiment:tried": `{"out":2}`,
		"ranking.model": `"mine"`, "ui.theme": `"dark"`,
	} {
		w := f.post(flags+"/"+key, `{"context":{"targetingKey":"alice"}}`)
		if got := gjson.Get(w.Body.String(), "value").Raw; got != want {
			t.Errorf("%s is answered %s, want value %s", key, w.Body, want)
		}
	}
	if w := f.post(flags+"/new", `{"context":{"targetingKey":"bob"}}`); w.Code != http.StatusNotFound {
		t.Errorf("the override for somebody else is answered %d, want 404", w.Code)
	}
}
