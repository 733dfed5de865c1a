package controllers

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestAGateFollowsItsSpecs(t *testing.T) {
	objects := []client.Object{newGate("a").Obj(), newGate("other").Open("gate('on')").Obj()}
	document := func(passes bool) *evaltest.Document {
		return releaseSpecs(passes).Add(evaltest.NewGate("on").Rule(evaltest.NewRule("everyone")))
	}
	inGateWorld(t, document(false), objects, func(w *gateWorld) {
		closed := w.expect("a", "Closed GateClosed")
		w.expect("other", "Open GateOpen")
		if want := "gate release = false (rule default)"; closed.Status.Reason != want {
			t.Errorf("reason: want %q, got %q", want, closed.Status.Reason)
		}
		want := []string{"Normal GateClosed Gate release = false (rule default).", "Normal GateOpen Gate on = true (rule everyone)."}
		told := w.told()
		slices.Sort(told) // of two gates, either may come first
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		looks, writes := w.counted()
		w.setSpecs(document(true))
		w.sleep(untilPolled)
		open := w.expect("a", "Open GateOpen")
		if diff := cmp.Diff([]string{"Normal GateOpen Gate release = true (rule everyone)."}, w.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if open.Status.ClosedSince != nil || len(open.Status.History) != 3 || open.Status.History[0].State != v1alpha1.GateOpen {
			t.Errorf("status of the open gate: %+v", open.Status)
		}
		if l, n := w.counted(); l-looks != 1 || n-writes != 1 {
			t.Errorf("%d looks and %d writes for one gate that changed, want one each", l-looks, n-writes)
		}
	})
}

func TestNothingHappensWhileNothingChanges(t *testing.T) {
	held := newGate("held").With(func(g *v1alpha1.RolloutGate) { g.Spec.Hold = &v1alpha1.Hold{Reason: "incident"} })
	broken := newGate("broken").Open("gate(")
	inGateWorld(t, releaseSpecs(true), []client.Object{newGate("a").Obj(), held.Obj(), broken.Obj()}, func(w *gateWorld) {
		w.expect("a", "Open GateOpen")
		looks, writes := w.counted()
		w.sleep(23 * time.Hour)
		if l, n := w.counted(); l != looks || n != writes {
			t.Errorf("within a day: %d looks and %d writes, want none", l-looks, n-writes)
		}
		// The exposure is repeated after a day, which is no reason to write anything.
		w.sleep(2 * time.Hour)
		if l, n := w.counted(); l != looks+1 || n != writes {
			t.Errorf("after a day: %d looks and %d writes, want one look", l-looks, n-writes)
		}
		for _, name := range []string{"a", "held", "broken"} {
			w.gateRequests.add(requestFor(name))
		}
		w.sleep(0)
		if _, n := w.counted(); n != writes {
			t.Errorf("looking again wrote %d times", n-writes)
		}
	})
}

func TestAGateOpensWhenItsAnswerHasLasted(t *testing.T) {
	slow := newGate("a").With(func(g *v1alpha1.RolloutGate) {
		g.Spec.OpenAfter, g.Spec.CloseAfter = durationOf(5*time.Minute), durationOf(time.Minute)
	})
	inGateWorld(t, releaseSpecs(true), []client.Object{slow.Obj()}, func(w *gateWorld) {
		fresh := w.expect("a", "Closed GateClosed")
		if fresh.Status.Pending == nil || fresh.Status.Pending.State != v1alpha1.GateOpen {
			t.Fatalf("pending: want Open, got %+v", fresh.Status.Pending)
		}
		w.sleep(4*time.Minute + 50*time.Second)
		w.expect("a", "Closed GateClosed")
		_, writes := w.counted()
		// A restart does not begin to count anew.
		w.start()
		w.sleep(11 * time.Second)
		if open := w.expect("a", "Open GateOpen"); open.Status.Pending != nil {
			t.Errorf("pending of the open gate: %+v", open.Status.Pending)
		}
		if _, n := w.counted(); n != writes+1 {
			t.Errorf("%d writes over the restart and the opening, want 1", n-writes)
		}
		w.setSpecs(releaseSpecs(false))
		w.sleep(untilPolled)
		w.expect("a", "Open GateOpen")
		w.setSpecs(releaseSpecs(true))
		w.sleep(2 * time.Minute)
		if still := w.expect("a", "Open GateOpen"); still.Status.Pending != nil || len(still.Status.History) != 3 {
			t.Errorf("after a short change of mind: %+v", still.Status)
		}
		w.setSpecs(releaseSpecs(false))
		w.sleep(time.Minute + untilPolled)
		w.expect("a", "Closed GateClosed")
	})
}

func TestAGateStallsPastItsDeadlineAndOpensAllTheSame(t *testing.T) {
	late := newGate("a").With(func(g *v1alpha1.RolloutGate) { g.Spec.Deadline = durationOf(time.Hour) })
	inGateWorld(t, releaseSpecs(false), []client.Object{late.Obj()}, func(w *gateWorld) {
		w.sleep(59 * time.Minute)
		w.expect("a", "Closed GateClosed")
		w.sleep(time.Minute)
		if got := summarize(w.expect("a", "Closed DeadlineExceeded").Status.Conditions)["Stalled"]; got != "True DeadlineExceeded" {
			t.Errorf("Stalled: got %q", got)
		}
		w.setSpecs(releaseSpecs(true))
		w.sleep(untilPolled)
		w.expect("a", "Open GateOpen")
	})
}

func TestAHoldByHandEnds(t *testing.T) {
	inGateWorld(t, releaseSpecs(true), []client.Object{newGate("a").Obj()}, func(w *gateWorld) {
		w.edit("a", func(g *v1alpha1.RolloutGate) {
			g.Spec.Hold = &v1alpha1.Hold{Reason: "incident\n42", Until: timeOf(time.Now().Add(time.Hour))}
			g.Spec.CloseAfter, g.Spec.OpenAfter = durationOf(time.Hour), durationOf(time.Minute)
		})
		if held := w.expect("a", "Closed HeldByHand"); held.Status.Reason != "held by hand: incident 42" {
			t.Errorf("reason: got %q", held.Status.Reason)
		}
		w.sleep(time.Hour)
		// What passed while it was held does not count.
		if pending := w.expect("a", "Closed GateClosed").Status.Pending; pending == nil || pending.State != v1alpha1.GateOpen {
			t.Errorf("pending: want Open, got %+v", pending)
		}
		w.sleep(time.Minute)
		w.expect("a", "Open GateOpen")
	})
}

func TestASuspendedGateStaysAsItIs(t *testing.T) {
	inGateWorld(t, releaseSpecs(true), []client.Object{newGate("a").Obj()}, func(w *gateWorld) {
		w.edit("a", func(g *v1alpha1.RolloutGate) { g.Spec.Suspend, g.Spec.Hold = true, &v1alpha1.Hold{Reason: "incident"} })
		w.expect("a", "Open Suspended")
		w.setSpecs(releaseSpecs(false))
		w.sleep(untilPolled)
		w.expect("a", "Open Suspended")
		w.edit("a", func(g *v1alpha1.RolloutGate) { g.Spec.Suspend = false })
		w.expect("a", "Closed HeldByHand")
	})
}

func TestAGateOfASuspendedProjectStaysAsItIs(t *testing.T) {
	inGateWorld(t, releaseSpecs(true), []client.Object{newGate("a").Obj()}, func(w *gateWorld) {
		w.project.Spec.Suspend = true
		if err := w.cluster.Update(t.Context(), w.project); err != nil {
			t.Fatal(err)
		}
		w.Remove(client.ObjectKeyFromObject(w.project))
		w.edit("a", func(*v1alpha1.RolloutGate) {})
		w.expect("a", "Open Suspended")
		w.edit("a", func(g *v1alpha1.RolloutGate) { g.Spec.Hold = &v1alpha1.Hold{Reason: "incident"} })
		w.expect("a", "Closed HeldByHand")
		w.edit("a", func(g *v1alpha1.RolloutGate) { g.Spec.Hold = nil })
		w.expect("a", "Closed Suspended")
	})
}

// No gate may be decided by rules that are older than the project allows, here an hour. A shorter outage is no news.
func TestFailurePoliciesApplyWhenSpecsAreTooOld(t *testing.T) {
	objects := []client.Object{
		newGate("closed").Obj(), newGate("open").On(v1alpha1.FailureOpen).Obj(), newGate("last-known").On(v1alpha1.FailureLastKnown).Obj(),
		newGate("shut").Open("!gate('release')").On(v1alpha1.FailureOpen).Obj(),
	}
	inGateWorld(t, releaseSpecs(true), objects, func(w *gateWorld) {
		looks, writes := w.counted()
		w.setSpecs(nil)
		w.sleep(30 * time.Minute)
		w.setSpecs(releaseSpecs(true))
		w.sleep(3 * time.Hour)
		if _, n := w.counted(); n != writes {
			t.Errorf("%d writes for half an hour without specs, want none", n-writes)
		}
		if l, _ := w.counted(); l-looks > len(objects) {
			t.Errorf("%d looks at %d gates for half an hour without specs", l-looks, len(objects))
		}
		w.setSpecs(nil)
		w.sleep(time.Hour - untilPolled)
		for _, name := range []string{"closed", "open", "last-known"} {
			w.expect(name, "Open GateOpen")
		}
		w.sleep(2 * untilPolled)
		w.expect("closed", "Unknown Stale")
		w.expect("open", "Open FailurePolicy")
		w.expect("last-known", "Open FailurePolicy")
		w.expect("shut", "Open FailurePolicy")
		looks, writes = w.counted()
		w.sleep(10 * time.Hour)
		if l, n := w.counted(); l != looks || n != writes {
			t.Errorf("%d looks and %d writes while the outage goes on, want none", l-looks, n-writes)
		}
		w.setSpecs(releaseSpecs(true))
		w.sleep(5*time.Minute + untilPolled)
		for _, name := range []string{"closed", "open", "last-known"} {
			w.expect(name, "Open GateOpen")
		}
		w.expect("shut", "Closed GateClosed")
	})
}

func TestARuleOnTimeFlipsAGateWithoutAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boundary := time.Now().Add(5 * time.Second)
		sale := evaltest.NewGate("release").Rule(evaltest.NewRule("begun").When(evaltest.CurrentTime("after", boundary.UnixMilli())))
		w := newGateWorld(t, newProject("checkout").Sources(mapSource).Interval(time.Hour).Obj(), []client.Object{newGate("a").Obj()})
		w.setSpecs(evaltest.NewDocument(sale))
		w.ensured(t, w.project, plainKey)
		w.sleep(4 * time.Second)
		w.expect("a", "Closed GateClosed")
		looks, _ := w.counted()
		w.sleep(time.Second + 2*time.Millisecond)
		w.expect("a", "Open GateOpen")
		if l, _ := w.counted(); l != looks+1 {
			t.Errorf("%d looks at the boundary, want 1", l-looks)
		}
	})
}

// While the first answer is awaited, what the last run said still stands; a gate that nobody has looked at since it changed is unknown.
func TestGatesAwaitTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observed := func(g *v1alpha1.RolloutGate) { g.Status.ObservedGeneration = g.Generation }
		objects := []client.Object{
			newGate("known").Was(v1alpha1.GateOpen).With(observed).Obj(), newGate("edited").Was(v1alpha1.GateOpen).Obj(), newGate("fresh").Obj(),
			newGate("fresh-open").On(v1alpha1.FailureOpen).Obj(),
			newGate("edited-open").Was(v1alpha1.GateOpen).On(v1alpha1.FailureOpen).Obj(),
		}
		w := newGateWorld(t, newProject("checkout").Sources(mapSource).Obj(), objects)
		w.sleep(0)
		w.expect("known", "Open ")
		w.expect("edited", "Unknown Pending")
		w.expect("fresh", "Unknown Pending")
		w.expect("fresh-open", "Unknown Pending")
		w.expect("edited-open", "Open FailurePolicy")
		w.setSpecs(releaseSpecs(false))
		w.ensured(t, w.project, plainKey)
		w.sleep(0)
		for _, o := range objects {
			w.expect(o.GetName(), "Closed GateClosed")
		}
	})
}
