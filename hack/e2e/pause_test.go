//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// pauseManagers begin the names of the operator's field managers of spec.paused, one for each gate.
const pauseManagers = "statsig-operator/pause/"

func TestPausedDeploymentRollsOnceTheGateOpens(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.flip(true)
	pauses := s.objects(s.manifest("pause.yaml"))[0]
	s.create(pauses)
	s.awaitGate("release-search", v1alpha1.GateOpen)
	src := s.newSource(map[string]string{"deployment.yaml": s.app("v1")})
	s.newKustomization("apps", "./")
	s.awaitRolledOut("app", "v1")

	// Closed, Flux applies another version, again and again, and nothing rolls.
	s.flip(false)
	s.awaitPaused("app", true)
	second := src.publish(map[string]string{"deployment.yaml": s.app("v2")})
	s.awaitApplied("apps", second)
	held := s.awaitObserved("app")
	for range 5 {
		s.reconcileNow("apps")
	}
	s.unchanged(held)
	if got := held.Spec.Template.Annotations["version"]; got != "v2" {
		t.Errorf("the template has version %q, so Flux could not apply", got)
	}
	if sets := s.replicaSets("app"); len(sets) != 1 {
		t.Errorf("there are %d ReplicaSets while the gate is closed, want that of v1 only", len(sets))
	}
	gate := s.gate("release-search")
	s.read(gate)
	if diff := cmp.Diff([]string{"app"}, gate.Status.PausedDeployments); diff != "" {
		t.Errorf("status.pausedDeployments (-want +got):\n%s", diff)
	}

	// Open, it rolls once.
	s.flip(true)
	s.awaitPaused("app", false)
	s.awaitRolledOut("app", "v2")
	released := s.awaitObserved("app")
	for range 3 {
		s.reconcileNow("apps")
	}
	s.unchanged(released)
	if sets := s.replicaSets("app"); len(sets) != 2 {
		t.Errorf("%d ReplicaSets came of two versions", len(sets))
	}
}

func TestNamespaceWithAGateThatHoldsEnds(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.create(s.objects(s.manifest("pause.yaml"))...)
	s.create(s.objects(s.manifest("scheduling.yaml"))...)
	s.awaitPods("cart-next", pods{waiting: 3})
	s.awaitPaused("search-next", true)

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	must(t, s.c.Delete(t.Context(), namespace))
	s.eventually("the end of the namespace", func(ctx context.Context) string {
		err := s.c.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
		if err == nil {
			return fmt.Sprintf("%+v", namespace.Status)
		}
		if err := client.IgnoreNotFound(err); err != nil {
			return err.Error()
		}
		return ""
	})
}

// awaitPaused waits until a Deployment is paused by the operator, or by nobody.
func (s *story) awaitPaused(name string, want bool) {
	s.t.Helper()
	await(s, s.deployment(name), fmt.Sprintf("paused=%t", want), func(d *appsv1.Deployment) string {
		managed := false
		for _, m := range d.ManagedFields {
			managed = managed || strings.HasPrefix(m.Manager, pauseManagers)
		}
		if d.Spec.Paused == want && managed == want {
			return ""
		}
		return fmt.Sprintf("paused is %t, by the operator: %t", d.Spec.Paused, managed)
	})
}

// awaitObserved waits until the Deployment controller has seen a Deployment as it is.
func (s *story) awaitObserved(name string) *appsv1.Deployment {
	s.t.Helper()
	return await(s, s.deployment(name), "its observation", func(d *appsv1.Deployment) string {
		if d.Status.ObservedGeneration == d.Generation {
			return ""
		}
		return fmt.Sprintf("generation %d, observed %d", d.Generation, d.Status.ObservedGeneration)
	})
}

// unchanged fails the test if anybody has written a Deployment since, but for its status.
func (s *story) unchanged(before *appsv1.Deployment) {
	s.t.Helper()
	now := s.deployment(before.Name)
	s.read(now)
	if diff := cmp.Diff(withoutStatus(before), withoutStatus(now)); diff != "" {
		s.t.Errorf("Deployment %s was written (-before +now):\n%s", before.Name, diff)
	}
}

// withoutStatus is a Deployment without what writing its status changes.
func withoutStatus(d *appsv1.Deployment) *appsv1.Deployment {
	d = d.DeepCopy()
	d.Status, d.ResourceVersion = appsv1.DeploymentStatus{}, ""
	d.ManagedFields = slices.DeleteFunc(d.ManagedFields, func(m metav1.ManagedFieldsEntry) bool { return m.Subresource == "status" })
	return d
}
