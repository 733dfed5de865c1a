package v1alpha1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// create creates an object in namespace default and deletes it when the test ends.
func create(t *testing.T, object client.Object) {
	t.Helper()
	c := needsAPIServer(t).client
	object.SetNamespace("default")
	if err := c.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(context.WithoutCancel(t.Context()), object); err != nil {
			t.Error(err)
		}
	})
}

func newProject(name string) *v1alpha1.StatsigProject {
	return &v1alpha1.StatsigProject{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.StatsigProjectSpec{SDKKeySecretRef: &v1alpha1.SecretKeyRef{Name: "statsig", Key: "sdkKey"}},
	}
}

func newBinding(name string) *v1alpha1.FlagBinding {
	return &v1alpha1.FlagBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.FlagBindingSpec{
			ProjectRef: v1alpha1.ProjectRef{Name: "checkout"},
			Subject:    v1alpha1.Subject{Unit: v1alpha1.UnitNamespace},
			Entries:    []v1alpha1.Entry{{Name: "newCheckout", Gate: "new_checkout"}},
			Targets:    []v1alpha1.Target{{Name: "env", ConfigMap: &v1alpha1.ConfigMapTarget{Name: "checkout-flags"}}},
		},
	}
}

func TestDefaultsOfAnyKindSurviveTheAPIServer(t *testing.T) {
	for name, tc := range map[string]struct{ raw, want string }{
		"A boolean":                   {`true`, `true`},
		"False is not nothing":        {`false`, `false`},
		"Zero is not nothing":         {`0`, `0`},
		"A fraction":                  {`0.5`, `0.5`},
		"A number beyond a float's":   {`9007199254740993`, `9007199254740993`},
		"A text":                      {`"x"`, `"x"`},
		"An empty text":               {`""`, `""`},
		"An empty object":             {`{}`, `{}`},
		"An empty list":               {`[]`, `[]`},
		"A nested object":             {`{"tiers":{"gold":{"rps":[1,"2",null,true]}}}`, `{"tiers":{"gold":{"rps":[1,"2",null,true]}}}`},
		"An object with a null":       {`{"a":null}`, `{"a":null}`},
		"A null is no default at all": {`null`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			c := needsAPIServer(t).client
			binding := newBinding("defaults")
			binding.Spec.Entries[0].Default = &runtime.RawExtension{Raw: []byte(tc.raw)}
			create(t, binding)
			got := &v1alpha1.FlagBinding{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(binding), got); err != nil {
				t.Fatal(err)
			}
			raw := ""
			if got.Spec.Entries[0].Default != nil {
				raw = string(got.Spec.Entries[0].Default.Raw)
			}
			if diff := cmp.Diff(tc.want, raw); diff != "" {
				t.Errorf("default (-want +got):\n%s", diff)
			}
		})
	}
}

