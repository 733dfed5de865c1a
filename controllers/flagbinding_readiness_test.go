package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// liveReads is a cluster in memory that counts what is read from it, and refuses reads with err.
type liveReads struct {
	client.Reader
	gets, lists int
	err         error
	// before is called with each read.
	before func()
}

func newLiveReads(t *testing.T, objects ...client.Object) *liveReads {
	t.Helper()
	l := &liveReads{before: func() {}}
	running := func(o client.Object) []string {
		pod, _ := o.(*corev1.Pod)
		return []string{string(pod.Status.Phase)}
	}
	l.Reader = fake.NewClientBuilder().WithObjects(objects...).WithIndex(&corev1.Pod{}, "status.phase", running).
		WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
				l.gets++
				l.before()
				return errors.Join(l.err, c.Get(ctx, key, o, options...))
			},
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				l.lists++
				l.before()
				return errors.Join(l.err, c.List(ctx, list, options...))
			},
		}).Build()
	return l
}

// livePod is a running pod that carries a marker of the binding a.
func livePod(name, marker string, ready corev1.ConditionStatus) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: controlledBy(name, "")}
	pod.UID = types.UID("uid-of-Pod-" + name)
	pod.Annotations = map[string]string{podMarker("a"): marker}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodInitialized, Status: "True"}, {Type: corev1.PodReady, Status: ready}}
	return pod
}

// marked is a unit whose pods were marked so.
func marked(name string, markers map[string]string) *unit {
	u := &unit{kind: "Deployment", name: name}
	for _, pod := range slices.Sorted(maps.Keys(markers)) {
		u.pods = append(u.pods, newMetadata("v1", "Pod", pod))
		u.mark(u.pods[len(u.pods)-1].UID, markers[pod])
	}
	return u
}

var nameOfBindingA = types.NamespacedName{Namespace: "shop", Name: "a"}

func TestValuesAreCarriedByReadyPods(t *testing.T) {
	ending := livePod("p", "new", corev1.ConditionTrue)
	ending.DeletionTimestamp, ending.Finalizers = timeOf(time.Unix(1, 0)), []string{"example.com/hold"}
	successor := livePod("p", "new", corev1.ConditionTrue)
	successor.UID = "another"
	plain := livePod("p", "new", corev1.ConditionTrue)
	plain.Status.Conditions = nil
	for name, tc := range map[string]struct {
		pods    []client.Object
		markers map[string]string
		want    bool
	}{
		"A ready pod is enough": {
			[]client.Object{livePod("p", "new", corev1.ConditionTrue), livePod("q", "new", corev1.ConditionFalse)},
			map[string]string{"p": "new", "q": "new"}, true,
		},
		"A pod that is not ready is not": {
			[]client.Object{livePod("p", "new", corev1.ConditionFalse)}, map[string]string{"p": "new"}, false,
		},
		"Nor is one of which nothing is known":   {[]client.Object{plain}, map[string]string{"p": "new"}, false},
		"Nor one that is being deleted":          {[]client.Object{ending}, map[string]string{"p": "new"}, false},
		"Nor one that is gone":                   {nil, map[string]string{"p": "new"}, false},
		"Nor one that was replaced":              {[]client.Object{successor}, map[string]string{"p": "new"}, false},
		"Nor one that somebody changed":          {[]client.Object{livePod("p", "old", corev1.ConditionTrue)}, map[string]string{"p": "new"}, false},
		"Nor one that could not be written to":   {[]client.Object{livePod("p", "", corev1.ConditionTrue)}, map[string]string{"p": ""}, false},
		"A pod of the other unit does not count": {[]client.Object{livePod("q", "new", corev1.ConditionTrue)}, map[string]string{"p": "new"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &FlagBindingReconciler{Live: newLiveReads(t, tc.pods...)}
			s := &bindingScope{binding: newBinding("a").Obj()}
			u := marked("checkout", tc.markers)
			carried, err := r.carried(t.Context(), s, []*unit{u})
			if err != nil || slices.Contains(carried, u) != tc.want {
				t.Errorf("carried: want %t, got %v, %v", tc.want, carried, err)
			}
			if waits := r.readiness.bindingsAwaiting(livePod("p", "x", "True")) != nil; waits == tc.want {
				t.Errorf("the binding waits for pods: want %t, got %t", !tc.want, waits)
			}
		})
	}
}

