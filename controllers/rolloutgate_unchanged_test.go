package controllers

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// gateCluster holds one gate and what belongs to it, as a cache does: reads copy and nothing is encoded, so that what a reconcile
// allocates is its own.
type gateCluster struct {
	client.Client
	gate    *v1alpha1.RolloutGate
	project *v1alpha1.StatsigProject
	writes  int
}

func (c *gateCluster) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	switch o := o.(type) {
	case *v1alpha1.RolloutGate:
		c.gate.DeepCopyInto(o)
	case *v1alpha1.StatsigProject:
		c.project.DeepCopyInto(o)
	case *metav1.PartialObjectMetadata:
		o.Name = key.Name
	}
	return nil
}

func (c *gateCluster) Status() client.SubResourceWriter { return gateClusterStatus{cluster: c} }

type gateClusterStatus struct {
	client.SubResourceWriter
	cluster *gateCluster
}

func (s gateClusterStatus) Patch(_ context.Context, o client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
	s.cluster.writes++
	if g, ok := o.(*v1alpha1.RolloutGate); ok {
		s.cluster.gate = g.DeepCopy()
	}
	return nil
}

// newSmallGate makes a reconciler over a cluster in which a gate that asks for three entities has been reconciled once.
func newSmallGate(t testing.TB) (*RolloutGateReconciler, *gateCluster, ctrl.Request) {
	t.Helper()
	name := types.NamespacedName{Namespace: "shop", Name: "checkout"}
	cluster := &gateCluster{
		project: newProject(name.Name).Obj(),
		gate: newGate(name.Name).Open("gate('new_checkout') && config('limits').tiers.gold.rps > 100 || experiment('button_color').color == 'green'").
			Obj(),
	}
	cluster.gate.Spec.User = &v1alpha1.UserTemplate{UserID: "'shop/checkout'"}
	runtimes := NewRuntimes(&secret.Scrubber{}, "test", "")
	runtimes.byProject[name] = runDemoProject(t, runtimes)
	r := &RolloutGateReconciler{
		Client: cluster, Runtimes: runtimes, Recorder: events.NewFakeRecorder(10), holds: noHolds{},
		Now: func() time.Time { return time.Unix(1_767_000_000, 0) },
	}
	request := ctrl.Request{NamespacedName: name}
	if _, err := r.Reconcile(t.Context(), request); err != nil {
		t.Fatalf("the first reconcile: %v", err)
	}
	if cluster.writes != 1 || cluster.gate.Status.State != v1alpha1.GateOpen {
		t.Fatalf("the first reconcile wrote %d times; status %+v", cluster.writes, cluster.gate.Status)
	}
	return r, cluster, request
}

func TestReconcileOfAnUnchangedGateWritesNothing(t *testing.T) {
	r, cluster, request := newSmallGate(t)
	for range 3 {
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	if cluster.writes != 1 {
		t.Errorf("reconciling again wrote %d times", cluster.writes-1)
	}
}

func BenchmarkReconcileUnchangedGate(b *testing.B) {
	r, _, request := newSmallGate(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Reconcile(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}
