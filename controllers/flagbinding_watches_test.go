package controllers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

func selecting(selectors ...v1alpha1.WorkloadSelector) *v1alpha1.FlagBinding {
	return newBinding("a").With(func(b *v1alpha1.FlagBinding) { b.Spec.Subject.Workloads = selectors }).Obj()
}

func TestBindingsSelectWorkloads(t *testing.T) {
	byName := v1alpha1.WorkloadSelector{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"}
	byLabel := v1alpha1.WorkloadSelector{APIVersion: "apps/v1", Kind: "Deployment", Selector: &metav1.LabelSelector{
		MatchLabels: map[string]string{"team": "payments"},
	}}
	ofAnotherKind := v1alpha1.WorkloadSelector{APIVersion: "apps/v1", Kind: "StatefulSet", Selector: &metav1.LabelSelector{}}
	odd := v1alpha1.WorkloadSelector{APIVersion: "apps/v1", Kind: "Deployment", Selector: impossible}
	for name, tc := range map[string]struct {
		binding *v1alpha1.FlagBinding
		name    string
		labels  map[string]string
		// want is for the workload, wantOwner for an owner reference to it, which has no labels.
		want, wantOwner bool
	}{
		"By name":                              {selecting(byName), "checkout", nil, true, true},
		"By name, but another's":               {selecting(byName), "cart", nil, false, false},
		"By label":                             {selecting(byLabel), "checkout", map[string]string{"team": "payments"}, true, true},
		"By label, but not this one":           {selecting(byLabel), "checkout", map[string]string{"team": "search"}, false, true},
		"By the second selector":               {selecting(byName, byLabel), "cart", map[string]string{"team": "payments"}, true, true},
		"By kind, but another":                 {selecting(ofAnotherKind), "checkout", nil, false, false},
		"By a selector that cannot be":         {selecting(odd), "checkout", nil, false, true},
		"By no selector at all":                {selecting(), "checkout", nil, false, false},
		"An empty selector selects every name": {selecting(v1alpha1.WorkloadSelector{APIVersion: "apps/v1", Kind: "Deployment", Selector: &metav1.LabelSelector{}}), "x", nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := selects(tc.binding, deploymentKind, tc.name, tc.labels); got != tc.want {
				t.Errorf("selects(): want %v, got %v", tc.want, got)
			}
			owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: tc.name}
			if got := selectsOwner(tc.binding, owner); got != tc.wantOwner {
				t.Errorf("selectsOwner(): want %v, got %v", tc.wantOwner, got)
			}
		})
	}
}

func TestUpdatesThatChangeNothingAreLeftOut(t *testing.T) {
	base := func(change func(*corev1.Pod)) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Generation: 1, Labels: map[string]string{"a": "1"}, Annotations: map[string]string{"a": "1"},
			OwnerReferences: []metav1.OwnerReference{{UID: "a"}},
		}}
		change(pod)
		return pod
	}
	for name, tc := range map[string]struct {
		change                 func(*corev1.Pod)
		wantSpec, wantMetadata bool
	}{
		"Nothing changed":              {func(*corev1.Pod) {}, false, false},
		"Its status changed":           {func(p *corev1.Pod) { p.Status.Phase, p.ResourceVersion = corev1.PodRunning, "2" }, false, false},
		"Its spec changed":             {func(p *corev1.Pod) { p.Generation = 2 }, true, false},
		"It is being deleted":          {func(p *corev1.Pod) { p.DeletionTimestamp = timeOf(time.Unix(1, 0)) }, true, true},
		"Its labels changed":           {func(p *corev1.Pod) { p.Labels["a"] = "2" }, false, true},
		"Its annotations changed":      {func(p *corev1.Pod) { p.Annotations["b"] = "2" }, false, true},
		"It was taken by another":      {func(p *corev1.Pod) { p.OwnerReferences[0].UID = "b" }, false, true},
		"Its finalizers alone changed": {func(p *corev1.Pod) { p.Finalizers = []string{"a"} }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := event.UpdateEvent{ObjectOld: base(func(*corev1.Pod) {}), ObjectNew: base(tc.change)}
			if got := specOrDeletionChanged().Update(e); got != tc.wantSpec {
				t.Errorf("specOrDeletionChanged(): want %v, got %v", tc.wantSpec, got)
			}
			if got := metadataChanged().Update(e); got != tc.wantMetadata {
				t.Errorf("metadataChanged(): want %v, got %v", tc.wantMetadata, got)
			}
		})
	}
	for _, p := range []predicate.Predicate{specOrDeletionChanged(), metadataChanged()} {
		pod := base(func(*corev1.Pod) {})
		if !p.Create(event.CreateEvent{Object: pod}) || !p.Delete(event.DeleteEvent{Object: pod}) || !p.Update(event.UpdateEvent{}) {
			t.Error("a creation, a deletion or an update without a before is left out")
		}
	}
}

// kinds is a mapper of the kinds that an API server has.
type kinds struct {
	meta.RESTMapper
	known []schema.GroupVersionKind
	err   error
}

func (k kinds) RESTMapping(group schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if k.err != nil {
		return nil, k.err
	}
	if slices.Contains(k.known, group.WithVersion(versions[0])) {
		return &meta.RESTMapping{}, nil
	}
	return nil, &meta.NoKindMatchError{GroupKind: group, SearchedVersions: versions}
}

// noCache starts informers that know nothing.
type noCache struct{ cache.Cache }

func (noCache) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return nil, nil
}