func TestFewPodsAreReadOneByOneAndManyAtOnce(t *testing.T) {
	for pods, want := range map[int][2]int{0: {0, 0}, 2: {2, 0}, fewPods: {fewPods, 0}, fewPods + 1: {0, 1}} {
		markers, live := map[string]string{}, []client.Object{}
		for i := range pods {
			name := fmt.Sprint("p", i)
			markers[name] = "new"
			live = append(live, livePod(name, "new", corev1.ConditionTrue))
		}
		reads := newLiveReads(t, live...)
		r, s := &FlagBindingReconciler{Live: reads}, &bindingScope{binding: newBinding("a").Obj()}
		u := marked("checkout", markers)
		carried, err := r.carried(t.Context(), s, []*unit{u})
		if err != nil || (len(carried) == 1) != (pods > 0) {
			t.Errorf("%d pods: carried by %v, %v", pods, carried, err)
		}
		if got := [2]int{reads.gets, reads.lists}; got != want {
			t.Errorf("%d pods: want %v reads of one and of all, got %v", pods, want, got)
		}
	}
}

func TestAPodThatBecomesReadyMeanwhileIsNotMissed(t *testing.T) {
	pod := livePod("p", "new", corev1.ConditionFalse)
	reads := newLiveReads(t, pod)
	r, s := &FlagBindingReconciler{Live: reads}, &bindingScope{binding: newBinding("a").Obj()}
	var heard []types.NamespacedName
	reads.before = func() { heard = r.readiness.bindingsAwaiting(pod) }
	if _, err := r.carried(t.Context(), s, []*unit{marked("checkout", map[string]string{"p": "new"})}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]types.NamespacedName{nameOfBindingA}, heard); diff != "" {
		t.Errorf("bindings queued for a change while pods are read (-want +got):\n%s", diff)
	}
	reads.err = errors.New("the connection was cut")
	if _, err := r.carried(t.Context(), s, []*unit{marked("checkout", map[string]string{"p": "new"})}); !errors.Is(err, reads.err) {
		t.Errorf("error: want %v, got %v", reads.err, err)
	}
}

func TestOnlyMarkedPodsConcernBindingsThatWait(t *testing.T) {
	var r readiness
	pod := newMetadata("v1", "Pod", "p")
	pod.Annotations = map[string]string{podMarker("a"): "1", podMarker("b"): "1", "other": "1"}
	if got := r.bindingsAwaiting(pod); got != nil {
		t.Errorf("nobody waits: got %v", got)
	}
	r.await(nameOfBindingA)
	r.await(types.NamespacedName{Namespace: "shop", Name: "c"})
	r.await(types.NamespacedName{Namespace: "cart", Name: "b"})
	if diff := cmp.Diff([]types.NamespacedName{nameOfBindingA}, r.bindingsAwaiting(pod)); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
	r.forget(nameOfBindingA)
	if got := r.bindingsAwaiting(pod); got != nil || len(r.awaiting) != 2 {
		t.Errorf("after it was forgotten: got %v, and %d that wait", got, len(r.awaiting))
	}
}

