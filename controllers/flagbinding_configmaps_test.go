package controllers

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/render"
)

// podUnit is a unit of a pod; workloadUnit one of a Deployment.
func podUnit(workload, pod string) unit {
	p := newMetadata("v1", "Pod", pod)
	return unit{kind: "Pod", name: pod, workload: newMetadata("apps/v1", "Deployment", workload), pod: p, pods: []*metav1.PartialObjectMetadata{p}}
}

func workloadUnit(name string) unit {
	return unit{kind: "Deployment", name: name, workload: newMetadata("apps/v1", "Deployment", name)}
}

func TestUnitsGetAConfigMapEach(t *testing.T) {
	namespace := unit{kind: "Namespace", name: "shop"}
	for name, tc := range map[string]struct {
		name      string
		units     []unit
		want      []string
		wantError string
	}{
		"A fixed name for one unit":        {"flags", []unit{namespace}, []string{"flags"}, ""},
		"A fixed name for one workload":    {"flags", []unit{workloadUnit("a")}, []string{"flags"}, ""},
		"A name for each workload":         {"$(workload.name)-flags", []unit{workloadUnit("a"), workloadUnit("b")}, []string{"a-flags", "b-flags"}, ""},
		"A name for each pod":              {"$(workload.name).$(pod.name)", []unit{podUnit("a", "a-0"), podUnit("a", "a-1")}, []string{"a.a-0", "a.a-1"}, ""},
		"No units need no names":           {"flags", nil, []string{}, ""},
		"A fixed name for two workloads":   {"flags", []unit{workloadUnit("a"), workloadUnit("b")}, nil, "Deployment a and Deployment b would share ConfigMap flags. Put "},
		"A workload's name for two pods":   {"$(workload.name)", []unit{podUnit("a", "a-0"), podUnit("a", "a-1")}, nil, "Pod a-0 and Pod a-1 would share ConfigMap a."},
		"Names that end up the same":       {"$(workload.name)$(pod.name)", []unit{podUnit("a", "ab"), podUnit("aa", "b")}, nil, "would share ConfigMap aab."},
		"A name that becomes too long":     {"$(workload.name)" + strings.Repeat("x", 250), []unit{workloadUnit("abcdef")}, nil, "is not a valid ConfigMap name for Deployment abcdef"},
		"A name that is not valid as such": {"flags-", []unit{namespace}, nil, `"flags-" is not a valid ConfigMap name for Namespace shop`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := configMapNames(&v1alpha1.ConfigMapTarget{Name: tc.name}, tc.units)
			if (err != nil) != (tc.wantError != "") || (err != nil && !strings.Contains(err.Error(), tc.wantError)) {
				t.Fatalf("error: want %q, got %v", tc.wantError, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigMapsAreWantedWhileTheirTargetIsThere(t *testing.T) {
	failed := workloadUnit("broken")
	failed.userErr = errors.New("no such key")
	for name, tc := range map[string]struct {
		binding      *bindingBuilder
		units        []unit
		want         map[string]bool
		wantComplete bool
	}{
		"Those of all units and targets": {
			newBinding("a").ConfigMap("a-$(workload.name)").ConfigMap("b-$(workload.name)").Annotations("flags.example.com"),
			[]unit{workloadUnit("x"), workloadUnit("y")},
			map[string]bool{"a-$(workload.name)": true, "a-x": true, "a-y": true, "b-$(workload.name)": true, "b-x": true, "b-y": true}, true,
		},
		"A fixed name is wanted without units": {newBinding("a").ConfigMap("flags"), nil, map[string]bool{"flags": true}, true},
		"That of a unit without a user stays": {
			newBinding("a").ConfigMap("$(workload.name)"), []unit{failed}, map[string]bool{"$(workload.name)": true, "broken": true}, true,
		},
		"Names that cannot be told leave everything as it is": {
			newBinding("a").ConfigMap("b-$(workload.name)").ConfigMap("flags"), []unit{workloadUnit("x"), workloadUnit("y")}, nil, false,
		},
		"No ConfigMap is wanted by annotations": {newBinding("a").Annotations("flags.example.com"), []unit{workloadUnit("x")}, map[string]bool{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, complete := wantedConfigMaps(&bindingScope{binding: tc.binding.Obj(), units: tc.units})
			if diff := cmp.Diff(tc.want, got); diff != "" || complete != tc.wantComplete {
				t.Errorf("complete is %v, want %v; wanted (-want +got):\n%s", complete, tc.wantComplete, diff)
			}
		})
	}
}

func owned(by string, labels map[string]string, managers ...string) *corev1.ConfigMap {
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: labels}}
	if by != "" {
		yes := true
		o.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "FlagBinding", Name: by, UID: newBinding(by).Obj().UID, Controller: &yes,
		}}
	}
	for _, manager := range managers {
		o.ManagedFields = append(o.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager})
	}
	return o
}

