//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

var (
	rolloutKind     = schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}
	analysisRunKind = schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "AnalysisRun"}
)

// argo makes the samples for Argo Rollouts, with pauses of this kind between the steps of the Rollout, and waits until its first version
// runs, while the gate is closed.
func (s *story) argo(pause string) {
	s.t.Helper()
	server := httptest.NewServer(s.operator.serving)
	s.t.Cleanup(server.Close)
	s.create(s.objects(s.manifest("access.yaml"))...)
	for _, template := range []string{"wait", "abort"} {
		s.create(s.objects(strings.NewReplacer("interval: 30s", "interval: 1s", "interval: 15s", "interval: 1s").Replace(
			s.manifest("argo-rollouts/analysistemplate-"+template+".yaml",
				"https://statsig-operator-serving.statsig-operator-system.svc", server.URL)))...)
	}
	s.awaitGate("release-checkout", v1alpha1.GateClosed)
	// The first version of a Rollout waits for nothing: there is nothing to go back to.
	s.create(s.objects(s.manifest("argo-rollouts/rollout.yaml", "{duration: 10m}", pause))...)
	s.awaitRollout("Healthy", "")
}

func TestArgoRolloutWaitsForTheGateAndGoesOn(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.argo("{duration: 1s}")
	s.newVersion("v2")
	s.awaitMeasurement("Inconclusive", `"state":"Closed"`)
	s.awaitRollout("Progressing", "")
	if got := s.podsOf("v2"); got != 0 {
		t.Errorf("%d pods of the next version run while the gate is closed", got)
	}

	s.flip(true)
	s.awaitRollout("Healthy", "")
	s.eventually("five pods of the next version", func(context.Context) string {
		if got := s.podsOf("v2"); got != 5 {
			return fmt.Sprintf("there are %d", got)
		}
		return ""
	})
}

func TestArgoRolloutIsAbortedWhenTheGateCloses(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.argo("{}")
	s.flip(true)
	s.awaitGate("release-checkout", v1alpha1.GateOpen)
	s.newVersion("v2")
	s.awaitRollout("Paused", "CanaryPauseStep")
	if got := s.podsOf("v2"); got != 1 {
		t.Errorf("%d canary pods run in the first step, want 1", got)
	}

	s.flip(false)
	s.awaitRollout("Degraded", "aborted")
	s.eventually("the end of the canary", func(context.Context) string {
		if got := s.podsOf("v2"); got != 0 {
			return fmt.Sprintf("it has %d pods", got)
		}
		return ""
	})
}

func TestArgoRolloutIsAbortedPastTheDeadline(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.argo("{duration: 1s}")
	s.newVersion("v2")
	s.awaitMeasurement("Inconclusive", `"state":"Closed"`)
	change(s, s.gate("release-checkout"), func(g *v1alpha1.RolloutGate) {
		g.Spec.Deadline = &metav1.Duration{Duration: time.Second}
	})
	s.awaitRollout("Degraded", "aborted")
	s.awaitMeasurement("Failed", `"stalled":true`)
	if got := s.podsOf("v2"); got != 0 {
		t.Errorf("%d pods of the next version run", got)
	}
}

// newVersion changes the template of the Rollout.
func (s *story) newVersion(version string) {
	s.t.Helper()
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"labels":{"version":%q}}}}}`, version)
	must(s.t, s.c.Patch(s.t.Context(), unstructuredOf(rolloutKind, s.namespace, "checkout"),
		client.RawPatch("application/merge-patch+json", []byte(patch))))
}

// awaitRollout waits until Argo Rollouts says this of the Rollout as it stands.
func (s *story) awaitRollout(phase, message string) {
	s.t.Helper()
	await(s, unstructuredOf(rolloutKind, s.namespace, "checkout"), "phase "+phase, func(r *unstructured.Unstructured) string {
		status, _, _ := unstructured.NestedMap(r.Object, "status")
		if status["observedGeneration"] == fmt.Sprint(r.GetGeneration()) && status["phase"] == phase &&
			strings.Contains(fmt.Sprint(status["message"]), message) {
			return ""
		}
		return fmt.Sprintf("it is %v of generation %v (now %d): %v", status["phase"], status["observedGeneration"], r.GetGeneration(),
			status["message"])
	})
}

// awaitMeasurement waits until some analysis measured a value with this text, and drew this conclusion.
func (s *story) awaitMeasurement(phase, text string) {
	s.t.Helper()
	s.eventually("a measurement "+phase, func(ctx context.Context) string {
		runs := &unstructured.UnstructuredList{}
		runs.SetGroupVersionKind(analysisRunKind)
		if err := s.c.List(ctx, runs, client.InNamespace(s.namespace)); err != nil {
			return err.Error()
		}
		var seen []string
		for _, run := range runs.Items {
			for _, m := range measurements(&run) {
				if m["phase"] == phase && strings.Contains(fmt.Sprint(m["value"]), text) {
					return ""
				}
				seen = append(seen, fmt.Sprint(m))
			}
		}
		return fmt.Sprintf("%d analysis runs measured %s", len(runs.Items), strings.Join(seen, "\n"))
	})
}

func measurements(run *unstructured.Unstructured) []map[string]any {
	var all []map[string]any
	results, _, _ := unstructured.NestedSlice(run.Object, "status", "metricResults")
	for _, result := range results {
		r, _ := result.(map[string]any)
		list, _, _ := unstructured.NestedSlice(r, "measurements")
		for _, measurement := range list {
			if m, ok := measurement.(map[string]any); ok {
				all = append(all, m)
			}
		}
	}
	return all
}
