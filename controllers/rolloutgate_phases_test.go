package controllers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// recordingHolds notes what it was asked for, and answers as it is told.
type recordingHolds struct {
	asked   []string
	outcome holdOutcome
	err     error
}

func (h *recordingHolds) enforce(_ context.Context, g *v1alpha1.RolloutGate) (holdOutcome, error) {
	h.asked = append(h.asked, "enforce "+string(g.Status.State))
	return h.outcome, h.err
}

func (h *recordingHolds) forget(types.NamespacedName) {}

func (h *recordingHolds) release(context.Context, *v1alpha1.RolloutGate) (bool, error) {
	h.asked = append(h.asked, "release")
	return h.outcome.more, h.err
}

// holdsPodsOf makes a gate hold every pod with its scheduling gate.
func holdsPodsOf(g *v1alpha1.RolloutGate) {
	g.Spec.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{}}
}

func withFinalizer(g *v1alpha1.RolloutGate) { g.Finalizers = []string{v1alpha1.Finalizer} }

// newHoldingReconciler makes a reconciler of gates whose project does not exist, so that they are Unknown.
func newHoldingReconciler(t *testing.T, holds *recordingHolds, objects ...client.Object) *RolloutGateReconciler {
	t.Helper()
	return &RolloutGateReconciler{
		Client: fakeCluster(t, objects...), Runtimes: NewRuntimes(&secret.Scrubber{}, "test", ""), holds: holds,
		Recorder: events.NewFakeRecorder(10), Now: func() time.Time { return noon },
	}
}

func shopNamespace(change func(*corev1.Namespace)) *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	if change != nil {
		change(namespace)
	}
	return namespace
}

func TestWhatAGateHoldsFollowsItsState(t *testing.T) {
	suspend := func(g *v1alpha1.RolloutGate) { g.Spec.Suspend = true }
	for name, tc := range map[string]struct {
		gate          *gateBuilder
		holds         recordingHolds
		wantAsked     []string
		wantFinalizer bool
		wantEnforced  string
		wantHeld      int32
		wantAfter     time.Duration
		wantErr       bool
	}{
		"A gate that holds nothing needs no finalizer": {
			gate: newGate("a"), wantAsked: []string{"enforce Unknown"}, wantEnforced: "True Enforced",
		},
		"A gate that holds things has the finalizer": {
			gate: newGate("a").With(holdsPodsOf), holds: recordingHolds{outcome: holdOutcome{pods: 3}},
			wantAsked: []string{"enforce Unknown"}, wantFinalizer: true, wantEnforced: "True Enforced", wantHeld: 3,
		},
		"Further pods are released before long": {
			gate: newGate("a").With(holdsPodsOf), holds: recordingHolds{outcome: holdOutcome{pods: 3, more: true}},
			wantAsked: []string{"enforce Unknown"}, wantFinalizer: true, wantEnforced: "True Enforced", wantHeld: 3, wantAfter: nextBatch,
		},
		"What is somebody else's is looked at again": {
			gate: newGate("a").With(holdsPodsOf), holds: recordingHolds{outcome: holdOutcome{conflicts: []string{"Deployment web"}}},
			wantAsked: []string{"enforce Unknown"}, wantFinalizer: true, wantEnforced: "False HoldConflict", wantAfter: foreignObjectRetry,
		},
		"A failure is told, and the state all the same": {
			gate: newGate("a").With(holdsPodsOf), holds: recordingHolds{err: errors.New("the server is away")},
			wantAsked: []string{"enforce Unknown"}, wantFinalizer: true, wantEnforced: "False WriteFailed", wantErr: true,
		},
		"A gate that holds nothing any more lets everything go": {
			gate: newGate("a").With(withFinalizer), wantAsked: []string{"enforce Unknown"}, wantEnforced: "True Enforced",
		},
		"It keeps the finalizer until everything has gone": {
			gate: newGate("a").With(withFinalizer), holds: recordingHolds{outcome: holdOutcome{pods: 9, more: true}},
			wantAsked: []string{"enforce Unknown"}, wantFinalizer: true, wantEnforced: "True Enforced", wantHeld: 9, wantAfter: nextBatch,
		},
		"It keeps it after a failure": {
			gate: newGate("a").With(withFinalizer), holds: recordingHolds{err: errors.New("the server is away")},
			wantAsked: []string{"enforce Unknown"}, wantFinalizer: true, wantEnforced: "False WriteFailed", wantErr: true,
		},
		"A suspended gate holds and releases nothing": {
			gate: newGate("a").With(holdsPodsOf).With(suspend), wantEnforced: "Unknown Suspended",
		},
		"A suspended gate that held something keeps it": {
			gate: newGate("a").With(suspend).With(withFinalizer), wantFinalizer: true, wantEnforced: "Unknown Suspended",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newHoldingReconciler(t, &tc.holds, tc.gate.Obj(), shopNamespace(nil))
			result, err := r.Reconcile(t.Context(), requestFor("a"))
			if (err != nil) != tc.wantErr || result.RequeueAfter != tc.wantAfter {
				t.Errorf("Reconcile(): want after %s, error %v, got %+v, %v", tc.wantAfter, tc.wantErr, result, err)
			}
			if diff := cmp.Diff(tc.wantAsked, tc.holds.asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			got := &v1alpha1.RolloutGate{}
			if err := r.Client.Get(t.Context(), requestFor("a").NamespacedName, got); err != nil {
				t.Fatal(err)
			}
			if has := len(got.Finalizers) > 0; has != tc.wantFinalizer {
				t.Errorf("finalizer: want %v, got %v", tc.wantFinalizer, got.Finalizers)
			}
			if enforced := summarize(got.Status.Conditions)["Enforced"]; enforced != tc.wantEnforced {
				t.Errorf("Enforced: want %s, got %s", tc.wantEnforced, enforced)
			}
			if got.Status.State != v1alpha1.GateUnknown || got.Status.HeldPods != tc.wantHeld {
				t.Errorf("status: want Unknown with %d pods, got %+v", tc.wantHeld, got.Status)
			}
		})
	}
}

