package controllers

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// gateWorld is a project in a bubble, whose specs are in a ConfigMap, and a controller of gates.
type gateWorld struct {
	t *testing.T
	running
	gates    *RolloutGateReconciler
	project  *v1alpha1.StatsigProject
	recorder *events.FakeRecorder
	queue    workqueue.TypedRateLimitingInterface[reconcile.Request]

	mu sync.Mutex
	// looks and writes count reconciles, and writes of statuses.
	looks, writes int
	errs          []error
}

// inGateWorld runs a test in a bubble, with the project shop/checkout and these objects. The controller has looked at all gates when
// it begins.
func inGateWorld(t *testing.T, document *evaltest.Document, objects []client.Object, test func(*gateWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newGateWorld(t, newProject("checkout").Sources(mapSource).Obj(), objects)
		w.setSpecs(document)
		w.ensured(t, w.project, plainKey)
		w.sleep(0)
		test(w)
	})
}

// newGateWorld starts a controller of gates, for which nothing runs yet, in a bubble.
func newGateWorld(t *testing.T, project *v1alpha1.StatsigProject, gates []client.Object) *gateWorld {
	t.Helper()
	w := &gateWorld{t: t, project: project}
	namespace := &corev1.Namespace{}
	namespace.Name = "shop"
	w.running = newRunning(t, append(gates, project, namespace)...)
	w.start()
	return w
}

// start runs a controller until the test ends, or another takes its place.
func (w *gateWorld) start() {
	w.recorder = events.NewFakeRecorder(100)
	counting := interceptor.NewClient(w.cluster.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(
			ctx context.Context, c client.Client, name string, o client.Object, patch client.Patch, options ...client.SubResourcePatchOption,
		) error {
			w.mu.Lock()
			w.writes++
			w.mu.Unlock()
			return c.SubResource(name).Patch(ctx, o, patch, options...)
		},
	})
	w.gates = &RolloutGateReconciler{
		Client: counting, Runtimes: w.Runtimes, Recorder: w.recorder, ClusterName: "test-cluster", Now: time.Now, holds: noHolds{},
	}
	if w.queue != nil {
		w.queue.ShutDown()
	}
	w.queue = queueOf(w.t, &w.gateRequests)
	queue := w.queue
	list := &v1alpha1.RolloutGateList{}
	if err := w.cluster.List(w.t.Context(), list); err != nil {
		w.t.Fatal(err)
	}
	for i := range list.Items {
		queue.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	go func() {
		for {
			request, ended := queue.Get()
			if ended {
				return
			}
			result, err := w.gates.Reconcile(w.t.Context(), request)
			w.mu.Lock()
			w.looks++
			if err != nil {
				w.errs = append(w.errs, err)
			}
			w.mu.Unlock()
			queue.Done(request)
			if result.RequeueAfter > 0 {
				queue.AddAfter(request, result.RequeueAfter)
			}
		}
	}()
}

// noHolds is for gates that hold nothing.
type noHolds struct{}

func (noHolds) enforce(context.Context, *v1alpha1.RolloutGate) (holdOutcome, error) {
	return holdOutcome{}, nil
}

func (noHolds) release(context.Context, *v1alpha1.RolloutGate) (bool, error) { return false, nil }

func (noHolds) forget(types.NamespacedName) {}

// sleep lets time pass, and the controller look at what that brings.
func (w *gateWorld) sleep(d time.Duration) {
	w.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, err := range w.errs {
		w.t.Errorf("a reconcile failed: %v", err)
	}
	w.errs = nil
}

func (w *gateWorld) counted() (looks, writes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looks, w.writes
}

// setSpecs puts a document where the project's source is; nil takes it away.
func (w *gateWorld) setSpecs(document *evaltest.Document) {
	w.t.Helper()
	time.Sleep(time.Millisecond) // a document has to be newer than the one before
	specs := &corev1.ConfigMap{}
	if err := w.cluster.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: "specs"}, specs); err != nil {
		w.t.Fatal(err)
	}
	delete(specs.Data, "json")
	if document != nil {
		specs.Data["json"] = string(document.Time(time.Now().UnixMilli()).JSON(w.t))
	}
	if err := w.cluster.Update(w.t.Context(), specs); err != nil {
		w.t.Fatal(err)
	}
}

func (w *gateWorld) gate(name string) *v1alpha1.RolloutGate {
	w.t.Helper()
	g := &v1alpha1.RolloutGate{}
	if err := w.cluster.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, g); err != nil {
		w.t.Fatal(err)
	}
	if len(g.Status.Conditions) > 0 {
		checkKstatus(w.t, g.Status.Conditions, g.Generation)
	}
	return g
}

// expect checks a gate's state and the reason of Ready, as in "Closed GateClosed".
func (w *gateWorld) expect(name, want string) *v1alpha1.RolloutGate {
	w.t.Helper()
	g := w.gate(name)
	_, reason, _ := strings.Cut(summarize(g.Status.Conditions)["Ready"], " ")
	if got := string(g.Status.State) + " " + reason; got != want {
		w.t.Errorf("gate %s: want %s, got %s because %s", name, want, got, g.Status.Reason)
	}
	return g
}

// edit changes a gate's spec, and queues it as the watch would.
func (w *gateWorld) edit(name string, change func(*v1alpha1.RolloutGate)) {
	w.t.Helper()
	g := w.gate(name)
	change(g)
	g.Generation++
	if err := w.cluster.Update(w.t.Context(), g); err != nil {
		w.t.Fatal(err)
	}
	w.gateRequests.add(requestFor(name))
	w.sleep(0)
}

// told are the Kubernetes Events since the last call.
func (w *gateWorld) told() []string {
	var told []string
	for {
		select {
		case event := <-w.recorder.Events:
			told = append(told, event)
		default:
			return told
		}
	}
}

// releaseSpecs are specs with the gate release, passed or not.
func releaseSpecs(passes bool) *evaltest.Document {
	release := evaltest.NewGate("release")
	if passes {
		release.Rule(evaltest.NewRule("everyone"))
	}
	return evaltest.NewDocument(release)
}

// untilPolled is longer than the project takes to poll its source again: its interval, and the offset of its own.
const untilPolled = 21 * time.Second
