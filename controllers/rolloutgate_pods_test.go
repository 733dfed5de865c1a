package controllers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// newWaitingPod is a pod in namespace shop that was created so many minutes after noon and waits for these gates of ours.
func newWaitingPod(name string, minutes int, gates ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name), ResourceVersion: "7",
		CreationTimestamp: metav1.Time{Time: noon.Add(time.Duration(minutes) * time.Minute)}, Labels: map[string]string{"app": "web"},
	}}
	for _, gate := range gates {
		pod.Spec.SchedulingGates = append(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: schedulingGate(gate)})
	}
	return pod
}

func TestPodReleases(t *testing.T) {
	a, b, c := newWaitingPod("a", 0), newWaitingPod("b", 1), newWaitingPod("c", 2)
	type step struct {
		after      time.Duration
		pods       []*corev1.Pod
		want       []*corev1.Pod
		wantLeft   int
		wantMore   bool
		unreleased bool
		// refused are the pods of the batch that must not be touched.
		refused []*corev1.Pod
	}
	tests := map[string][]step{
		"a batch has as many as there is room for": {
			{pods: []*corev1.Pod{a, b, c}, want: []*corev1.Pod{a, b}, wantLeft: 1, wantMore: true},
		},
		"the next batch begins a second later": {
			{pods: []*corev1.Pod{a, b, c}, want: []*corev1.Pod{a, b}, wantLeft: 1, wantMore: true},
			{after: nextBatch - time.Nanosecond, pods: []*corev1.Pod{c}, wantLeft: 1, wantMore: true},
			{after: nextBatch, pods: []*corev1.Pod{c}, want: []*corev1.Pod{c}},
		},
		"what a batch had room for is used within the same second": {
			{pods: []*corev1.Pod{a}, want: []*corev1.Pod{a}},
			{after: nextBatch / 2, pods: []*corev1.Pod{b, c}, want: []*corev1.Pod{b}, wantLeft: 1, wantMore: true},
		},
		"a pod that the cache still shows waiting is not released again": {
			{pods: []*corev1.Pod{a, b}, want: []*corev1.Pod{a, b}},
			{after: nextBatch, pods: []*corev1.Pod{a, b, c}, want: []*corev1.Pod{c}},
			{after: 2 * nextBatch, pods: []*corev1.Pod{a, c}},
		},
		"a pod that could not be released is tried again": {
			{pods: []*corev1.Pod{a}, want: []*corev1.Pod{a}, unreleased: true},
			{after: nextBatch, pods: []*corev1.Pod{a}, want: []*corev1.Pod{a}},
		},
		"a pod that must not be touched is tried again when the others were": {
			{pods: []*corev1.Pod{a, b, c}, want: []*corev1.Pod{a, b}, wantLeft: 1, wantMore: true, refused: []*corev1.Pod{a, b}},
			{after: nextBatch, pods: []*corev1.Pod{a, b, c}, want: []*corev1.Pod{c}, wantLeft: 2},
			{after: 2 * nextBatch, pods: []*corev1.Pod{a, b}, want: []*corev1.Pod{a, b}, refused: []*corev1.Pod{b}},
			{after: 3 * nextBatch, pods: []*corev1.Pod{a, b}, want: []*corev1.Pod{b}},
		},
		"of those that must not be touched, all get their turn": {
			{pods: []*corev1.Pod{a, b, c}, want: []*corev1.Pod{a, b}, wantLeft: 1, wantMore: true, refused: []*corev1.Pod{a, b}},
			{after: nextBatch, pods: []*corev1.Pod{a, b, c}, want: []*corev1.Pod{c}, wantLeft: 2, refused: []*corev1.Pod{c}},
			{after: 2 * nextBatch, pods: []*corev1.Pod{a, b, c}, want: []*corev1.Pod{a, b}, wantLeft: 1, refused: []*corev1.Pod{a, b}},
			{after: 3 * nextBatch, pods: []*corev1.Pod{a, b, c}, want: []*corev1.Pod{c, a}, wantLeft: 1},
		},
		"nothing waits": {{}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			releases, key := podReleases{}, types.NamespacedName{Namespace: "shop", Name: "release"}
			for i, step := range steps {
				now := noon.Add(step.after)
				got, left, more := releases.next(key, step.pods, 2, now)
				if diff := cmp.Diff(podNamesOf(step.want), podNamesOf(got)); diff != "" || left != step.wantLeft || more != step.wantMore {
					t.Fatalf("step %d: %d left, more %t, want %d and %t; the batch (-want +got):\n%s",
						i, left, more, step.wantLeft, step.wantMore, diff)
				}
				for _, pod := range got {
					switch {
					case slices.Contains(step.refused, pod):
						releases.refuse(key, pod.UID, podRefusal{errors.New("no"), now})
					case !step.unreleased:
						releases.note(key, pod.UID)
					}
				}
			}
		})
	}
}

