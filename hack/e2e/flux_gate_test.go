//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// The samples' times, made short for Kustomizations that are looked at again, and long for those that must not fail by timeout.
var fluxTimes = []string{
	"retryInterval: 30s", "retryInterval: 1s",
	"timeout: 30s", "timeout: 10m",
	"interval: 1m\n", "interval: 1h\n",
}

const appManifest = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
  namespace: %s
  labels: {release: gated}
spec:
  replicas: 2
  selector:
    matchLabels: {app: app}
  template:
    metadata:
      labels: {app: app}
      annotations: {version: %q}
    spec:
      containers:
        - name: app
          image: registry.k8s.io/pause:3.10
`

func (s *story) app(version string) string { return fmt.Sprintf(appManifest, s.namespace, version) }

func (s *story) deployment(name string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
}

// awaitRolledOut waits until every pod of a Deployment has a version, and is ready.
func (s *story) awaitRolledOut(name, version string) *appsv1.Deployment {
	s.t.Helper()
	return await(s, s.deployment(name), "version "+version+" in every pod", func(d *appsv1.Deployment) string {
		if got := d.Spec.Template.Annotations["version"]; got != version {
			return fmt.Sprintf("its template has version %q", got)
		}
		if d.Status.ObservedGeneration != d.Generation || d.Status.UpdatedReplicas != *d.Spec.Replicas ||
			d.Status.AvailableReplicas != *d.Spec.Replicas || d.Status.Replicas != *d.Spec.Replicas {
			return fmt.Sprintf("generation %d, status %+v", d.Generation, d.Status)
		}
		return ""
	})
}

func TestFluxHoldsAReleaseWhileTheGateIsClosed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ sample string }{
		"with expressions for health":                  {"flux/kustomizations-expressions.yaml"},
		"with what Flux makes of conditions by itself": {"flux/kustomizations.yaml"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			release := func(version string) map[string]string {
				return map[string]string{
					"gates/release-checkout.yaml": s.manifest("rolloutgate.yaml"),
					"checkout/deployment.yaml":    s.app(version),
				}
			}
			src := s.newSource(release("v1"))
			s.create(s.objects(s.manifest(tc.sample, fluxTimes...))...)

			s.awaitGate("release-checkout", v1alpha1.GateClosed)
			s.awaitKustomization("gates", "Unknown", "Progressing")
			s.awaitKustomization("checkout", "False", "DependencyNotReady")
			s.absent(s.deployment("app"))

			s.flip(true)
			s.awaitKustomization("gates", "True", "ReconciliationSucceeded")
			s.awaitKustomization("checkout", "True", "ReconciliationSucceeded")
			s.awaitRolledOut("app", "v1")

			// The next release waits as the first one did, and what runs goes on running.
			s.flip(false)
			s.awaitGate("release-checkout", v1alpha1.GateClosed)
			second := src.publish(release("v2"))
			s.awaitAttempted("gates", second)
			s.awaitKustomization("gates", "Unknown", "Progressing")
			s.awaitKustomization("checkout", "False", "DependencyNotReady")
			s.awaitRolledOut("app", "v1")

			s.flip(true)
			s.awaitApplied("gates", second)
			s.awaitApplied("checkout", second)
			s.awaitRolledOut("app", "v2")
		})
	}
}

func TestFluxFailsOnAGatePastItsDeadline(t *testing.T) {
	t.Parallel()
	for _, sample := range []string{"flux/kustomizations-expressions.yaml", "flux/kustomizations.yaml"} {
		t.Run(strings.TrimSuffix(sample, ".yaml"), func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			s.newSource(map[string]string{
				"gates/release-checkout.yaml": s.manifest("rolloutgate.yaml"),
				"checkout/deployment.yaml":    s.app("v1"),
			})
			s.create(s.objects(s.manifest(sample, fluxTimes...))...)

			// Closed is no failure: Flux would go on waiting for ten minutes.
			gate := s.awaitGate("release-checkout", v1alpha1.GateClosed)
			if problem := hasCondition(gate.Status.Conditions, v1alpha1.ConditionReconciling, metav1.ConditionTrue,
				v1alpha1.ReasonGateClosed); problem != "" {
				t.Error(problem)
			}
			s.awaitKustomization("gates", "Unknown", "Progressing")

			change(s, gate, func(g *v1alpha1.RolloutGate) {
				g.Spec.Deadline = &metav1.Duration{Duration: time.Second}
			})
			await(s, gate, "Stalled", func(g *v1alpha1.RolloutGate) string {
				return hasCondition(g.Status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue,
					v1alpha1.ReasonDeadlineExceeded)
			})
			s.awaitKustomization("gates", "False", "HealthCheckFailed")
			s.absent(s.deployment("app"))

			// Late is not never.
			s.flip(true)
			s.awaitKustomization("gates", "True", "ReconciliationSucceeded")
			s.awaitRolledOut("app", "v1")
		})
	}
}

// awaitAttempted waits until Flux works on a revision.
func (s *story) awaitAttempted(name, revision string) {
	s.t.Helper()
	await(s, s.kustomization(name), "an attempt at "+revision, func(k *unstructured.Unstructured) string {
		attempted, _, _ := unstructured.NestedString(k.Object, "status", "lastAttemptedRevision")
		if attempted == revision {
			return ""
		}
		return "the last was " + attempted
	})
}