// Until the first reconcile kstatus must not take the generation for observed.
func TestFreshObjectsHaveNotBeenObserved(t *testing.T) {
	c := needsAPIServer(t).client
	project, binding := newProject("fresh"), newBinding("fresh")
	create(t, project)
	create(t, binding)
	if diff := cmp.Diff(v1alpha1.StatsigProjectStatus{ObservedGeneration: -1}, project.Status); diff != "" {
		t.Errorf("status of the created project (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(v1alpha1.FlagBindingStatus{ObservedGeneration: -1}, binding.Status); diff != "" {
		t.Errorf("status of the created binding (-want +got):\n%s", diff)
	}
	for _, object := range []client.Object{project, binding} {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
	}
	if project.Status.ObservedGeneration != -1 || binding.Status.ObservedGeneration != -1 {
		t.Errorf("observedGeneration: want -1, got %d and %d when read again",
			project.Status.ObservedGeneration, binding.Status.ObservedGeneration)
	}
}

func TestStatusIsWrittenApartFromTheSpec(t *testing.T) {
	c := needsAPIServer(t).client
	binding := newBinding("status")
	create(t, binding)
	generation := binding.Generation
	binding.Status.Hash = "b91e04d7"
	if err := c.Update(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	if binding.Status.Hash != "" || binding.Generation != generation {
		t.Errorf("an update of the object wrote status %q, generation %d to %d", binding.Status.Hash, generation, binding.Generation)
	}
	binding.Status.Hash = "b91e04d7"
	if err := c.Status().Update(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	if binding.Status.Hash != "b91e04d7" || binding.Generation != generation {
		t.Errorf("an update of the status gave status %q, generation %d to %d", binding.Status.Hash, generation, binding.Generation)
	}
}

func TestKindsAreFoundByShortNameAndCategory(t *testing.T) {
	d, err := discovery.NewDiscoveryClientForConfig(needsAPIServer(t).config)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := d.ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
	if err != nil {
		t.Fatal(err)
	}
	type names struct {
		Short, Categories []string
		Namespaced        bool
	}
	got := map[string]names{}
	for _, r := range resources.APIResources {
		got[r.Name] = names{r.ShortNames, r.Categories, r.Namespaced}
	}
	want := map[string]names{
		"statsigprojects":        {[]string{"sp"}, []string{"statsig"}, true},
		"statsigprojects/status": {Namespaced: true},
		"flagbindings":           {[]string{"fb"}, []string{"statsig"}, true},
		"flagbindings/status":    {Namespaced: true},
		"rolloutgates":           {[]string{"rg"}, []string{"statsig"}, true},
		"rolloutgates/status":    {Namespaced: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestBindingsAreSelectedByTheirProject(t *testing.T) {
	c := needsAPIServer(t).client
	mine, other := newBinding("mine"), newBinding("other")
	other.Spec.ProjectRef.Name = "cart"
	create(t, mine)
	create(t, other)
	list := &v1alpha1.FlagBindingList{}
	if err := c.List(t.Context(), list, client.MatchingFields{"spec.projectRef.name": "checkout"}); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || list.Items[0].Name != "mine" {
		t.Errorf("bindings of project checkout: want mine, got %d: %v", len(list.Items), list.Items)
	}
}

// table asks for one object as kubectl get does, and returns columns and cells; wide adds those of -o wide.
func table(t *testing.T, resource, name string, wide bool) (columns []string, cells []string) {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(needsAPIServer(t).config)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := d.RESTClient().Get().
		AbsPath("apis", v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version, "namespaces", "default", resource, name).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").
		Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	shown := metav1.Table{}
	if err := json.Unmarshal(raw, &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown.Rows) != 1 {
		t.Fatalf("rows: want 1, got %d", len(shown.Rows))
	}
	for i, column := range shown.ColumnDefinitions {
		if column.Priority > 0 && !wide {
			continue
		}
		columns = append(columns, column.Name)
		cells = append(cells, fmt.Sprint(shown.Rows[0].Cells[i]))
	}
	return columns, cells
}

func TestProjectsArePrintedInOneLine(t *testing.T) {
	project := newProject("printed")
	create(t, project)
	// Three days and half an hour ago is "3d" for an hour.
	changed := metav1.NewTime(time.Now().Add(-72*time.Hour - 30*time.Minute))
	project.Status.Specs = &v1alpha1.SpecsStatus{Source: "CDN", Hash: "0a1b2c3d", LastConfigUpdate: &changed}
	project.Status.Bindings = 2
	project.Status.Conditions = ready("Synced", "The specs are in use.")
	if err := needsAPIServer(t).client.Status().Update(t.Context(), project); err != nil {
		t.Fatal(err)
	}
	columns, cells := table(t, "statsigprojects", "printed", true)
	wantColumns := []string{"Name", "Ready", "Reason", "Specs-Age", "Source", "Bindings", "Age", "Hash", "Message"}
	if diff := cmp.Diff(wantColumns, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	want := []string{"printed", "True", "Synced", "3d", "CDN", "2", "0a1b2c3d", "The specs are in use."}
	if diff := cmp.Diff(want, slices.Delete(cells, 6, 7)); diff != "" {
		t.Errorf("cells without the age (-want +got):\n%s", diff)
	}
	columns, _ = table(t, "statsigprojects", "printed", false)
	if diff := cmp.Diff(wantColumns[:7], columns); diff != "" {
		t.Errorf("narrow columns (-want +got):\n%s", diff)
	}
}

func TestBindingsArePrintedInOneLine(t *testing.T) {
	binding := newBinding("printed")
	create(t, binding)
	binding.Status.Hash, binding.Status.TargetsApplied, binding.Status.Units = "b91e04d7", "2/2", 5
	binding.Status.Conditions = ready("Applied", "Every target holds the evaluated values.")
	if err := needsAPIServer(t).client.Status().Update(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	columns, cells := table(t, "flagbindings", "printed", true)
	wantColumns := []string{"Name", "Ready", "Reason", "Project", "Hash", "Targets", "Age", "Units", "Message"}
	if diff := cmp.Diff(wantColumns, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	want := []string{"printed", "True", "Applied", "checkout", "b91e04d7", "2/2", "5", "Every target holds the evaluated values."}
	if diff := cmp.Diff(want, slices.Delete(cells, 6, 7)); diff != "" {
		t.Errorf("cells without the age (-want +got):\n%s", diff)
	}
	columns, _ = table(t, "flagbindings", "printed", false)
	if diff := cmp.Diff(wantColumns[:7], columns); diff != "" {
		t.Errorf("narrow columns (-want +got):\n%s", diff)
	}
}

func ready(reason, message string) []metav1.Condition {
	return []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: 1,
		LastTransitionTime: metav1.NewTime(time.Now().Truncate(time.Second)),
	}}
}

// The manager patches the status with an optimistic lock, and lists keyed by name must not refuse what it writes.
func TestStatusListsTakeOneItemForEachName(t *testing.T) {
	binding := newBinding("lists")
	create(t, binding)
	before := binding.DeepCopy()
	binding.Status.Workloads = []v1alpha1.UnitStatus{{Kind: "Pod", Name: "a"}, {Kind: "Pod", Name: "b"}}
	binding.Status.Entries = []v1alpha1.EntryStatus{{Name: "newCheckout", State: v1alpha1.EntryEvaluated}, {Name: "b"}}
	c := needsAPIServer(t).client
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Status().Patch(t.Context(), binding, patch); err != nil {
		t.Fatalf("writing a status: %v", err)
	}
	twice := []byte(`{"status":{"workloads":[{"kind":"Pod","name":"a"},{"kind":"Pod","name":"a"}]}}`)
	if err := c.Status().Patch(t.Context(), binding, client.RawPatch(types.MergePatchType, twice)); err == nil {
		t.Error("a status with the same unit twice was taken")
	}
}