// keepingLogger keeps its events, for it is never run.
func keepingLogger(t *testing.T) *events.Logger {
	t.Helper()
	logger, err := events.New(events.Options{SDKKey: secret.NewKey(plainKey), Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return logger
}

// newExposing is a scope of the binding a, in mode PodReady, with a pod that its unit has marked, and a logger that keeps its events.
func newExposing(t *testing.T, edits ...func(*v1alpha1.FlagBinding)) (*bindingScope, *events.Logger) {
	t.Helper()
	logger := keepingLogger(t)
	binding := newBinding("a").Gate("on").Gate("off").Annotations("flags.example.com").Obj()
	binding.Spec.Exposures = &v1alpha1.Exposures{Mode: v1alpha1.ExposurePodReady, RepeatEvery: &metav1.Duration{Duration: time.Hour}}
	for _, edit := range edits {
		edit(binding)
	}
	s := evaluated(t, newScope(t, binding, evaltest.Compile(t, everyKind()), newDeployment("checkout", "p")), nil)
	s.running = &projectRuntime{logger: logger}
	for i := range s.units {
		s.units[i].mark(s.units[i].pods[0].UID, "new")
	}
	return s, logger
}

func TestWhatIsExposedIsReadNoMore(t *testing.T) {
	reads := newLiveReads(t, livePod("p", "new", corev1.ConditionTrue))
	r := &FlagBindingReconciler{Live: reads}
	s, logger := newExposing(t)
	for _, step := range []struct {
		after         time.Duration
		events, reads int
		next          time.Duration
	}{
		{0, 2, 1, time.Hour},
		{0, 2, 1, time.Hour},
		{59 * time.Minute, 2, 1, time.Minute},
		{time.Hour, 4, 2, time.Hour},
		{time.Hour + time.Minute, 4, 2, 59 * time.Minute},
	} {
		s.now, s.nextExposure = noon.Add(step.after), time.Time{}
		if err := r.expose(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if got := logger.Stats().Pending; got != step.events || reads.gets+reads.lists != step.reads {
			t.Errorf("after %s: want %d events and %d reads, got %d and %d", step.after, step.events, step.reads, got, reads.gets+reads.lists)
		}
		if got := soonest(s.untilNextLook()...); got != step.next {
			t.Errorf("after %s: want the next look after %s, got %s", step.after, step.next, got)
		}
	}
}

func TestWhatDecidesWhetherAUnitIsExposed(t *testing.T) {
	onApply := func(b *v1alpha1.FlagBinding) { b.Spec.Exposures.Mode = v1alpha1.ExposureOnApply }
	for name, tc := range map[string]struct {
		edit       func(*v1alpha1.FlagBinding)
		change     func(*bindingScope)
		ready      corev1.ConditionStatus
		want       int
		wantChecks int
		wantReads  int
	}{
		"A ready pod":                         {ready: "True", want: 2, wantReads: 1},
		"No ready pod":                        {ready: "False", wantReads: 1},
		"No ready pod, with mode OnApply":     {edit: onApply, ready: "False", want: 2},
		"No pod at all":                       {change: func(s *bindingScope) { s.units[0].markers = nil }, ready: "True"},
		"A target that failed":                {change: func(s *bindingScope) { s.units[0].failed = true }, ready: "True"},
		"No user":                             {change: func(s *bindingScope) { s.units[0].user = nil }, ready: "True"},
		"No logger":                           {change: func(s *bindingScope) { s.running.logger = nil }, ready: "True"},
		"Exposures that are switched off":     {edit: func(b *v1alpha1.FlagBinding) { b.Spec.Exposures.Mode = v1alpha1.ExposureNever }, ready: "True"},
		"An entry that has nothing to expose": {change: func(s *bindingScope) { s.units[0].values[0].problem = "X" }, ready: "True", want: 1, wantReads: 1},
		"An entry of which nothing is told is counted": {
			edit: func(b *v1alpha1.FlagBinding) { b.Spec.Entries[1].Exposure = v1alpha1.ExposureDisabled }, ready: "True",
			want: 1, wantChecks: 1, wantReads: 1,
		},
		"A unit of which nothing is told needs no look at pods": {
			edit: func(b *v1alpha1.FlagBinding) {
				b.Spec.Entries[0].Exposure, b.Spec.Entries[1].Exposure = v1alpha1.ExposureDisabled, v1alpha1.ExposureDisabled
			},
			ready: "True", wantChecks: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			reads := newLiveReads(t, livePod("p", "new", tc.ready))
			s, logger := newExposing(t)
			if tc.edit != nil {
				s, logger = newExposing(t, tc.edit)
			}
			if tc.change != nil {
				tc.change(s)
			}
			r := &FlagBindingReconciler{Live: reads}
			if err := r.expose(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			stats := logger.Stats()
			if stats.Pending != tc.want || stats.CheckNames != tc.wantChecks || reads.gets != tc.wantReads {
				t.Errorf("want %d exposures, %d checks and %d reads, got %d, %d and %d", tc.want, tc.wantChecks, tc.wantReads,
					stats.Pending, stats.CheckNames, reads.gets)
			}
		})
	}
}

func TestOnlyUpdatesOfTheStatusAreLetThrough(t *testing.T) {
	base := func(change func(*metav1.PartialObjectMetadata)) *metav1.PartialObjectMetadata {
		pod := newMetadata("v1", "Pod", "p")
		pod.ResourceVersion = "1"
		change(pod)
		return pod
	}
	for name, tc := range map[string]struct {
		change func(*metav1.PartialObjectMetadata)
		want   bool
	}{
		"A resync":                        {func(*metav1.PartialObjectMetadata) {}, false},
		"A change of what metadata lacks": {func(p *metav1.PartialObjectMetadata) { p.ResourceVersion = "2" }, true},
		"A change of labels, which others see": {func(p *metav1.PartialObjectMetadata) {
			p.ResourceVersion, p.Labels = "2", map[string]string{"a": "1"}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := event.UpdateEvent{ObjectOld: base(func(*metav1.PartialObjectMetadata) {}), ObjectNew: base(tc.change)}
			if got := onlyStatusChanged().Update(e); got != tc.want {
				t.Errorf("let through: want %t, got %t", tc.want, got)
			}
		})
	}
	p, pod := onlyStatusChanged(), base(func(*metav1.PartialObjectMetadata) {})
	if p.Create(event.CreateEvent{Object: pod}) || p.Delete(event.DeleteEvent{Object: pod}) || p.Generic(event.GenericEvent{Object: pod}) {
		t.Error("what is no update is let through")
	}
}
