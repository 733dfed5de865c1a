package controllers

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// smallCluster holds one binding and what belongs to it, as a cache does: reads copy and nothing is encoded, so that what a reconcile
// allocates is its own.
type smallCluster struct {
	client.Client
	binding    *v1alpha1.FlagBinding
	project    *v1alpha1.StatsigProject
	deployment *metav1.PartialObjectMetadata
	configMap  *corev1.ConfigMap
	writes     int
}

func (c *smallCluster) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	switch o := o.(type) {
	case *v1alpha1.FlagBinding:
		c.binding.DeepCopyInto(o)
	case *v1alpha1.StatsigProject:
		c.project.DeepCopyInto(o)
	case *corev1.ConfigMap:
		if c.configMap == nil {
			return apierrors.NewNotFound(corev1.Resource("configmaps"), key.Name)
		}
		c.configMap.DeepCopyInto(o)
	case *metav1.PartialObjectMetadata:
		if o.Kind == c.deployment.Kind {
			c.deployment.DeepCopyInto(o)
			return nil
		}
		o.Name = key.Name
	}
	return nil
}

func (c *smallCluster) List(_ context.Context, o client.ObjectList, _ ...client.ListOption) error {
	if list, ok := o.(*corev1.ConfigMapList); ok && c.configMap != nil {
		list.Items = []corev1.ConfigMap{*c.configMap.DeepCopy()}
	}
	return nil
}

func (c *smallCluster) Apply(_ context.Context, o runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	c.writes++
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	c.configMap = &corev1.ConfigMap{}
	return json.Unmarshal(text, c.configMap)
}

func (c *smallCluster) Status() client.SubResourceWriter { return smallStatus{cluster: c} }

type smallStatus struct {
	client.SubResourceWriter
	cluster *smallCluster
}

func (s smallStatus) Patch(_ context.Context, o client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
	s.cluster.writes++
	if binding, ok := o.(*v1alpha1.FlagBinding); ok {
		s.cluster.binding = binding.DeepCopy()
	}
	return nil
}

// newSmall makes a reconciler over a cluster in which a binding of six entries has been reconciled once.
func newSmall(t testing.TB) (*FlagBindingReconciler, *smallCluster, ctrl.Request) {
	t.Helper()
	name := types.NamespacedName{Namespace: "shop", Name: "shop"}
	deployments := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	cluster := &smallCluster{
		deployment: newMetadata("apps/v1", "Deployment", "checkout"),
		project:    &v1alpha1.StatsigProject{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, UID: "project"}},
		binding: &v1alpha1.FlagBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, UID: "binding", Generation: 1},
			Spec: v1alpha1.FlagBindingSpec{
				ProjectRef: v1alpha1.ProjectRef{Name: name.Name},
				Subject: v1alpha1.Subject{Unit: v1alpha1.UnitWorkload, Workloads: []v1alpha1.WorkloadSelector{
					{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"},
				}},
				Entries: []v1alpha1.Entry{
					{Name: "newCheckout", Gate: "new_checkout"}, {Name: "euBanner", Gate: "eu_banner"},
					{Name: "gold", DynamicConfig: "limits", Path: "tiers.gold.rps"},
					{Name: "color", Experiment: "button_color", Parameter: "color"},
					{Name: "model", Layer: "ranking", Parameter: "model"},
					{Name: "theme", ParameterStore: "ui", Parameter: "theme"},
				},
				Targets: []v1alpha1.Target{{Name: "env", ConfigMap: &v1alpha1.ConfigMapTarget{Name: "flags"}}},
			},
		},
	}
	runtimes := NewRuntimes(&secret.Scrubber{}, "test", "")
	runtimes.byProject[name] = runDemoProject(t, runtimes)
	r := &FlagBindingReconciler{
		Client: cluster, Live: cluster, Runtimes: runtimes, Recorder: events.NewFakeRecorder(10),
		Now: func() time.Time { return time.Unix(1_767_000_000, 0) },
	}
	r.watches.started = map[schema.GroupVersionKind]bool{deployments: true}
	request := ctrl.Request{NamespacedName: name}
	if _, err := r.Reconcile(t.Context(), request); err != nil {
		t.Fatalf("the first reconcile: %v", err)
	}
	if cluster.writes != 2 || cluster.configMap.Data["newCheckout"] != "true" {
		t.Fatalf("the first reconcile wrote %d times, want the ConfigMap and the status; data %v", cluster.writes, cluster.configMap.Data)
	}
	return r, cluster, request
}

// runDemoProject serves the demo project from memory.
func runDemoProject(t testing.TB, runtimes *Runtimes) *projectRuntime {
	t.Helper()
	source := specsync.NewSource("test", "demo", func(context.Context, specsync.Have) (specsync.Answer, error) {
		return specsync.Answer{Document: statsigtest.DemoProject(), Origin: specsync.OriginNetwork}, nil
	})
	lease, err := runtimes.pool.Acquire(specsync.Options{Sources: []specsync.Source{source}})
	if err != nil {
		t.Fatal(err)
	}
	attempted := make(chan struct{}, 1)
	cancel := lease.Syncer().Subscribe(func(was, is specsync.State) {
		if is.Attempted && !was.Attempted {
			attempted <- struct{}{}
		}
	})
	defer cancel()
	go func() { _ = runtimes.Start(t.Context()) }()
	<-attempted
	return &projectRuntime{lease: lease}
}

func TestReconcileOfAnUnchangedBindingWritesNothing(t *testing.T) {
	r, cluster, request := newSmall(t)
	before := cluster.writes
	for range 3 {
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	if cluster.writes != before {
		t.Errorf("reconciling again wrote %d times", cluster.writes-before)
	}
}

func BenchmarkReconcileUnchanged(b *testing.B) {
	r, _, request := newSmall(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Reconcile(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}
