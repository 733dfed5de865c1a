package eval_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// diffDocument is a document of entities that hang together; change makes it another.
func diffDocument(change func(d *evaltest.Document)) *evaltest.Document {
	d := evaltest.NewDocument(
		evaltest.NewGate("leaf").Rule(evaltest.NewRule("r").When(evaltest.UserField("country", "any", "DE"))),
		evaltest.NewGate("middle").Rule(evaltest.NewRule("r").When(evaltest.PassGate("leaf"))),
		evaltest.NewGate("waiting").Rule(evaltest.NewRule("r").When(evaltest.PassGate("to_come"))),
		evaltest.NewGate("other").Rule(evaltest.NewRule("r").Percent(10)),
		evaltest.NewGate("app").Rule(evaltest.NewRule("r").When(evaltest.NewCondition("target_app").
			With("operator", "any").With("targetValue", []string{"a"}))),
		evaltest.NewGate("tier").Rule(evaltest.NewRule("r").When(evaltest.Environment("tier", "any", "prod"))),
		evaltest.NewGate("mapped"), evaltest.NewGate("target"),
		evaltest.NewExperiment("e").Rule(evaltest.NewRule("r").Group("G").When(evaltest.PassGate("middle"))),
		evaltest.NewLayer("l").Rule(evaltest.NewRule("r").Delegate("e")),
	).With("app_id", "a").With("default_environment", "prod").
		OverrideRule(evaltest.NewRule("o").When(evaltest.UserField("locale", "any", "de"))).
		Mapping("mapped", "target", "o").
		Store("s", values{"p": evaltest.FromExperiment("e", "x")}).
		With("cmab_configs", values{"bandit": values{
			"salt": "s", "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0, "higherIsBetter": true,
			"defaultValue": values{}, "groups": []values{}, "targetingGateName": "other",
		}})
	if change != nil {
		change(d)
	}
	return d
}

func TestDiff(t *testing.T) {
	tests := map[string]struct {
		change func(d *evaltest.Document)
		want   []string
	}{
		"a document that only got a new time changes nothing": {
			change: func(d *evaltest.Document) { d.Time(99).With("checksum", "x") },
		},
		"a gate that nothing refers to changes alone": {
			change: func(d *evaltest.Document) { d.Add(evaltest.NewGate("target").Default(true)) },
			want:   []string{"Gate/mapped", "Gate/target"},
		},
		"a changed percentage changes what depends on it": {
			change: func(d *evaltest.Document) {
				d.Add(evaltest.NewGate("other").Rule(evaltest.NewRule("r").Percent(20)))
			},
			want: []string{"Gate/other", "DynamicConfig/bandit", "Experiment/bandit"},
		},
		"a condition's new target changes all above it": {
			change: func(d *evaltest.Document) {
				d.Add(evaltest.NewGate("leaf").Rule(evaltest.NewRule("r").When(evaltest.UserField("country", "any", "FR"))))
			},
			want: []string{
				"Gate/leaf", "Gate/middle", "DynamicConfig/e", "Experiment/e", "Layer/l", "ParameterStore/s",
			},
		},
		"a gate that appears changes those that waited for it": {
			change: func(d *evaltest.Document) { d.Add(evaltest.NewGate("to_come")) },
			want:   []string{"Gate/to_come", "Gate/waiting"},
		},
		"a config that appears is changed": {
			change: func(d *evaltest.Document) { d.Add(evaltest.NewDynamicConfig("c")) },
			want:   []string{"DynamicConfig/c", "Experiment/c"},
		},
		"another app ID changes the conditions on it": {
			change: func(d *evaltest.Document) { d.With("app_id", "b") },
			want:   []string{"Gate/app"},
		},
		"another default environment changes the conditions on it": {
			change: func(d *evaltest.Document) { d.Without("default_environment") },
			want:   []string{"Gate/tier"},
		},
		"an override rule changes what it maps": {
			change: func(d *evaltest.Document) { d.OverrideRule(evaltest.NewRule("o").Percent(1)) },
			want:   []string{"Gate/mapped", "DynamicConfig/mapped", "Experiment/mapped", "Layer/mapped"},
		},
		"a mapping that goes changes what it mapped": {
			change: func(d *evaltest.Document) { d.Without("overrides") },
			want:   []string{"Gate/mapped", "DynamicConfig/mapped", "Experiment/mapped", "Layer/mapped"},
		},
		"a bandit that goes is changed": {
			change: func(d *evaltest.Document) { d.Without("cmab_configs") },
			want:   []string{"DynamicConfig/bandit", "Experiment/bandit"},
		},
		"a store's own parameter changes it": {
			change: func(d *evaltest.Document) { d.Store("s", values{"p": evaltest.Static(1)}) },
			want:   []string{"ParameterStore/s"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			old := evaltest.Compile(t, diffDocument(nil))
			next := evaltest.Compile(t, diffDocument(tc.change))
			for direction, c := range map[string]eval.Changes{"there": eval.Diff(old, next), "and back": eval.Diff(next, old)} {
				var got []string
				for _, r := range c.Refs() {
					got = append(got, r.String())
					if !c.Affects(r) {
						t.Errorf("%s: %v is listed and not affected", direction, r)
					}
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", direction, diff)
				}
				if c.Empty() != (len(tc.want) == 0) {
					t.Errorf("%s: Empty = %t", direction, c.Empty())
				}
				if c.Affects(eval.Ref{Kind: eval.KindGate, Name: "unheard_of"}) {
					t.Errorf("%s: a name that is in neither document is affected", direction)
				}
			}
		})
	}
}

func TestEverythingIsNewWithoutAnOldSnapshot(t *testing.T) {
	s := evaltest.Compile(t, diffDocument(nil))
	c := eval.Diff(nil, s)
	if c.Empty() || !c.Affects(eval.Ref{Kind: eval.KindGate, Name: "unheard_of"}) {
		t.Error("not everything is affected")
	}
	for _, kind := range []eval.Kind{eval.KindGate, eval.KindExperiment, eval.KindLayer, eval.KindParameterStore} {
		for _, name := range s.Names(kind) {
			if !cmp.Equal(true, c.Affects(eval.Ref{Kind: kind, Name: name})) {
				t.Errorf("%v %s is not affected", kind, name)
			}
		}
	}
	if len(c.Refs()) == 0 {
		t.Error("no refs")
	}
}
