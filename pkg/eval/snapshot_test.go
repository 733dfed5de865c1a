package eval_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
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
