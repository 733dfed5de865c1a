package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// foreignGate is a scheduling gate that is nobody's business but its owner's.
const foreignGate = "example.com/quota"

func TestStoryPodsWaitUntilTheirGateOpens(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	gate := s.holdingGate("release", v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{}})
	for i := range 3 {
		s.create(s.waitingPod(fmt.Sprintf("early-%d", i), "release", foreignGate))
	}
	s.create(s.waitingPod("of-another", "another"), gate)
	s.awaitHeld(gate, v1alpha1.GateClosed, 3)
	late := s.waitingPod("late", "release")
	s.create(late)
	s.awaitHeld(gate, v1alpha1.GateClosed, 4)
	s.delete(late)
	s.awaitHeld(gate, v1alpha1.GateClosed, 3)
	s.settle(op)
	if writes := op.requests.of("pods"); len(writes) > 0 {
		t.Errorf("writes to pods while the gate is closed: %v", writes)
	}

	must(t, s.statsig.SetGate("off", true))
	s.awaitHeld(gate, v1alpha1.GateOpen, 0)
	for i := range 3 {
		s.awaitSchedulingGates(fmt.Sprintf("early-%d", i), foreignGate)
	}
	s.awaitSchedulingGates("of-another", schedulingGate("another"))
	s.create(s.waitingPod("newcomer", "release"))
	s.awaitSchedulingGates("newcomer")

	// What was released stays so when the gate closes again; what comes then waits.
	must(t, s.statsig.SetGate("off", false))
	s.awaitHeld(gate, v1alpha1.GateClosed, 0)
	s.create(s.waitingPod("latecomer", "release"))
	s.awaitHeld(gate, v1alpha1.GateClosed, 1)
	s.settle(op)
	s.awaitSchedulingGates("newcomer")
	s.awaitSchedulingGates("latecomer", schedulingGate("release"))
	if writes := op.requests.of("pods"); len(writes) != 4 {
		t.Errorf("writes to pods, want one for each that was released: %v", writes)
	}
}

func TestStoryPodsAreReleasedInBatches(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	// A second passes only when the test says so.
	start := time.Now().Truncate(time.Second)
	var elapsed atomic.Int64
	op := startOperator(t, operatorOptions{
		namespaces: []string{s.namespace}, now: func() time.Time { return start.Add(time.Duration(elapsed.Load())) },
	})
	project := s.project()
	s.create(s.secretWithKey(), project)
	s.awaitReady(project)
	two := int32(2)
	gate := s.holdingGate("release", v1alpha1.Hold{
		Reason: "not yet", SchedulingGate: &v1alpha1.SchedulingGateHold{BatchSize: &two},
	})
	for i := range 5 {
		s.create(s.waitingPod(fmt.Sprintf("pod-%d", i), "release"))
	}
	gate.Spec.Open = "gate('on')"
	s.create(gate)
	s.awaitHeld(gate, v1alpha1.GateClosed, 5)
	change(s, gate, func(g *v1alpha1.RolloutGate) { g.Spec.Hold.Reason = "" })
	for _, left := range []int32{3, 1, 0} {
		s.awaitHeld(gate, v1alpha1.GateOpen, left)
		reconciles := op.activity.completed("rolloutgate", s.namespace, "release")
		if left > 0 {
			eventually(t, "another look", func(context.Context) string {
				if op.activity.completed("rolloutgate", s.namespace, "release") == reconciles {
					return "there was none"
				}
				return ""
			})
		}
		// However often it is looked at, no second batch comes in the same second.
		if got := s.waitingCount("release"); got != int(left) {
			t.Fatalf("%d pods wait, want %d", got, left)
		}
		elapsed.Add(int64(nextBatch))
	}
	if writes := op.requests.of("pods"); len(writes) != 5 {
		t.Errorf("writes to pods, want one for each: %v", writes)
	}
}

func TestStoryPodsAreChosenByLabel(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	canary := metav1.LabelSelector{MatchLabels: map[string]string{"track": "canary"}}
	gate := s.holdingGate("release", v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{Selector: &canary}})
	gate.Spec.Open = "gate('on')"
	first, second := s.waitingPod("first", "release"), s.waitingPod("second", "release")
	first.Labels["track"] = "canary"
	s.create(first, second, gate)
	s.awaitSchedulingGates("first")
	s.settle(op)
	s.awaitSchedulingGates("second", schedulingGate("release"))
	// Labels may change while a pod waits.
	change(s, second, func(p *corev1.Pod) { p.Labels["track"] = "canary" })
	s.awaitSchedulingGates("second")
}

