package statsigtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// demoNow lies before the demo project's holiday sale.
var demoNow = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// listFiles answers membership from ID list files as served.
type listFiles map[string]string

func (l listFiles) Contains(list, hash string) bool { return strings.Contains(l[list], "+"+hash+"\n") }

// evaluator evaluates what a server serves right now.
func evaluator(t *testing.T, s *statsigtest.Server) *eval.Evaluator {
	t.Helper()
	doc, err := eval.Decode([]byte(mustDo(t, "GET", s.SpecsURL()+"/"+key+".json", nil, "").body))
	if err != nil {
		t.Fatalf("decoding what the server serves: %v", err)
	}
	if p := doc.Problems(); len(p) > 0 {
		t.Errorf("the document has problems: %+v", p)
	}
	snapshot, err := eval.Compile(doc, eval.Origin{Source: "Network", ReceivedAt: demoNow})
	if err != nil {
		t.Fatalf("compiling what the server serves: %v", err)
	}
	files := listFiles{}
	for name, l := range manifest(t, s) {
		files[name] = mustDo(t, "GET", l.URL, nil, "").body
	}
	return eval.NewEvaluator(snapshot, eval.Options{IDLists: files})
}

func gate(e *eval.Evaluator, name string, u *eval.User) eval.Result {
	return e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: name}, u, demoNow, nil)
}