func podNamesOf(pods []*corev1.Pod) []string {
	var names []string
	for _, pod := range pods {
		names = append(names, pod.Name)
	}
	return names
}

// newHolds are holds over these objects, of which the cache of waiting pods knows all.
func newHolds(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) *gateHolds {
	t.Helper()
	c := interceptor.NewClient(fakeCluster(t, objects...), funcs)
	return &gateHolds{
		client: c, live: c, now: func() time.Time { return noon },
		waiting: waitingPods{reader: c, ensure: func(context.Context) error { return nil }},
	}
}

// podNodes are the index values of the field selector that the API server has for pods.
func podNodes(o client.Object) []string {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return nil
	}
	return []string{pod.Spec.NodeName}
}

func TestPodsAreReleased(t *testing.T) {
	holdsAll := func(g *v1alpha1.RolloutGate) {
		g.Spec.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{}}
	}
	inTwos := func(g *v1alpha1.RolloutGate) {
		two := int32(2)
		g.Spec.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{BatchSize: &two}}
	}
	holdsWorkers := func(g *v1alpha1.RolloutGate) {
		g.Spec.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "worker"}},
		}}
	}
	badSelector := func(g *v1alpha1.RolloutGate) {
		g.Spec.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{
			Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}},
		}}
	}
	holdsNothing := func(*v1alpha1.RolloutGate) {}
	tests := map[string]struct {
		state v1alpha1.GateState
		hold  func(*v1alpha1.RolloutGate)
		want  holdOutcome
		// wantReleased are the pods that wait no more for the gate "release".
		wantReleased []string
	}{
		"a closed gate counts them":                     {v1alpha1.GateClosed, holdsAll, holdOutcome{pods: 3}, nil},
		"an unknown gate counts them":                   {v1alpha1.GateUnknown, holdsAll, holdOutcome{pods: 3}, nil},
		"an open gate releases them":                    {v1alpha1.GateOpen, holdsAll, holdOutcome{}, []string{"first", "second", "third"}},
		"the oldest come first":                         {v1alpha1.GateOpen, inTwos, holdOutcome{pods: 1, more: true}, []string{"first", "second"}},
		"those that were not chosen wait on":            {v1alpha1.GateOpen, holdsWorkers, holdOutcome{}, nil},
		"those that were not chosen don't count":        {v1alpha1.GateClosed, holdsWorkers, holdOutcome{}, nil},
		"a selector that is not valid releases nothing": {v1alpha1.GateOpen, badSelector, holdOutcome{}, nil},
		"a gate that holds no pods releases them":       {v1alpha1.GateClosed, holdsNothing, holdOutcome{}, []string{"first", "second", "third"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			going := newWaitingPod("going", 9, "release")
			going.DeletionTimestamp, going.Finalizers = timeOf(noon), []string{"example.com/finalizer"}
			h := newHolds(t, interceptor.Funcs{}, going,
				newWaitingPod("third", 3, "release"), newWaitingPod("first", 1, "release", "other"), newWaitingPod("second", 2, "release"),
				newWaitingPod("of-another", 0, "other"))
			gate := newGate("release").Was(tc.state).With(tc.hold).Obj()
			got, err := h.enforce(t.Context(), gate)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(holdOutcome{})); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			var released []string
			for _, name := range []string{"first", "second", "third"} {
				pod := &corev1.Pod{}
				if err := h.client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: name}, pod); err != nil {
					t.Fatal(err)
				}
				if gates := gatesOf(pod); len(gates) == 0 || gates[0] != "release" {
					released = append(released, name)
				}
				if name == "first" && gatesOf(pod)[len(gatesOf(pod))-1] != "other" {
					t.Errorf("pod first lost the scheduling gate of another: %v", gatesOf(pod))
				}
			}
			if diff := cmp.Diff(tc.wantReleased, released); diff != "" {
				t.Errorf("released pods (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPodsThatCannotBeReleasedAreLeft(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	tests := map[string]struct {
		err      error
		want     holdOutcome
		wantFail bool
	}{
		"a pod that is gone is done with":        {apierrors.NewNotFound(pods, "web"), holdOutcome{}, false},
		"a pod that changed since is left":       {apierrors.NewConflict(pods, "web", errors.New("changed")), holdOutcome{pods: 1, more: true}, false},
		"a pod that must not be touched is left": {apierrors.NewForbidden(pods, "web", errors.New("no")), holdOutcome{pods: 1}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			refuse := interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
				return tc.err
			}}
			h := newHolds(t, refuse, newWaitingPod("web", 0, "release"))
			got, err := h.enforce(t.Context(), newGate("release").Was(v1alpha1.GateOpen).Obj())
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(holdOutcome{})); diff != "" || (err != nil) != tc.wantFail {
				t.Errorf("got error %v; outcome (-want +got):\n%s", err, diff)
			}
		})
	}
}