func TestStoryPodsAreReleasedWhenNothingHoldsThem(t *testing.T) {
	nobody := &metav1.LabelSelector{MatchLabels: map[string]string{"track": "none"}}
	deleted := func(s *story, gate *v1alpha1.RolloutGate) { s.delete(gate) }
	tests := map[string]struct {
		hold *v1alpha1.Hold
		// letGo makes the gate let go of the pods; nil if it never held them.
		letGo func(s *story, gate *v1alpha1.RolloutGate)
		// gone says that there is no gate any more then.
		gone bool
	}{
		"because the gate is deleted": {
			hold: &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{}}, letGo: deleted, gone: true,
		},
		"because a gate that never chose them is deleted": {
			hold: &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{Selector: nobody}}, letGo: deleted, gone: true,
		},
		"because the gate does not hold pods any more": {
			hold: &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{}},
			letGo: func(s *story, gate *v1alpha1.RolloutGate) {
				change(s, gate, func(g *v1alpha1.RolloutGate) { g.Spec.Hold = nil })
			},
		},
		"because the gate never held pods": {},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, op, _ := projectStory(t)
			gate := s.holdingGate("release", v1alpha1.Hold{})
			gate.Spec.Hold = tc.hold
			s.create(s.waitingPod("early", "release"), gate)
			if tc.letGo != nil {
				await(s, gate, "the finalizer", func(g *v1alpha1.RolloutGate) string {
					return cmp.Diff([]string{v1alpha1.Finalizer}, g.Finalizers)
				})
				s.settle(op)
				s.awaitSchedulingGates("early", schedulingGate("release"))
				tc.letGo(s, gate)
			}
			s.awaitSchedulingGates("early")
			if tc.gone {
				s.awaitAbsent(gate)
				return
			}
			// It lets pass what comes later, too, and nothing ties it down.
			s.create(s.waitingPod("late", "release"))
			s.awaitSchedulingGates("late")
			await(s, gate, "no finalizer", func(g *v1alpha1.RolloutGate) string { return strings.Join(g.Finalizers, " ") })
		})
	}
}

// holdingGate is a RolloutGate that opens with the gate "off" of the story's specs, and holds these things until then.
func (s *story) holdingGate(name string, hold v1alpha1.Hold) *v1alpha1.RolloutGate {
	return &v1alpha1.RolloutGate{ObjectMeta: s.meta(name), Spec: v1alpha1.RolloutGateSpec{
		ProjectRef: v1alpha1.ProjectRef{Name: "project"}, Open: "gate('off')", Hold: &hold,
	}}
}

// waitingPod is a pod that waits for a RolloutGate, and for further scheduling gates.
func (s *story) waitingPod(name, gate string, others ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: s.meta(name), Spec: podTemplate(nil).Spec}
	pod.Labels = map[string]string{"app": "web"}
	for _, name := range append([]string{schedulingGate(gate)}, others...) {
		pod.Spec.SchedulingGates = append(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: name})
	}
	return pod
}

// awaitHeld waits until a gate has this state, and this many pods wait for it.
func (s *story) awaitHeld(gate *v1alpha1.RolloutGate, state v1alpha1.GateState, pods int32) {
	s.t.Helper()
	await(s, gate, fmt.Sprintf("state %s with %d pods", state, pods), func(g *v1alpha1.RolloutGate) string {
		if g.Status.State != state || g.Status.HeldPods != pods || g.Status.ObservedGeneration != g.Generation {
			return fmt.Sprintf("status: %+v", g.Status)
		}
		return ""
	})
}

// awaitSchedulingGates waits until a pod has exactly these scheduling gates.
func (s *story) awaitSchedulingGates(pod string, want ...string) {
	s.t.Helper()
	await(s, &corev1.Pod{ObjectMeta: s.meta(pod)}, "the scheduling gates", func(p *corev1.Pod) string {
		var got []string
		for _, gate := range p.Spec.SchedulingGates {
			got = append(got, gate.Name)
		}
		return cmp.Diff(want, got)
	})
}

// waitingCount returns how many pods wait for a gate.
func (s *story) waitingCount(gate string) int {
	s.t.Helper()
	list := &corev1.PodList{}
	must(s.t, s.c.List(s.t.Context(), list, client.InNamespace(s.namespace)))
	waiting := 0
	for i := range list.Items {
		if slices.Contains(gatesOf(&list.Items[i]), gate) {
			waiting++
		}
	}
	return waiting
}

// awaitAbsent waits until there is no such object.
func (s *story) awaitAbsent(o client.Object) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("the end of %T %s", o, o.GetName()), func(ctx context.Context) string {
		err := s.c.Get(ctx, client.ObjectKeyFromObject(o), o)
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("it exists with the finalizers %v (%v)", o.GetFinalizers(), err)
	})
}