// former is what a deleted binding owned, before the garbage collector came.
func former(by string) *corev1.ConfigMap {
	o := owned(by, nil)
	o.OwnerReferences[0].UID = "uid-of-one-that-is-gone"
	return o
}

// retained is what a binding left behind, when it was deleted or as long as another one has the target.
func retained(by string, labels map[string]string) *corev1.ConfigMap {
	o := owned("", labels, "statsig-operator/materialize")
	o.Annotations = map[string]string{v1alpha1.BindingAnnotation: by}
	return o
}

func TestOnlyWhatTheBindingMadeIsItsOwn(t *testing.T) {
	labels := func(manager, binding string) map[string]string {
		return map[string]string{v1alpha1.ManagedByLabel: manager, v1alpha1.BindingUIDLabel: "uid-of-" + binding}
	}
	for name, tc := range map[string]struct {
		object     *corev1.ConfigMap
		want       bool
		wantHolder string
	}{
		"Its own by owner reference":             {owned("mine", nil), true, ""},
		"Its own by label":                       {owned("", labels("statsig-operator", "mine")), true, ""},
		"Another binding's by owner reference":   {owned("other", labels("statsig-operator", "mine")), false, "FlagBinding other"},
		"A former binding's by owner reference":  {former("mine"), true, ""},
		"A former binding's of the same name":    {retained("mine", labels("statsig-operator", "former")), true, ""},
		"Another binding's by label":             {retained("other", labels("statsig-operator", "other")), false, "FlagBinding other"},
		"Helm's, whatever else it says":          {owned("", labels("Helm", "mine"), "helm"), false, "Helm"},
		"That of somebody who used kubectl":      {owned("", nil, "kubectl-create", "other"), false, "field manager kubectl-create"},
		"That of somebody who left no trace":     {owned("", nil), false, "somebody else"},
		"A label alone does not make it its own": {owned("", map[string]string{v1alpha1.ManagedByLabel: "statsig-operator"}), false, "somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := isOwn(tc.object, newBinding("mine").Obj()); got != tc.want {
				t.Errorf("isOwn(): want %v, got %v", tc.want, got)
			}
			if got := holderOf(tc.object); !tc.want && !strings.Contains(got, tc.wantHolder) {
				t.Errorf("holderOf(): want %q in it, got %q", tc.wantHolder, got)
			}
		})
	}
}