// TestDemoAnswers compares with what Statsig's Server Core SDK for Node, version 0.23.2, answered when it was pointed at
// this server.
func TestDemoAnswers(t *testing.T) {
	type answers struct {
		NewCheckout, Upsell, Beta  bool
		Group, Color, Model, Theme string
	}
	want := map[string]answers{
		"shop/checkout": {true, true, false, "Green", `"green"`, `"gradient-boost"`, `"modern"`},
		"shop/cart":     {false, false, false, "Blue", `"blue"`, `"baseline"`, `"classic"`},
		"shop/search":   {true, true, true, "Control", `"gray"`, `"gradient-boost"`, `"modern"`},
		"shop/ledger":   {false, false, false, "Green", `"green"`, `"baseline"`, `"classic"`},
		"shop/ledger-0": {true, true, true, "Control", `"gray"`, `"baseline"`, `"modern"`},
		"shop/ledger-1": {false, false, false, "Green", `"green"`, `"gradient-boost"`, `"classic"`},
		"shop/ledger-2": {true, true, false, "Blue", `"blue"`, `"gradient-boost"`, `"modern"`},
	}
	e := evaluator(t, start(t, statsigtest.Options{}))
	got := map[string]answers{}
	for id := range want {
		u := eval.NewUser(eval.UserAttributes{UserID: id})
		a := answers{
			NewCheckout: gate(e, "new_checkout", u).Pass,
			Upsell:      gate(e, "checkout_upsell", u).Pass,
			Beta:        gate(e, "beta_features", u).Pass,
		}
		button := e.Evaluate(eval.Ref{Kind: eval.KindExperiment, Name: "button_color"}, u, demoNow, nil)
		a.Group = button.GroupName
		a.Color, _ = button.Parameter("color")
		ranking := e.Evaluate(eval.Ref{Kind: eval.KindLayer, Name: "ranking"}, u, demoNow, nil)
		a.Model, _ = ranking.Parameter("model")
		if ranking.ConfigDelegate != "ranking_model" {
			t.Errorf("%s: layer ranking delegates to %q", id, ranking.ConfigDelegate)
		}
		a.Theme = e.Parameter("ui", "theme", u, demoNow, nil).Value
		got[id] = a
		for _, closed := range []string{"eu_banner", "debug_panel", "holiday_sale", "release_checkout"} {
			if gate(e, closed, u).Pass {
				t.Errorf("%s: gate %s passes", id, closed)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestDemoAnswersByAttribute(t *testing.T) {
	e := evaluator(t, start(t, statsigtest.Options{}))
	limits := eval.Ref{Kind: eval.KindDynamicConfig, Name: "limits"}
	europe := eval.NewUser(eval.UserAttributes{UserID: "x", Custom: map[string]any{"region": "eu-west-1", "team": "platform"}})
	if !gate(e, "eu_banner", europe).Pass || !gate(e, "debug_panel", europe).Pass {
		t.Error("a European platform workload fails eu_banner or debug_panel")
	}
	if tiers := tiersOf(e.Evaluate(limits, europe, demoNow, nil)); !strings.Contains(tiers, `{"rps": 300,`) {
		t.Errorf("European tiers are %s", tiers)
	}
	elsewhere := eval.NewUser(eval.UserAttributes{UserID: "x", Email: "a@example.com"})
	if !gate(e, "debug_panel", elsewhere).Pass || gate(e, "eu_banner", elsewhere).Pass {
		t.Error("staff by email fails debug_panel, or passes eu_banner")
	}
	if tiers := tiersOf(e.Evaluate(limits, elsewhere, demoNow, nil)); !strings.Contains(tiers, `{"rps": 500,`) {
		t.Errorf("tiers elsewhere are %s", tiers)
	}
	holiday := time.Date(2030, time.December, 24, 0, 0, 0, 0, time.UTC)
	sale := eval.Ref{Kind: eval.KindGate, Name: "holiday_sale"}
	if !e.Evaluate(sale, elsewhere, holiday, nil).Pass {
		t.Error("holiday_sale fails on Christmas Eve of 2030")
	}
	if e.Evaluate(sale, elsewhere, holiday.AddDate(0, 0, 7), nil).Pass {
		t.Error("holiday_sale passes on New Year's Eve of 2030")
	}
}

func TestEditsChangeAnswers(t *testing.T) {
	s := start(t, statsigtest.Options{})
	cart := eval.NewUser(eval.UserAttributes{UserID: "shop/cart"})
	steps := []struct {
		name         string
		edit         func() error
		wantPass     bool
		wantRule     string
		wantUpsell   bool
		wantCheckout bool // for shop/checkout, whom 50 % includes
	}{
		{"as it is", func() error { return nil }, false, "7EvICnb0ISdG3SHdwLgQ1H", false, true},
		{"on for everyone", func() error { return s.SetGate("new_checkout", true) }, true, "statsigtest:override", true, true},
		{"off for everyone", func() error { return s.SetGate("new_checkout", false) }, false, "statsigtest:override", false, false},
		{"as it was", func() error { return s.ResetGate("new_checkout") }, false, "7EvICnb0ISdG3SHdwLgQ1H", false, true},
		{"all by percentage", func() error { return s.SetPassPercentage("new_checkout", "", 100) }, true, "7EvICnb0ISdG3SHdwLgQ1H", true, true},
		{"none by percentage", func() error { return s.SetPassPercentage("new_checkout", "", 0) }, false, "7EvICnb0ISdG3SHdwLgQ1H", false, false},
	}
	for _, step := range steps {
		if err := step.edit(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		e := evaluator(t, s)
		if got := gate(e, "new_checkout", cart); got.Pass != step.wantPass || got.RuleID != step.wantRule {
			t.Errorf("%s: new_checkout = %v by rule %s, want %v by %s", step.name, got.Pass, got.RuleID, step.wantPass, step.wantRule)
		}
		if got := gate(e, "checkout_upsell", cart).Pass; got != step.wantUpsell {
			t.Errorf("%s: checkout_upsell = %v, want %v", step.name, got, step.wantUpsell)
		}
		checkout := eval.NewUser(eval.UserAttributes{UserID: "shop/checkout"})
		if got := gate(e, "new_checkout", checkout).Pass; got != step.wantCheckout {
			t.Errorf("%s: new_checkout for shop/checkout = %v, want %v", step.name, got, step.wantCheckout)
		}
	}

	if err := s.SetDynamicConfig("freeze", []byte(` {"state": "on"} `)); err != nil {
		t.Fatal(err)
	}
	freeze := evaluator(t, s).Evaluate(eval.Ref{Kind: eval.KindDynamicConfig, Name: "freeze"}, cart, demoNow, nil)
	if diff := cmp.Diff(`{"state": "on"}`, freeze.Value); diff != "" {
		t.Errorf("freeze (-want +got):\n%s", diff)
	}
	s.SetIDList("beta_workloads", "shop/cart")
	if !gate(evaluator(t, s), "beta_features", cart).Pass {
		t.Error("a member of the new ID list fails beta_features")
	}
}

func tiersOf(limits eval.Result) string {
	tiers, _ := limits.Parameter("tiers")
	return tiers
}
