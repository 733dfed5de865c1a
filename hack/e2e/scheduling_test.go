//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

func TestPodsWaitUnscheduledForTheGate(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.create(s.objects(s.manifest("scheduling.yaml"))...)
	gate := s.awaitGate("release-cart", v1alpha1.GateClosed)
	s.awaitPods("cart-next", pods{waiting: 3})
	s.awaitHeld(gate, 3)

	s.flip(true)
	must(t, cluster.kubectl(t.Context(), "-n", s.namespace, "wait", "--for=condition=Ready", "rolloutgate/release-cart", "--timeout=2m"))
	s.awaitPods("cart-next", pods{ready: 3})
	s.awaitHeld(gate, 0)

	// Pods that run stay as they are when the gate closes; those of the next version wait.
	s.flip(false)
	s.awaitGate("release-cart", v1alpha1.GateClosed)
	deployment := s.deployment("cart-next")
	change(s, deployment, func(d *appsv1.Deployment) { d.Spec.Template.Annotations = map[string]string{"version": "v2"} })
	s.awaitPods("cart-next", pods{waiting: 1, ready: 3})
	s.awaitHeld(gate, 1)

	s.flip(true)
	s.awaitRolledOut("cart-next", "v2")
	s.awaitPods("cart-next", pods{ready: 3})
	if sets := s.replicaSets("cart-next"); len(sets) != 2 {
		t.Errorf("%d ReplicaSets came of two versions", len(sets))
	}
}

func TestDeletedGateLetsItsPodsGo(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.create(s.objects(s.manifest("scheduling.yaml"))...)
	gate := s.awaitGate("release-cart", v1alpha1.GateClosed)
	s.awaitPods("cart-next", pods{waiting: 3})
	must(t, s.c.Delete(t.Context(), gate))
	s.awaitPods("cart-next", pods{ready: 3})
}

// pods counts the pods of a Deployment that are not being deleted.
type pods struct {
	// waiting for a scheduling gate, and known to the scheduler as such.
	waiting int
	// ready, with a node and no scheduling gate.
	ready int
}

func (s *story) awaitPods(app string, want pods) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("pods of %s: %+v", app, want), func(ctx context.Context) string {
		var list corev1.PodList
		if err := s.c.List(ctx, &list, client.InNamespace(s.namespace), client.MatchingLabels{"app": app}); err != nil {
			return err.Error()
		}
		var got pods
		living := 0
		for i := range list.Items {
			pod := &list.Items[i]
			if pod.DeletionTimestamp != nil {
				continue
			}
			living++
			if len(pod.Spec.SchedulingGates) > 0 && pod.Spec.NodeName == "" &&
				podHas(pod, corev1.PodScheduled, corev1.ConditionFalse, corev1.PodReasonSchedulingGated) {
				got.waiting++
			}
			if len(pod.Spec.SchedulingGates) == 0 && pod.Spec.NodeName != "" && podHas(pod, corev1.PodReady, corev1.ConditionTrue, "") {
				got.ready++
			}
		}
		if got == want && living == want.waiting+want.ready {
			return ""
		}
		return fmt.Sprintf("%+v of %d", got, living)
	})
}

func podHas(pod *corev1.Pod, condition corev1.PodConditionType, status corev1.ConditionStatus, reason string) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == condition && c.Status == status && (reason == "" || c.Reason == reason)
	})
}

// awaitHeld waits until a gate says that it holds so many pods.
func (s *story) awaitHeld(gate *v1alpha1.RolloutGate, want int32) {
	s.t.Helper()
	await(s, gate, fmt.Sprintf("heldPods=%d", want), func(g *v1alpha1.RolloutGate) string {
		if g.Status.HeldPods == want {
			return ""
		}
		return fmt.Sprintf("it is %d", g.Status.HeldPods)
	})
}

// replicaSets are those of a Deployment whose pods have the label app with its name.
func (s *story) replicaSets(app string) []appsv1.ReplicaSet {
	s.t.Helper()
	var list appsv1.ReplicaSetList
	must(s.t, s.c.List(s.t.Context(), &list, client.InNamespace(s.namespace), client.MatchingLabels{"app": app}))
	return list.Items
}

// podsOf counts the living pods with a label version.
func (s *story) podsOf(version string) int {
	s.t.Helper()
	var list corev1.PodList
	must(s.t, s.c.List(s.t.Context(), &list, client.InNamespace(s.namespace), client.MatchingLabels{"version": version}))
	return len(slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }))
}
