package eval_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func TestRefsListsWhatCanBeAskedFor(t *testing.T) {
	refs := map[string]bool{}
	for _, ref := range demoSnapshot(t).Refs() {
		refs[ref.String()] = true
	}
	for _, want := range []string{
		"Gate/new_checkout", "Gate/segment:staff", "DynamicConfig/limits", "Experiment/limits", "Experiment/button_color",
		"Layer/ranking", "ParameterStore/ui",
	} {
		if !refs[want] {
			t.Errorf("%s is not listed", want)
		}
	}
	if refs["Gate/limits"] || refs["Layer/ui"] {
		t.Error("an entity is listed under a kind that it is not of")
	}
}

func TestParametersOfAStoreAreSorted(t *testing.T) {
	snapshot := demoSnapshot(t)
	if diff := cmp.Diff([]string{"accent", "model", "retry", "theme", "title"}, snapshot.Parameters("ui")); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if got := snapshot.Parameters("missing"); got != nil {
		t.Errorf("an unknown store has parameters %v", got)
	}
}

func demoSnapshot(t *testing.T) *eval.Snapshot {
	t.Helper()
	document, err := eval.Decode(statsigtest.DemoProject())
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := eval.Compile(document, eval.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func TestFieldsNeededAreThoseOfTheService(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("g").With("fieldsUsed", []string{"email", "custom_field", "userID"}),
		evaltest.NewGate("silent").Rule(evaltest.NewRule("r").When(evaltest.UserField("email", "any", "a"))),
		evaltest.NewDynamicConfig("c").With("fieldsUsed", []string{}),
		evaltest.NewExperiment("e").With("fieldsUsed", []string{"country"}),
		evaltest.NewLayer("l").With("fieldsUsed", []string{"locale"}),
	).Store("s", map[string]any{"p": evaltest.Static(1)})
	s := evaltest.Compile(t, d)
	for ref, want := range map[eval.Ref][]string{
		{Kind: eval.KindGate, Name: "g"}:           {"email", "custom_field", "userID"},
		{Kind: eval.KindGate, Name: "silent"}:      {},
		{Kind: eval.KindGate, Name: "unknown"}:     {},
		{Kind: eval.KindDynamicConfig, Name: "c"}:  {},
		{Kind: eval.KindDynamicConfig, Name: "e"}:  {"country"},
		{Kind: eval.KindExperiment, Name: "e"}:     {"country"},
		{Kind: eval.KindLayer, Name: "l"}:          {"locale"},
		{Kind: eval.KindParameterStore, Name: "s"}: {},
	} {
		if diff := cmp.Diff(want, s.FieldsNeeded(ref)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", ref, diff)
		}
	}
}

func TestAutotunesHaveAListOfTheirOwn(t *testing.T) {
	d := banditDocument(func(values) {}).Add(
		evaltest.NewDynamicConfig("b_tune").With("entity", "autotune"),
		evaltest.NewDynamicConfig("a_tune").With("entity", "autotune"), evaltest.NewExperiment("exp"))
	s := evaltest.Compile(t, d)
	if diff := cmp.Diff([]string{"a_tune", "b_tune"}, s.Autotunes()); diff != "" {
		t.Errorf("autotunes (-want +got):\n%s", diff)
	}
	for _, kind := range []eval.Kind{eval.KindDynamicConfig, eval.KindExperiment} {
		for _, name := range s.Names(kind) {
			if name == "a_tune" || name == "b_tune" {
				t.Errorf("autotune %s is among the %vs", name, kind)
			}
		}
	}
}
