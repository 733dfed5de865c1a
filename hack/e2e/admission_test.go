//go:build e2e

package e2e

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// newGate makes the RolloutGate "release", which the policies of config/admission are bound to.
func (s *story) newGate(hold *v1alpha1.Hold) {
	s.t.Helper()
	gate := s.gate("release")
	gate.Spec = v1alpha1.RolloutGateSpec{
		ProjectRef: v1alpha1.ProjectRef{Name: "shop"}, Open: "gate('" + releaseGate + "')", Hold: hold,
	}
	s.create(gate)
	s.awaitGate("release", v1alpha1.GateClosed)
}

// newApp makes the Deployment "app" of flux_gate_test.go without Flux.
func (s *story) newApp(edit func(*appsv1.Deployment)) *appsv1.Deployment {
	s.t.Helper()
	labels := map[string]string{"app": "app"}
	replicas := int32(2)
	d := s.deployment("app")
	d.Spec.Replicas, d.Spec.Selector = &replicas, &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = map[string]string{"app": "app"}
	d.Spec.Template.Annotations = map[string]string{"version": "v1"}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "registry.k8s.io/pause:3.10"}}
	edit(d)
	s.create(d)
	return d
}

func TestAdmissionHoldsLabelledPods(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.newGate(&v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{}})
	s.newApp(func(d *appsv1.Deployment) { d.Spec.Template.Labels[v1alpha1.RolloutGateLabel] = "release" })
	s.awaitPods("app", pods{waiting: 2})
	s.flip(true)
	s.awaitPods("app", pods{ready: 2})

	// Pods made while the gate is open get it all the same, and are let go at once.
	change(s, s.deployment("app"), func(d *appsv1.Deployment) { d.Spec.Template.Annotations["version"] = "v2" })
	s.awaitRolledOut("app", "v2")
}

func TestAdmissionRefusesNewTemplates(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.newGate(nil)
	s.newApp(func(d *appsv1.Deployment) {
		d.Labels = map[string]string{"flags.statsig-operator.dev/frozen-by": "release"}
	})
	s.awaitRolledOut("app", "v1")

	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"template":{"metadata":{"annotations":{"version":"v2"}}}}}`))
	if err := s.c.Patch(t.Context(), s.deployment("app"), patch); !apierrors.IsForbidden(err) {
		t.Errorf("changing the template while the gate is closed: %v, want it to be forbidden", err)
	}
	s.flip(true)
	s.awaitGate("release", v1alpha1.GateOpen)
	// The API server has its own cache of the gate.
	s.eventually("leave to change the template", func(ctx context.Context) string {
		if err := s.c.Patch(ctx, s.deployment("app"), patch); err != nil {
			return err.Error()
		}
		return ""
	})
	s.awaitRolledOut("app", "v2")
}