func TestAConfigMapIsWrittenWhenItDiffers(t *testing.T) {
	content := map[string]string{"on": "true", "rps": "10"}
	current := func(change func(*corev1.ConfigMap)) *corev1.ConfigMap {
		o := owned("mine", map[string]string{v1alpha1.ManagedByLabel: "statsig-operator", v1alpha1.BindingUIDLabel: "uid-of-mine", "team": "shop"})
		o.Annotations = map[string]string{
			v1alpha1.HashAnnotation: render.Hash(content), v1alpha1.BindingAnnotation: "mine", "note": "kept",
		}
		o.Data = map[string]string{"on": "true", "rps": "10"}
		change(o)
		return o
	}
	for name, tc := range map[string]struct {
		existing *corev1.ConfigMap
		policy   v1alpha1.DeletionPolicy
		want     bool
	}{
		"As it should be":                       {current(func(*corev1.ConfigMap) {}), "", true},
		"As it should be, with Delete":          {current(func(*corev1.ConfigMap) {}), v1alpha1.DeletionDelete, true},
		"It does not exist":                     {nil, "", false},
		"A value differs":                       {current(func(o *corev1.ConfigMap) { o.Data["on"] = "false" }), "", false},
		"A key is missing":                      {current(func(o *corev1.ConfigMap) { delete(o.Data, "on") }), "", false},
		"A key was added":                       {current(func(o *corev1.ConfigMap) { o.Data["x"] = "1" }), "", false},
		"A key was renamed":                     {current(func(o *corev1.ConfigMap) { delete(o.Data, "on"); o.Data["no"] = "true" }), "", false},
		"Binary data were added":                {current(func(o *corev1.ConfigMap) { o.BinaryData = map[string][]byte{"x": nil} }), "", false},
		"The hash is missing":                   {current(func(o *corev1.ConfigMap) { delete(o.Annotations, v1alpha1.HashAnnotation) }), "", false},
		"The binding's name is missing":         {current(func(o *corev1.ConfigMap) { delete(o.Annotations, v1alpha1.BindingAnnotation) }), "", false},
		"A label is missing":                    {current(func(o *corev1.ConfigMap) { delete(o.Labels, v1alpha1.ManagedByLabel) }), "", false},
		"It should outlive the binding":         {current(func(*corev1.ConfigMap) {}), v1alpha1.DeletionRetain, false},
		"It should change hands":                {current(func(o *corev1.ConfigMap) { o.OwnerReferences[0].UID = "former" }), "", false},
		"It should go with the binding":         {current(func(o *corev1.ConfigMap) { o.OwnerReferences = nil }), "", false},
		"It outlives the binding, as it should": {current(func(o *corev1.ConfigMap) { o.OwnerReferences = nil }), v1alpha1.DeletionRetain, true},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &v1alpha1.ConfigMapTarget{Name: "flags", DeletionPolicy: tc.policy}
			if got := isCurrent(tc.existing, newBinding("mine").Obj(), spec, content); got != tc.want {
				t.Errorf("isCurrent(): want %v, got %v", tc.want, got)
			}
		})
	}
}

func TestEntriesAreHandedToTheRenderer(t *testing.T) {
	binding := newBinding("a").Entry(
		v1alpha1.Entry{Name: "a", Gate: "g"}, v1alpha1.Entry{Name: "b", Gate: "g", Default: rawJSON(`"x"`)},
		v1alpha1.Entry{Name: "c", Gate: "g", Default: rawJSON("1")},
	).Obj()
	u := &unit{values: []entryValue{{value: "true"}, {value: "ignored", problem: v1alpha1.ReasonEntityNotFound}, {value: "2"}}}
	want := []render.Entry{
		{Name: "a", State: render.Evaluated, Value: "true"},
		{Name: "b", State: render.Missing, Default: `"x"`},
		{Name: "c", State: render.Evaluated, Value: "2", Default: "1"},
	}
	if diff := cmp.Diff(want, renderEntries(binding, u)); diff != "" {
		t.Errorf("renderEntries() (-want +got):\n%s", diff)
	}
	options := configMapOptions(&v1alpha1.ConfigMapTarget{Name: "n", Format: v1alpha1.FormatJSON, Key: "k"})
	if diff := cmp.Diff(render.Options{Format: render.JSON, Key: "k"}, options); diff != "" {
		t.Errorf("configMapOptions() (-want +got):\n%s", diff)
	}
	recordStates(u, []render.Outcome{{State: render.Evaluated, Text: "t"}, {State: render.Kept, Text: "k"}, {State: render.Absent}})
	var got []string
	for _, v := range u.values {
		got = append(got, string(v.state)+" "+v.text)
	}
	if diff := cmp.Diff([]string{"Evaluated t", "Kept k", "Absent "}, got); diff != "" {
		t.Errorf("recordStates() (-want +got):\n%s", diff)
	}
}

func TestTroubleInRenderingHasAReason(t *testing.T) {
	for want, err := range map[string]error{
		v1alpha1.ReasonTargetTooLarge: errors.Join(&render.TooLargeError{Size: 2, Limit: 1}),
		v1alpha1.ReasonTargetInvalid:  &render.EntryError{Name: "a", Message: "it is odd"},
	} {
		if got := renderReason(err); got != want {
			t.Errorf("renderReason(%v): want %s, got %s", err, want, got)
		}
	}
}