func TestKindsAreWatchedWhenTheyCanBe(t *testing.T) {
	errAway := errors.New("the server is away")
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, "", errors.New("no"))
	for name, tc := range map[string]struct {
		mapper     kinds
		mayList    error
		watch      error
		want       string
		wantError  bool
		wantWatch  int
		wantInList bool
	}{
		"A known kind is watched once":               {mapper: kinds{known: []schema.GroupVersionKind{deploymentKind}}, wantWatch: 1, wantInList: true},
		"A kind that does not exist is no error":     {want: v1alpha1.ReasonKindNotFound},
		"A kind that may not be read is no error":    {mapper: kinds{known: []schema.GroupVersionKind{deploymentKind}}, mayList: forbidden, want: v1alpha1.ReasonKindForbidden},
		"A mapper that does not answer is an error":  {mapper: kinds{err: errAway}, wantError: true},
		"A list that does not come is an error":      {mapper: kinds{known: []schema.GroupVersionKind{deploymentKind}}, mayList: errAway, wantError: true},
		"A watch that does not start is tried again": {mapper: kinds{known: []schema.GroupVersionKind{deploymentKind}}, watch: errAway, wantError: true, wantWatch: 2},
	} {
		t.Run(name, func(t *testing.T) {
			watched := 0
			w := &workloadWatches{
				mapper:  tc.mapper,
				mayList: func(context.Context, schema.GroupVersionKind) error { return tc.mayList },
				watch:   func(schema.GroupVersionKind) error { watched++; return tc.watch },
			}
			for range 2 {
				problem, err := w.ensure(t.Context(), noCache{}, deploymentKind)
				if (err != nil) != tc.wantError {
					t.Fatalf("error: want one %v, got %v", tc.wantError, err)
				}
				got := ""
				if problem != nil {
					got = problem.reason
				}
				if got != tc.want {
					t.Errorf("reason: want %q, got %q", tc.want, got)
				}
			}
			if watched != tc.wantWatch || w.started[deploymentKind] != tc.wantInList {
				t.Errorf("watches: want %d and kept %v, got %d and %v", tc.wantWatch, tc.wantInList, watched, w.started[deploymentKind])
			}
		})
	}
}

// replicaSetOf is the ReplicaSet <deployment>-1.
func replicaSetOf(deployment string) *appsv1.ReplicaSet {
	yes := true
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: deployment + "-1",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: deployment, Controller: &yes}},
	}}
}

// namesOf has a mapper of watch events return the names of what it queues, sorted.
func namesOf(queue func(context.Context, client.Object) []reconcile.Request) func(context.Context, client.Object) []string {
	return func(ctx context.Context, o client.Object) []string {
		var names []string
		for _, request := range queue(ctx, o) {
			names = append(names, request.Name)
		}
		slices.Sort(names)
		return names
	}
}

func TestWatchEventsQueueTheBindingsTheyTouch(t *testing.T) {
	byName := func(kind, name string) func(*v1alpha1.FlagBinding) {
		return func(b *v1alpha1.FlagBinding) {
			b.Spec.Subject.Workloads = []v1alpha1.WorkloadSelector{{APIVersion: "apps/v1", Kind: kind, Name: name}}
		}
	}
	elsewhere := newBinding("elsewhere").Annotations("a.example.com").With(byName("Deployment", "checkout")).Obj()
	elsewhere.Namespace = "cart"
	cluster := fakeCluster(t, elsewhere,
		newBinding("checkout-pods").Annotations("a.example.com").With(byName("Deployment", "checkout")).Obj(),
		newBinding("checkout-values").ConfigMap("flags").With(byName("Deployment", "checkout")).Obj(),
		newBinding("cart-pods").Unit(v1alpha1.UnitPod).ConfigMap("f-$(pod.name)").With(byName("Deployment", "cart")).Obj(),
		newBinding("once").ConfigMap("once").With(byName("Deployment", "idle")).Obj(),
		replicaSetOf("checkout"),
	)
	r := &FlagBindingReconciler{Client: cluster}
	pod := newMetadata("v1", "Pod", "checkout-1-a")
	yes := true
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "checkout-1", Controller: &yes}}
	marked := newMetadata("v1", "Pod", "left")
	marked.Annotations = map[string]string{podMarker("once"): "b91e04d7"}
	made := newMetadata("v1", "ConfigMap", "flags")
	made.Labels = map[string]string{v1alpha1.BindingUIDLabel: "uid-of-once"}
	for name, tc := range map[string]struct {
		object client.Object
		queue  func(context.Context, client.Object) []string
		want   []string
	}{
		"A workload queues those that select it":          {newMetadata("apps/v1", "Deployment", "checkout"), namesOf(r.bindingsOfWorkload), []string{"checkout-pods", "checkout-values"}},
		"A pod queues those that use pods":                {pod, namesOf(r.bindingsOfPod), []string{"checkout-pods"}},
		"A ReplicaSet queues those that use its pods":     {replicaSetOf("checkout"), namesOf(r.bindingsOfPod), []string{"checkout-pods"}},
		"A pod with a marker queues the one that left it": {marked, namesOf(r.bindingsOfPod), []string{"once"}},
		"A pod of nobody queues nobody":                   {newMetadata("v1", "Pod", "alone"), namesOf(r.bindingsOfPod), nil},
		"A ConfigMap queues the one that made it":         {made, namesOf(r.bindingOfConfigMap), []string{"once"}},
		"A ConfigMap of somebody else's queues nobody":    {newMetadata("v1", "ConfigMap", "x"), namesOf(r.bindingOfConfigMap), nil},
		"A project queues all of its bindings":            {newProject("checkout").Obj(), namesOf(r.bindingsOfProject), []string{"cart-pods", "checkout-pods", "checkout-values", "once"}},
		"A namespace queues all bindings in it":           {&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "cart"}}, namesOf(r.bindingsInNamespace), []string{"elsewhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.queue(t.Context(), tc.object)); diff != "" {
				t.Errorf("queued (-want +got):\n%s", diff)
			}
		})
	}
}