// Somebody's policy may refuse one pod for good. It must neither keep the others waiting nor make the status come and go.
func TestAPodThatMustNotBeTouchedHoldsUpNoOther(t *testing.T) {
	now, one := noon, int32(1)
	h := newHolds(t, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
			if o.GetName() == "first" {
				return errors.New("not in my cluster")
			}
			return c.Patch(ctx, o, patch, options...)
		},
	}, newWaitingPod("first", 1, "release"), newWaitingPod("second", 2, "release"), newWaitingPod("third", 3, "release"))
	h.now = func() time.Time { return now }
	gate := newGate("release").Was(v1alpha1.GateOpen).With(func(g *v1alpha1.RolloutGate) {
		g.Spec.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{BatchSize: &one}}
	}).Obj()
	for i, want := range []holdOutcome{{pods: 3, more: true}, {pods: 3, more: true}, {pods: 2, more: true}, {pods: 1}, {pods: 1}, {pods: 1}} {
		got, err := h.enforce(t.Context(), gate)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(holdOutcome{})); diff != "" {
			t.Errorf("look %d (-want +got):\n%s", i, diff)
		}
		if err == nil || err.Error() != "releasing pod shop/first: not in my cluster" {
			t.Errorf("look %d: got error %v", i, err)
		}
		if i != 0 { // a retry may come before the next batch
			now = now.Add(nextBatch)
		}
	}
}

func TestOneOfManyPodsThatMustNotBeTouchedIsNamed(t *testing.T) {
	h := newHolds(t, interceptor.Funcs{
		Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
			return errors.New("no " + o.GetName())
		},
	}, newWaitingPod("first", 1, "release"), newWaitingPod("second", 2, "release"), newWaitingPod("third", 3, "release"))
	gate := newGate("release").Was(v1alpha1.GateOpen).Obj()
	for i := range 2 {
		_, err := h.enforce(t.Context(), gate)
		if want := "releasing pod shop/first: no first (and 2 more)"; err == nil || err.Error() != want {
			t.Errorf("look %d: want %q, got %v", i, want, err)
		}
	}
}

func TestDeletedGateReleasesPodsThatTheCacheDoesNotKnowYet(t *testing.T) {
	h := newHolds(t, interceptor.Funcs{}, newWaitingPod("web", 0, "release"))
	h.waiting.reader = fakeCluster(t)
	more, err := h.release(t.Context(), newGate("release").Was(v1alpha1.GateClosed).Obj())
	if err != nil || more {
		t.Fatalf("more %t, error %v, want neither", more, err)
	}
	pod := &corev1.Pod{}
	if err := h.client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "web"}, pod); err != nil {
		t.Fatal(err)
	}
	if gates := gatesOf(pod); len(gates) > 0 {
		t.Errorf("the pod waits for %v", gates)
	}
}