// What fails is retried ever more seldom. What time brings, and pods that wait for the next batch, cannot wait for that.
func TestAFailureDoesNotPutOffWhatIsDueSooner(t *testing.T) {
	late := func() *gateBuilder {
		return newGate("a").With(func(g *v1alpha1.RolloutGate) { g.Spec.Deadline = durationOf(time.Hour) })
	}
	away := errors.New("the server is away")
	for name, tc := range map[string]struct {
		gate  *gateBuilder
		holds recordingHolds
		// want is when the gate is queued, apart from being retried; 0 for never.
		want time.Duration
	}{
		"Nothing else is due": {newGate("a"), recordingHolds{err: away}, 0},
		"A deadline":          {late(), recordingHolds{err: away}, time.Hour},
		"The next batch":      {late(), recordingHolds{err: away, outcome: holdOutcome{more: true}}, nextBatch},
		"Pods of a gate that is being deleted": {
			late().With(withFinalizer).With(func(g *v1alpha1.RolloutGate) { g.DeletionTimestamp = timeOf(noon) }),
			recordingHolds{err: away, outcome: holdOutcome{more: true}}, nextBatch,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newHoldingReconciler(t, &tc.holds, tc.gate.Obj(), shopNamespace(nil))
				r.Now = time.Now
				queue := queueOf(t, &r.Runtimes.gateRequests)
				if _, err := r.Reconcile(t.Context(), requestFor("a")); !errors.Is(err, away) {
					t.Fatalf("got error %v", err)
				}
				time.Sleep(tc.want - time.Millisecond)
				synctest.Wait()
				if early := takeAll(queue); len(early) > 0 {
					t.Errorf("queued early: %v", early)
				}
				time.Sleep(time.Millisecond)
				synctest.Wait()
				if got := len(takeAll(queue)) > 0; got != (tc.want > 0) {
					t.Errorf("queued: want %v, got %v", tc.want > 0, got)
				}
			})
		})
	}
}

func TestADeletedGateReleasesWhatItHolds(t *testing.T) {
	deleted := func(o client.Object) { o.SetDeletionTimestamp(&metav1.Time{Time: noon}) }
	ending := shopNamespace(func(n *corev1.Namespace) {
		deleted(n)
		n.Finalizers = []string{"kubernetes"}
	})
	for name, tc := range map[string]struct {
		namespace *corev1.Namespace
		holds     recordingHolds
		finalizer string
		wantAsked []string
		wantGone  bool
		wantAfter time.Duration
		wantErr   bool
	}{
		"Everything is released, and it goes": {
			namespace: shopNamespace(nil), finalizer: v1alpha1.Finalizer, wantAsked: []string{"release"}, wantGone: true,
		},
		"It stays until everything is released": {
			namespace: shopNamespace(nil), finalizer: v1alpha1.Finalizer, holds: recordingHolds{outcome: holdOutcome{more: true}},
			wantAsked: []string{"release"}, wantAfter: nextBatch,
		},
		"It stays while the API server is away": {
			namespace: shopNamespace(nil), finalizer: v1alpha1.Finalizer, holds: recordingHolds{err: errors.New("the server is away")},
			wantAsked: []string{"release"}, wantErr: true,
		},
		"It goes with its namespace, whatever it holds": {namespace: ending, finalizer: v1alpha1.Finalizer, wantGone: true},
		"Somebody else's finalizer is left alone":       {namespace: shopNamespace(nil), finalizer: "example.com/theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate("a").With(holdsPodsOf).Obj()
			deleted(g)
			g.Finalizers = []string{tc.finalizer}
			r := newHoldingReconciler(t, &tc.holds, g, tc.namespace)
			result, err := r.Reconcile(t.Context(), requestFor("a"))
			if (err != nil) != tc.wantErr || result.RequeueAfter != tc.wantAfter {
				t.Errorf("Reconcile(): want after %s, error %v, got %+v, %v", tc.wantAfter, tc.wantErr, result, err)
			}
			if diff := cmp.Diff(tc.wantAsked, tc.holds.asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			err = r.Client.Get(t.Context(), requestFor("a").NamespacedName, &v1alpha1.RolloutGate{})
			if gone := apierrors.IsNotFound(err); gone != tc.wantGone {
				t.Errorf("gone: want %v, got %v (%v)", tc.wantGone, gone, err)
			}
		})
	}
}

func TestAGateThatIsGoneIsForgotten(t *testing.T) {
	r := newHoldingReconciler(t, &recordingHolds{}, newGate("a").Obj(), shopNamespace(nil))
	if _, err := r.Reconcile(t.Context(), requestFor("a")); err != nil {
		t.Fatal(err)
	}
	if len(r.programs.programs) != 1 || len(r.written.replaced) != 1 {
		t.Fatalf("held: want a program and a version, got %d and %d", len(r.programs.programs), len(r.written.replaced))
	}
	if err := r.Client.Delete(t.Context(), newGate("a").Obj()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(t.Context(), requestFor("a")); err != nil {
		t.Fatal(err)
	}
	if len(r.programs.programs) != 0 || len(r.written.replaced) != 0 {
		t.Errorf("held: want nothing, got %d programs and %d versions", len(r.programs.programs), len(r.written.replaced))
	}
}
