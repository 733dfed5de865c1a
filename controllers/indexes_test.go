package controllers

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func TestBindingsAreIndexedByProjectAndEntity(t *testing.T) {
	entries := []v1alpha1.Entry{
		{Name: "a", Gate: "new_checkout"}, {Name: "b", DynamicConfig: "limits", Path: "rps"}, {Name: "c", Experiment: "color"},
		{Name: "d", Layer: "ranking", Parameter: "model"}, {Name: "e", ParameterStore: "ui", Parameter: "theme"},
	}
	for name, tc := range map[string]struct {
		binding      *v1alpha1.FlagBinding
		wantProject  string
		wantEntities []string
	}{
		"A project without a namespace is in the binding's": {
			newBinding("a").Entry(entries...).Obj(), "shop/checkout",
			[]string{
				"shop/checkout|Gate|new_checkout", "shop/checkout|DynamicConfig|limits", "shop/checkout|Experiment|color",
				"shop/checkout|Layer|ranking", "shop/checkout|ParameterStore|ui",
			},
		},
		"A project in another namespace": {
			newBinding("a").Gate("g").With(func(b *v1alpha1.FlagBinding) { b.Spec.ProjectRef.Namespace = "statsig" }).Obj(),
			"statsig/checkout", []string{"statsig/checkout|Gate|g"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff([]string{tc.wantProject}, bindingProjects(tc.binding)); diff != "" {
				t.Errorf("projects (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantEntities, bindingEntities(tc.binding)); diff != "" {
				t.Errorf("entities (-want +got):\n%s", diff)
			}
			ref := eval.Ref{Kind: entryRef(&tc.binding.Spec.Entries[0]).Kind, Name: entryRef(&tc.binding.Spec.Entries[0]).Name}
			if got := entityIndexValue(projectKey(tc.binding), ref); got != tc.wantEntities[0] {
				t.Errorf("the value looked for is %s, that indexed %s", got, tc.wantEntities[0])
			}
		})
	}
	other := &corev1.Pod{}
	if bindingProjects(other) != nil || bindingEntities(other) != nil {
		t.Error("an object that is no FlagBinding is indexed as one")
	}
}

func TestGatesAreIndexedByWhatTheirExpressionNames(t *testing.T) {
	for name, tc := range map[string]struct {
		gate *gateBuilder
		want []string
	}{
		"Every function's entity is named once": {
			newGate("a").Open("gate('x') || !gate('x') || config('y').a.b == 1 || experiment('e').p == 'q' || layer('l').p || parameterStore('s').p"),
			[]string{
				"shop/checkout|Gate|x", "shop/checkout|DynamicConfig|y", "shop/checkout|Experiment|e", "shop/checkout|Layer|l",
				"shop/checkout|ParameterStore|s",
			},
		},
		"A project in another namespace": {
			newGate("a").With(func(g *v1alpha1.RolloutGate) { g.Spec.ProjectRef.Namespace = "statsig" }), []string{"statsig/checkout|Gate|release"},
		},
		"What cannot be parsed names nothing":                    {newGate("a").Open("gate('x') && gate("), nil},
		"What does not compile names what it names all the same": {newGate("a").Open("gate('x') + 1"), []string{"shop/checkout|Gate|x"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := gateEntities(tc.gate.Obj())
			slices.Sort(got)
			slices.Sort(tc.want)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("entities (-want +got):\n%s", diff)
			}
		})
	}
	if got := gateProjects(newGate("a").Obj()); !slices.Equal(got, []string{"shop/checkout"}) {
		t.Errorf("projects: got %v", got)
	}
	other := &corev1.Pod{}
	if gateProjects(other) != nil || gateEntities(other) != nil {
		t.Error("an object that is no RolloutGate is indexed as one")
	}
}

func TestPodsAreIndexedByControllerAndMarker(t *testing.T) {
	yes, no := true, false
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		OwnerReferences: []metav1.OwnerReference{{UID: "owner", Controller: &no}, {UID: "controller", Controller: &yes}},
		Annotations:     map[string]string{"flags.example.com/a": "true", podMarker("shop-flags"): "b91e04d7"},
	}}
	if diff := cmp.Diff([]string{"controller"}, controllerUID(pod)); diff != "" {
		t.Errorf("controllers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"hash.flags.statsig-operator.dev/shop-flags"}, podMarkers(pod)); diff != "" {
		t.Errorf("markers (-want +got):\n%s", diff)
	}
	pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{UID: "owner"}}}}
	if got := controllerUID(pod); got != nil {
		t.Errorf("controllers of a pod with a mere owner: want none, got %v", got)
	}
	if got := podMarkers(pod); got != nil {
		t.Errorf("markers of a pod without annotations: want none, got %v", got)
	}
}

// recordingIndexer notes what is indexed, and fails at one field.
type recordingIndexer struct {
	indexed []string
	failAt  string
}

func (r *recordingIndexer) IndexField(_ context.Context, object client.Object, field string, _ client.IndexerFunc) error {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	if kind == "" {
		kind = reflect.TypeOf(object).Elem().Name()
	}
	name := kind + "." + field
	r.indexed = append(r.indexed, name)
	if name == r.failAt {
		return errors.New("the cache has started")
	}
	return nil
}

func TestEveryIndexIsRegistered(t *testing.T) {
	want := []string{
		"FlagBinding.project", "FlagBinding.entity", "RolloutGate.project", "RolloutGate.entity",
		"Pod.owner", "ReplicaSet.owner", "Job.owner", "Pod.marker",
	}
	r := &recordingIndexer{}
	if err := SetupIndexes(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r.indexed); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
	for _, field := range want {
		if err := SetupIndexes(t.Context(), &recordingIndexer{failAt: field}); err == nil {
			t.Errorf("%s cannot be indexed: want an error", field)
		}
	}
}

func TestProjectsAreNamedByTheirBindings(t *testing.T) {
	binding := newBinding("a").Obj()
	if got, want := projectKey(binding), (types.NamespacedName{Namespace: "shop", Name: "checkout"}); got != want {
		t.Errorf("project: want %s, got %s", want, got)
	}
	requests := projectOfBinding(t.Context(), binding)
	if len(requests) != 1 || requests[0] != requestFor("checkout") {
		t.Errorf("a binding's change: want its project queued, got %v", requests)
	}
	if got := projectOfBinding(t.Context(), &corev1.Pod{}); got != nil {
		t.Errorf("another object's change: want nothing queued, got %v", got)
	}
}