func TestDeletedGateReleasesPodsInBatches(t *testing.T) {
	now, two := noon, int32(2)
	h := newHolds(t, interceptor.Funcs{}, newWaitingPod("first", 1, "release"), newWaitingPod("second", 2, "release"), newWaitingPod("third", 3, "release"))
	h.now = func() time.Time { return now }
	gate := newGate("release").Was(v1alpha1.GateClosed).With(func(g *v1alpha1.RolloutGate) {
		g.Spec.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{BatchSize: &two}}
	}).Obj()
	for _, want := range []struct {
		waiting int
		more    bool
	}{{1, true}, {0, false}} {
		more, err := h.release(t.Context(), gate)
		if err != nil {
			t.Fatal(err)
		}
		waiting, err := h.waitingLive(t.Context(), gate)
		if err != nil || len(waiting) != want.waiting || more != want.more {
			t.Errorf("%d pods wait, more %t, error %v, want %d and %t", len(waiting), more, err, want.waiting, want.more)
		}
		now = now.Add(nextBatch)
	}
}

func TestOnlyWhatIsAskedOfWaitingPodsIsKept(t *testing.T) {
	pod := newWaitingPod("web", 0, "release")
	pod.Annotations, pod.ManagedFields = map[string]string{"a": "b"}, []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	pod.Spec.Containers, pod.Status.Phase = []corev1.Container{{Name: "app"}}, corev1.PodPending
	want := newWaitingPod("web", 0, "release")
	got, err := onlyWaiting(pod)
	if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestWatchedPodsQueueTheirGates(t *testing.T) {
	waits, relabelled := newWaitingPod("web", 0, "release"), newWaitingPod("web", 0, "release")
	relabelled.Labels = map[string]string{"app": "worker"}
	annotated := newWaitingPod("web", 0, "release")
	annotated.ResourceVersion = "8"
	now, later := []time.Duration{0}, []time.Duration{nextBatch}
	tests := map[string]struct {
		state v1alpha1.GateState
		event func(toolscache.ResourceEventHandler)
		want  []time.Duration
	}{
		"a new pod, of an open gate":  {v1alpha1.GateOpen, func(h toolscache.ResourceEventHandler) { h.OnAdd(waits, false) }, now},
		"a new pod, of a closed gate": {v1alpha1.GateClosed, func(h toolscache.ResourceEventHandler) { h.OnAdd(waits, false) }, later},
		"a pod that was there before": {v1alpha1.GateOpen, func(h toolscache.ResourceEventHandler) { h.OnAdd(waits, true) }, nil},
		"another label":               {v1alpha1.GateOpen, func(h toolscache.ResourceEventHandler) { h.OnUpdate(waits, relabelled) }, now},
		"nothing that matters":        {v1alpha1.GateOpen, func(h toolscache.ResourceEventHandler) { h.OnUpdate(waits, annotated) }, nil},
		"a pod that waits no more":    {v1alpha1.GateClosed, func(h toolscache.ResourceEventHandler) { h.OnUpdate(waits, newWaitingPod("web", 0)) }, later},
		"a deleted pod":               {v1alpha1.GateClosed, func(h toolscache.ResourceEventHandler) { h.OnDelete(waits) }, later},
		"a pod whose deletion was missed": {v1alpha1.GateClosed, func(h toolscache.ResourceEventHandler) {
			h.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "shop/web", Obj: waits})
		}, later},
		"a pod of a gate that does not exist": {v1alpha1.GateOpen, func(h toolscache.ResourceEventHandler) {
			h.OnAdd(newWaitingPod("web", 0, "another"), false)
		}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			gate := newGate("release").Was(tc.state).With(func(g *v1alpha1.RolloutGate) {
				g.Spec.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{}}
			}).Obj()
			h := newHolds(t, interceptor.Funcs{}, gate)
			var queued []time.Duration
			tc.event(h.waitingEvents(t.Context(), func(after time.Duration, gates ...types.NamespacedName) {
				for range gates {
					queued = append(queued, after)
				}
			}))
			if diff := cmp.Diff(tc.want, queued); diff != "" {
				t.Errorf("queued (-want +got):\n%s", diff)
			}
		})
	}
}
