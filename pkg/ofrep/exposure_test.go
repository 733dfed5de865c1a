package ofrep

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

func TestASingleEvaluationIsAnExposure(t *testing.T) {
	const staff = `[{"gate":"staff","gateValue":"true","ruleID":"mail"}]`
	tests := map[string]struct{ key, wantName, wantMetadata, wantSecondary string }{
		"a gate": {"staff", "statsig::gate_exposure", `{"gate":"staff","gateValue":"true","ruleID":"mail"}`, `[]`},
		"a config with what it asked": {
			"limits", "statsig::config_exposure", `{"config":"limits","ruleID":"gold","rulePassed":"true"}`, staff,
		},
		"a config's parameter exposes the config": {
			"limits.rps", "statsig::config_exposure", `{"config":"limits","ruleID":"gold","rulePassed":"true"}`, staff,
		},
		"a layer's parameter": {
			"ranking.shade", "statsig::layer_exposure",
			`{"config":"ranking","ruleID":"test","allocatedExperiment":"color","parameterName":"shade","isExplicitParameter":"true"}`, `[]`,
		},
		"a store's parameter exposes what it was read from": {
			"ui.shade", "statsig::layer_exposure",
			`{"config":"ranking","ruleID":"test","allocatedExperiment":"color","parameterName":"shade","isExplicitParameter":"true"}`, `[]`,
		},
		"an experiment": {"color", "statsig::config_exposure", `{"config":"color","ruleID":"test","rulePassed":"true"}`, `[]`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, shop(), eval.Options{})
			var event string
			f.project.Expose = func(e Exposure) {
				if event != "" {
					t.Error("exposed twice")
				}
				event = string(events.AppendExposure(nil, events.Exposure{
					Result: e.Result, Parameter: e.Parameter, User: f.project.Evaluator.LoggableUser(nil, e.User), Time: e.Time,
				}))
			}
			f.post(flags+"/"+tc.key, `{"context":{"targetingKey":"alice","email":"a@example.com"}}`)
			got := map[string]string{
				"name": gjson.Get(event, "eventName").Str, "user": gjson.Get(event, "user.userID").Str,
				"time": gjson.Get(event, "time").Raw, "secondary": gjson.Get(event, "secondaryExposures").Raw,
			}
			want := map[string]string{"name": tc.wantName, "user": "alice", "time": "1700000000000", "secondary": tc.wantSecondary}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s\n%s", diff, event)
			}
			for member, value := range gjson.Parse(tc.wantMetadata).Map() {
				if got := gjson.Get(event, "metadata."+member).Str; got != value.Str {
					t.Errorf("metadata %s is %q, want %q", member, got, value.Str)
				}
			}
		})
	}
}

func TestWhatIsNotReadIsNoExposure(t *testing.T) {
	d := shop().Add(evaltest.NewLayer("empty").Default(map[string]any{"nothing": nil}))
	f := newFixture(t, d, eval.Options{})
	for _, key := range []string{"none", "half", "odd", "ui.title", "empty.nothing", "empty.other"} {
		if f.post(flags+"/"+key, `{}`); len(f.exposed) > 0 {
			t.Errorf("%s is exposed as %v", key, f.exposed[0].Result.Ref)
			f.exposed = nil
		}
	}
}

func TestNobodyNeedsToHearOfExposures(t *testing.T) {
	f := newFixture(t, shop(), eval.Options{})
	f.project.Expose = nil
	if w := f.post(flags+"/on", `{}`); w.Code != 200 {
		t.Errorf("status %d, want 200", w.Code)
	}
}
