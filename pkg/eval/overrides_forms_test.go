package eval_test

import (
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// overrideForm is one way of overriding, and what is seen of it.
type overrideForm struct {
	set func(o *eval.Overrides, ids ...string)
	ref eval.Ref
	// want is what is seen where the override counts, wantLive where it doesn't.
	want, wantLive string
}

var overrideForms = map[string]overrideForm{
	"a gate": {
		set: func(o *eval.Overrides, ids ...string) { o.Gate("g", true, ids...) },
		ref: eval.Ref{Kind: eval.KindGate, Name: "g"}, want: "true", wantLive: "false",
	},
	"a dynamic config": {
		set: func(o *eval.Overrides, ids ...string) { o.DynamicConfig("c", `{"a":"mine"}`, ids...) },
		ref: eval.Ref{Kind: eval.KindDynamicConfig, Name: "c"}, want: `{"a":"mine"}`, wantLive: `{"a":1}`,
	},
	"an experiment": {
		set: func(o *eval.Overrides, ids ...string) { o.Experiment("e", `{"v":"mine"}`, ids...) },
		ref: experimentRef("e"), want: `{"v":"mine"}`, wantLive: `{}`,
	},
	"an experiment's group": {
		set: func(o *eval.Overrides, ids ...string) { o.ExperimentGroup("e", "Control", ids...) },
		ref: experimentRef("e"), want: `{"v":"control"}`, wantLive: `{}`,
	},
	"a layer": {
		set: func(o *eval.Overrides, ids ...string) { o.Layer("l", `{"v":"mine"}`, ids...) },
		ref: layerRef("l"), want: `{"v":"mine"}`, wantLive: `{}`,
	},
	"a parameter store": {
		set: func(o *eval.Overrides, ids ...string) { o.ParameterStore("s", `{"p":"mine"}`, ids...) },
		ref: eval.Ref{Kind: eval.KindParameterStore, Name: "s"}, want: `"mine"`, wantLive: `"live"`,
	},
}

// seen is the answer as far as an override changes it.
func seen(e *eval.Evaluator, ref eval.Ref, u *eval.User) string {
	if ref.Kind == eval.KindParameterStore {
		return e.Parameter(ref.Name, "p", u, evaluatedAt, nil).Value
	}
	res := e.Evaluate(ref, u, evaluatedAt, nil)
	if ref.Kind == eval.KindGate {
		return map[bool]string{true: "true", false: "false"}[res.Pass]
	}
	return res.Value
}

func TestEveryFormOfOverrideIsSetAndRemoved(t *testing.T) {
	steps := map[string]struct {
		change                                 func(o *eval.Overrides, f *overrideForm)
		wantUser, wantCompany, wantSomeoneElse bool
	}{
		"for everyone": {
			change:   func(o *eval.Overrides, f *overrideForm) { f.set(o) },
			wantUser: true, wantCompany: true, wantSomeoneElse: true,
		},
		"for a user ID": {
			change: func(o *eval.Overrides, f *overrideForm) { f.set(o, "u") }, wantUser: true,
		},
		"for a user ID and a custom ID": {
			change: func(o *eval.Overrides, f *overrideForm) { f.set(o, "u", "acme") }, wantUser: true, wantCompany: true,
		},
		"removed for one ID": {
			change: func(o *eval.Overrides, f *overrideForm) { f.set(o, "u", "acme"); o.Remove(f.ref, "u") }, wantCompany: true,
		},
		"removed for an ID that has none": {
			change: func(o *eval.Overrides, f *overrideForm) { f.set(o, "u"); o.Remove(f.ref, "nobody") }, wantUser: true,
		},
		"removed altogether": {
			change: func(o *eval.Overrides, f *overrideForm) { f.set(o); f.set(o, "u", "acme"); o.Remove(f.ref) },
		},
		"removed under another name": {
			change: func(o *eval.Overrides, f *overrideForm) {
				f.set(o, "u")
				o.Remove(eval.Ref{Kind: f.ref.Kind, Name: "other"})
			},
			wantUser: true,
		},
		"removed with all others": {
			change: func(o *eval.Overrides, f *overrideForm) { f.set(o); f.set(o, "u"); o.RemoveAll() },
		},
		"set again after its removal": {
			change:   func(o *eval.Overrides, f *overrideForm) { f.set(o); o.RemoveAll(); f.set(o, "u") },
			wantUser: true,
		},
	}
	user := eval.NewUser(eval.UserAttributes{UserID: "u"})
	company := eval.NewUser(eval.UserAttributes{UserID: "v", CustomIDs: map[string]string{"companyID": "acme"}})
	someoneElse := eval.NewUser(eval.UserAttributes{UserID: "w"})
	d := overridesDocument().Store("s", values{"p": evaltest.Static("live")})
	snapshot := evaltest.Compile(t, d)
	for form, f := range overrideForms {
		for step, tc := range steps {
			t.Run(form+" "+step, func(t *testing.T) {
				var o eval.Overrides
				tc.change(&o, &f)
				e := eval.NewEvaluator(snapshot, eval.Options{Overrides: &o})
				for _, who := range []struct {
					name string
					user *eval.User
					want bool
				}{{"user", user, tc.wantUser}, {"company", company, tc.wantCompany}, {"someone else", someoneElse, tc.wantSomeoneElse}} {
					want := f.wantLive
					if who.want {
						want = f.want
					}
					if got := seen(e, f.ref, who.user); got != want {
						t.Errorf("%s: %s, want %s", who.name, got, want)
					}
				}
			})
		}
	}
}

// The reference writes parameter stores into a client initialize response as the document has them.
func TestClientInitializeResponsesCarryLocalOverrides(t *testing.T) {
	var o eval.Overrides
	for _, f := range overrideForms {
		f.set(&o)
	}
	d := overridesDocument().Store("s", values{"p": evaltest.Static("live")})
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{Overrides: &o})
	type entry struct {
		Value  any    `json:"value"`
		RuleID string `json:"rule_id"`
	}
	for _, included := range []bool{true, false} {
		var got struct {
			Gates   map[string]entry                     `json:"feature_gates"`
			Configs map[string]entry                     `json:"dynamic_configs"`
			Layers  map[string]entry                     `json:"layer_configs"`
			Stores  map[string]map[string]map[string]any `json:"param_stores"`
		}
		response := e.AppendClientInitialize(nil, nil, evaluatedAt, eval.ClientInitializeOptions{
			Hash: eval.HashNone, IncludeLocalOverrides: included,
		})
		mustUnmarshal(t, response, &got)
		for name, found := range map[string]entry{
			"g": got.Gates["g"], "parent": got.Gates["parent"], "c": got.Configs["c"], "e": got.Configs["e"], "l": got.Layers["l"],
		} {
			if overridden := found.RuleID == "override"; overridden != (included && name != "parent") {
				t.Errorf("%s: rule %q with overrides %t", name, found.RuleID, included)
			}
		}
		if got.Gates["parent"].Value != included {
			t.Errorf("gate above an overridden one = %v with overrides %t", got.Gates["parent"].Value, included)
		}
		if value := got.Stores["s"]["p"]["value"]; value != "live" {
			t.Errorf("parameter %v with overrides %t, want the document's", value, included)
		}
	}
}
