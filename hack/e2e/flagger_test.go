//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

var canaryKind = schema.GroupVersionKind{Group: "flagger.app", Version: "v1beta1", Kind: "Canary"}

// manyIterations are more than any test waits for, so that an analysis goes on until the gate ends it.
const manyIterations = 1000

// flagger is a story with the sample's Canary, which asks the operator.
type flagger struct {
	*story
	hooks *hooks
}

// newFlagger makes the Canary, with an analysis of so many iterations in place of the sample's weights: nothing moves traffic here. The
// first version of its Deployment waits for nothing.
func newFlagger(t *testing.T, iterations int) *flagger {
	t.Helper()
	f := &flagger{story: newStory(t)}
	f.hooks = &hooks{next: f.operator.serving, all: map[answer]int{}}
	server := httptest.NewServer(f.hooks)
	t.Cleanup(server.Close)
	f.create(f.objects(f.manifest("access.yaml"))...)
	f.newDeployment()
	f.create(f.objects(f.manifest("flagger/canary.yaml",
		// Flagger never looks more often.
		"interval: 30s", "interval: 10s",
		"maxWeight: 50\n    stepWeight: 10\n", fmt.Sprintf("iterations: %d\n", iterations),
		"@statsig-operator-serving.statsig-operator-system.svc/v1/flagger/shop/",
		"@"+strings.TrimPrefix(server.URL, "http://")+"/v1/flagger/"+f.namespace+"/",
		"https://", "http://"))...)
	f.awaitCanary("Initialized")
	f.awaitPrimary("v1")
	return f
}

func TestFlaggerWaitsForTheGateAndGoesOn(t *testing.T) {
	t.Parallel()
	f := newFlagger(t, 1)
	f.awaitGate("release-checkout", v1alpha1.GateClosed)
	f.newImage("v2")
	f.awaitCanary("Waiting")
	f.awaitAnswers("", http.StatusForbidden, 2)
	f.awaitCanary("Waiting")
	if got := f.podsOf("v2"); got != 0 {
		t.Errorf("%d pods of the next version run while the gate is closed", got)
	}
	f.awaitPrimary("v1")

	f.flip(true)
	f.awaitCanary("Progressing")
	f.awaitPrimary("v1")
	f.awaitPrimary("v2")
	f.awaitCanary("Succeeded")
}

func TestFlaggerRollsBackWhenTheGateCloses(t *testing.T) {
	t.Parallel()
	f := newFlagger(t, manyIterations)
	f.flip(true)
	f.awaitGate("release-checkout", v1alpha1.GateOpen)
	f.newImage("v2")
	f.awaitIteration()
	if got := f.podsOf("v2"); got == 0 {
		t.Error("no pod of the next version runs during its analysis")
	}

	f.flip(false)
	f.awaitCanary("Failed")
	f.awaitAnswers("/closed", http.StatusOK, 1)
	f.awaitPrimary("v1")
	f.eventually("the end of the next version's pods", func(context.Context) string {
		if got := f.podsOf("v2"); got != 0 {
			return fmt.Sprintf("there are %d", got)
		}
		return ""
	})

	// What was rolled back does not come back by itself; the next version has its own chance.
	f.flip(true)
	f.awaitGate("release-checkout", v1alpha1.GateOpen)
	f.newImage("v3")
	f.awaitCanary("Progressing")
}

func TestFlaggerWaitsWithoutRollingBackWhileNobodyKnows(t *testing.T) {
	t.Parallel()
	f := newFlagger(t, manyIterations)
	f.flip(true)
	gate := f.awaitGate("release-checkout", v1alpha1.GateOpen)
	f.newImage("v2")
	f.awaitIteration()

	change(f.story, gate, func(g *v1alpha1.RolloutGate) { g.Spec.Open = "gate('nobody_made_this')" })
	f.awaitGate("release-checkout", v1alpha1.GateUnknown)
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"analysis":{"iterations":1}}}`))
	must(t, f.c.Patch(t.Context(), f.canary(), patch))
	f.awaitCanary("WaitingPromotion")
	f.awaitAnswers("/closed", http.StatusServiceUnavailable, 2)
	f.awaitCanary("WaitingPromotion")
	f.awaitPrimary("v1")
}

// newDeployment makes what the Canary is of, with two pods.
func (f *flagger) newDeployment() {
	f.t.Helper()
	replicas := int32(2)
	labels := map[string]string{"app": "checkout"}
	d := f.deployment("checkout")
	d.Spec.Replicas, d.Spec.Selector = &replicas, &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = map[string]string{"app": "checkout", "version": "v1"}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: image("v1")}}
	f.create(d)
}

func image(version string) string { return "registry.example.com/checkout:" + version }

// newImage changes the Deployment, as a release does.
func (f *flagger) newImage(version string) {
	f.t.Helper()
	change(f.story, f.deployment("checkout"), func(d *appsv1.Deployment) {
		d.Spec.Template.Labels["version"] = version
		d.Spec.Template.Spec.Containers[0].Image = image(version)
	})
}

// awaitPrimary waits until the pods that users reach have a version, and no other.
func (f *flagger) awaitPrimary(version string) {
	f.t.Helper()
	await(f.story, f.deployment("checkout-primary"), "version "+version, func(d *appsv1.Deployment) string {
		if got := d.Spec.Template.Spec.Containers[0].Image; got != image(version) {
			return "it has " + got
		}
		if d.Status.ObservedGeneration != d.Generation || d.Status.AvailableReplicas != 2 || d.Status.UpdatedReplicas != 2 ||
			d.Status.Replicas != 2 {
			return fmt.Sprintf("generation %d, status %+v", d.Generation, d.Status)
		}
		return ""
	})
}

// awaitCanary waits until the Canary is in a phase.
func (f *flagger) awaitCanary(phase string) {
	f.t.Helper()
	f.awaitStatus("phase "+phase, func(status map[string]any) bool { return status["phase"] == phase })
}

// awaitIteration waits until the analysis of a new version has begun.
func (f *flagger) awaitIteration() {
	f.t.Helper()
	f.awaitStatus("an iteration", func(status map[string]any) bool {
		iterations, _ := status["iterations"].(int64)
		return status["phase"] == "Progressing" && iterations > 0
	})
}

func (f *flagger) awaitStatus(what string, good func(map[string]any) bool) {
	f.t.Helper()
	await(f.story, f.canary(), what, func(c *unstructured.Unstructured) string {
		status, _, _ := unstructured.NestedMap(c.Object, "status")
		if good(status) {
			return ""
		}
		return fmt.Sprintf("its status is %v", status)
	})
}

// awaitAnswers waits until Flagger has got this status so often, from the hooks with this end of the URL.
func (f *flagger) awaitAnswers(suffix string, status, times int) {
	f.t.Helper()
	path := "/v1/flagger/" + f.namespace + "/release-checkout" + suffix
	f.eventually(fmt.Sprintf("%d times %d from %s", times, status, path), func(context.Context) string {
		if got := f.hooks.count(path, status); got < times {
			return fmt.Sprintf("it came %d times", got)
		}
		return ""
	})
}

func (f *flagger) canary() *unstructured.Unstructured {
	return unstructuredOf(canaryKind, f.namespace, "checkout")
}

// hooks counts what Flagger is answered.
type hooks struct {
	next http.Handler
	mu   sync.Mutex
	all  map[answer]int
}

type answer struct {
	path   string
	status int
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	h.next.ServeHTTP(seen, r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[answer{r.URL.Path, seen.status}]++
}

func (h *hooks) count(path string, status int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[answer{path, status}]
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter

	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
