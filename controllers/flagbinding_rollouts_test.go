package controllers

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

func TestWorkloadsTellOfTheirRollouts(t *testing.T) {
	meta := metav1.ObjectMeta{
		Generation: 5, Annotations: map[string]string{deploymentRevision: "3", appsv1.DeprecatedTemplateGeneration: "4"},
	}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.HashAnnotation: "b91e04d7"}}}
	six := int32(6)
	deployment := func(conditions ...appsv1.DeploymentCondition) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &six, Template: template},
			Status: appsv1.DeploymentStatus{
				ObservedGeneration: 4, Replicas: 7, UpdatedReplicas: 2, AvailableReplicas: 5, Conditions: conditions,
			},
		}
	}
	condition := func(kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason string) appsv1.DeploymentCondition {
		return appsv1.DeploymentCondition{Type: kind, Status: status, Reason: reason}
	}
	ofDeployment := events.RolloutObservation{
		Revision: "3", Hash: "b91e04d7", Generation: 5, ObservedGeneration: 4, Replicas: 6, Total: 7, Updated: 2, Available: 5,
	}
	late := ofDeployment
	late.DeadlineExceeded = true
	for name, tc := range map[string]struct {
		object client.Object
		want   events.RolloutObservation
	}{
		"A Deployment": {deployment(), ofDeployment},
		"A Deployment that makes no progress": {
			deployment(condition("Available", "True", "X"), condition("Progressing", "False", "ProgressDeadlineExceeded")), late,
		},
		"A Deployment that is paused":       {deployment(condition("Progressing", "Unknown", "DeploymentPaused")), ofDeployment},
		"A Deployment that nobody has seen": {&appsv1.Deployment{}, events.RolloutObservation{Replicas: 1}},
		"A StatefulSet": {
			&appsv1.StatefulSet{
				ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: &six, Template: template},
				Status: appsv1.StatefulSetStatus{
					ObservedGeneration: 5, CurrentRevision: "a", UpdateRevision: "b", Replicas: 7, UpdatedReplicas: 2, AvailableReplicas: 4,
				},
			},
			events.RolloutObservation{
				Revision: "b", Hash: "b91e04d7", Generation: 5, ObservedGeneration: 5, Replicas: 6, Total: 7, Updated: 2, Available: 4,
			},
		},
		"A DaemonSet": {
			&appsv1.DaemonSet{
				ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Template: template},
				Status: appsv1.DaemonSetStatus{
					ObservedGeneration: 5, DesiredNumberScheduled: 9, CurrentNumberScheduled: 8, UpdatedNumberScheduled: 7, NumberAvailable: 6,
				},
			},
			events.RolloutObservation{
				Revision: "4", Hash: "b91e04d7", Generation: 5, ObservedGeneration: 5, Replicas: 9, Total: 8, Updated: 7, Available: 6,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, rolloutOf(tc.object)); diff != "" {
				t.Errorf("observation (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlySomeKindsHaveRollouts(t *testing.T) {
	for kind, want := range map[schema.GroupVersionKind]bool{
		{Group: "apps", Version: "v1", Kind: "Deployment"}:           true,
		{Group: "apps", Version: "v1", Kind: "StatefulSet"}:          true,
		{Group: "apps", Version: "v1", Kind: "DaemonSet"}:            true,
		{Group: "apps", Version: "v1", Kind: "ReplicaSet"}:           false,
		{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}: false,
		{Group: "batch", Version: "v1", Kind: "Job"}:                 false,
	} {
		if got := newWorkload(kind) != nil; got != want {
			t.Errorf("%s: want %t, got %t", kind, want, got)
		}
	}
}

var (
	projectA = types.NamespacedName{Namespace: "shop", Name: "project-a"}
	projectB = types.NamespacedName{Namespace: "shop", Name: "project-b"}
)

func bindingNamed(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: name}
}

// rolling is a Deployment in namespace shop, as a binding follows it.
func rolling(name, user string) rollingWorkload {
	key := workloadKey{deploymentKind, types.NamespacedName{Namespace: "shop", Name: name}}
	return rollingWorkload{key, types.UID("uid-of-" + name), []byte(user)}
}

// rolloutQueue gives rollouts a queue, and returns what takes the names of the queued workloads.
func rolloutQueue(t *testing.T, r *rollouts) (queue workqueue.TypedRateLimitingInterface[workloadKey], take func() []string) {
	t.Helper()
	queue = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[workloadKey]())
	t.Cleanup(queue.ShutDown)
	if err := r.start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	return queue, func() []string {
		var names []string
		for queue.Len() > 0 {
			key, _ := queue.Get()
			queue.Done(key)
			names = append(names, key.Name)
		}
		slices.Sort(names)
		return names
	}
}

func usersOf(r *rollouts, workload rollingWorkload) []string {
	var users []string
	for _, f := range r.followers(workload.key, workload.uid) {
		users = append(users, f.project.Name+" "+string(f.user))
	}
	return users
}

func TestWorkloadsAreFollowedAsLongAsABindingHasThem(t *testing.T) {
	var r rollouts
	web, cart := rolling("web", "web"), rolling("cart", "cart")
	r.follow(bindingNamed("b"), projectA, []rollingWorkload{rolling("web", "b"), cart})
	_, take := rolloutQueue(t, &r)
	if diff := cmp.Diff([]string{"cart", "web"}, take()); diff != "" {
		t.Errorf("looked at when the controller starts (-want +got):\n%s", diff)
	}
	r.follow(bindingNamed("a"), projectA, []rollingWorkload{rolling("web", "a")})
	r.follow(bindingNamed("b"), projectA, []rollingWorkload{rolling("web", "b"), cart})
	if got := take(); got != nil {
		t.Errorf("looked at again for the same project: %v", got)
	}
	r.follow(bindingNamed("c"), projectB, []rollingWorkload{rolling("web", "c")})
	if diff := cmp.Diff([]string{"web"}, take()); diff != "" {
		t.Errorf("looked at for another project (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"project-a a", "project-b c"}, usersOf(&r, web)); diff != "" {
		t.Errorf("followers (-want +got):\n%s", diff)
	}

	known := events.RolloutState{Revision: "1"}
	r.keep(web.key, web.uid, projectA, known)
	r.keep(web.key, "another", projectB, known)
	r.forget(bindingNamed("a"))
	if diff := cmp.Diff([]string{"project-a b", "project-b c"}, usersOf(&r, web)); diff != "" {
		t.Errorf("followers after the first binding is gone (-want +got):\n%s", diff)
	}
	if got := r.followers(web.key, web.uid); got[0].state != known || got[1].state != (events.RolloutState{}) {
		t.Errorf("states: %+v", got)
	}
	// A binding that goes over to another project takes the state of neither with it.
	r.follow(bindingNamed("b"), projectB, []rollingWorkload{rolling("web", "b")})
	if diff := cmp.Diff([]string{"project-b b"}, usersOf(&r, web)); diff != "" {
		t.Errorf("followers after it went over (-want +got):\n%s", diff)
	}
	if r.follows(cart.key) || len(r.followed) != 1 || len(r.followed[web.key].states) != 1 {
		t.Errorf("still followed: %+v", r.followed)
	}
	r.forget(bindingNamed("b"))
	r.forget(bindingNamed("c"))
	r.forget(bindingNamed("never"))
	r.keep(web.key, web.uid, projectB, known)
	if len(r.followed)+len(r.byBinding) != 0 || r.followers(web.key, web.uid) != nil {
		t.Errorf("left over: %+v, %+v", r.followed, r.byBinding)
	}
}

func TestAnotherWorkloadOfTheSameNameBeginsAnew(t *testing.T) {
	var r rollouts
	web := rolling("web", "a")
	r.follow(bindingNamed("a"), projectA, []rollingWorkload{web})
	_, take := rolloutQueue(t, &r)
	take()
	r.keep(web.key, web.uid, projectA, events.RolloutState{Revision: "7"})
	next := web
	next.uid = "uid-of-the-next"
	r.follow(bindingNamed("a"), projectA, []rollingWorkload{next})
	if diff := cmp.Diff([]string{"web"}, take()); diff != "" {
		t.Errorf("looked at (-want +got):\n%s", diff)
	}
	if got := r.followers(next.key, next.uid); len(got) != 1 || got[0].state != (events.RolloutState{}) {
		t.Errorf("followers: %+v", got)
	}
	if got := r.followers(web.key, web.uid); got != nil {
		t.Errorf("followers of the former: %+v", got)
	}
}

func TestChangesOfFollowedWorkloadsAreLookedAt(t *testing.T) {
	object := func(name, version string) client.Object {
		o := newMetadata("apps/v1", "Deployment", name)
		o.ResourceVersion = version
		return o
	}
	for name, tc := range map[string]struct {
		before, after client.Object
		want          bool
	}{
		"A change, whatever it is":       {object("web", "1"), object("web", "2"), true},
		"A resync changes nothing":       {object("web", "1"), object("web", "1"), false},
		"A workload that nobody follows": {object("cart", "1"), object("cart", "2"), false},
	} {
		t.Run(name, func(t *testing.T) {
			var r rollouts
			r.follow(bindingNamed("a"), projectA, []rollingWorkload{rolling("web", "a")})
			added := &addedAfter{}
			r.handler(deploymentKind).Update(t.Context(), event.UpdateEvent{ObjectOld: tc.before, ObjectNew: tc.after}, added)
			if got := added.after == rolloutNews; got != tc.want {
				t.Errorf("queued: want %t, got %t", tc.want, got)
			}
		})
	}
}

// addedAfter is a queue that notes the last delay.
type addedAfter struct {
	workqueue.TypedRateLimitingInterface[workloadKey]
	after time.Duration
}

func (q *addedAfter) AddAfter(_ workloadKey, after time.Duration) { q.after = after }

func TestRolloutsAreToldToEachProjectOnce(t *testing.T) {
	deployment := &appsv1.Deployment{ObjectMeta: controlledBy("web", "")}
	deployment.Annotations = map[string]string{deploymentRevision: "1"}
	reads := newLiveReads(t, deployment)
	cluster := reads.Reader.(client.Client)
	runtimes := NewRuntimes(&secret.Scrubber{}, "test", "")
	loggers := map[types.NamespacedName]*events.Logger{}
	for _, project := range []types.NamespacedName{projectA, projectB} {
		loggers[project] = keepingLogger(t)
		runtimes.byProject[project] = &projectRuntime{logger: loggers[project]}
	}
	r := &FlagBindingReconciler{Live: reads, Runtimes: runtimes, Now: func() time.Time { return noon }}
	web := rolling("web", "{}")
	observe := func(key workloadKey) {
		t.Helper()
		if _, err := r.observeRollout(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	told := func(want int) {
		t.Helper()
		for project, logger := range loggers {
			if got := logger.Stats().Pending; got != want {
				t.Errorf("%s was told %d events, want %d", project.Name, got, want)
			}
		}
	}
	roll := func(revision string) {
		t.Helper()
		deployment.Annotations[deploymentRevision] = revision
		if err := cluster.Update(t.Context(), deployment); err != nil {
			t.Fatal(err)
		}
	}
	observe(web.key)
	if reads.gets != 0 {
		t.Error("a workload that nobody follows was read")
	}
	r.rollouts.follow(bindingNamed("a"), projectA, []rollingWorkload{web})
	r.rollouts.follow(bindingNamed("b"), projectA, []rollingWorkload{web})
	r.rollouts.follow(bindingNamed("c"), projectB, []rollingWorkload{web})
	observe(web.key)
	told(0)
	roll("2")
	observe(web.key)
	observe(web.key)
	told(1)
	// A project that does not run at the moment is told when it does again.
	paused := runtimes.byProject[projectB]
	runtimes.byProject[projectB] = nil
	roll("3")
	observe(web.key)
	runtimes.byProject[projectB] = paused
	observe(web.key)
	told(2)

	reads.err = errors.New("the connection was cut")
	if _, err := r.observeRollout(t.Context(), web.key); !errors.Is(err, reads.err) {
		t.Errorf("error: want %v, got %v", reads.err, err)
	}
	reads.err = nil
	if err := cluster.Delete(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	observe(web.key)
	told(2)
}

func TestWhatDecidesWhetherRolloutsAreFollowed(t *testing.T) {
	failed := errors.New("the connection was cut")
	for name, tc := range map[string]struct {
		change func(*bindingScope)
		err    error
		// want is for a workload that is not followed yet, wantStill for one that is.
		want, wantStill bool
	}{
		"The option is on":                {func(*bindingScope) {}, nil, true, true},
		"It is on, and a target failed":   {func(*bindingScope) {}, failed, true, true},
		"It is off":                       {func(s *bindingScope) { s.project.Spec.Events.Rollouts = v1alpha1.EventsDisabled }, nil, false, false},
		"It is off, and a target failed":  {func(s *bindingScope) { s.project.Spec.Events.Rollouts = v1alpha1.EventsDisabled }, failed, false, false},
		"It is not set":                   {func(s *bindingScope) { s.project.Spec.Events = nil }, nil, false, false},
		"No events are sent":              {func(s *bindingScope) { s.running.logger = nil }, nil, false, false},
		"The binding is suspended":        {func(s *bindingScope) { s.project, s.running, s.acted = nil, nil, false }, nil, false, false},
		"The project could not be read":   {func(s *bindingScope) { s.project, s.running, s.acted = nil, nil, false }, failed, false, true},
		"Its first answer is awaited":     {func(s *bindingScope) { s.running, s.awaitsSpecs, s.acted = nil, true, false }, nil, false, true},
		"There are no specs":              {func(s *bindingScope) { s.evaluator = nil }, nil, false, true},
		"Workloads could not be read":     {func(s *bindingScope) { s.acted = false }, failed, false, true},
		"The workload is bound no more":   {func(s *bindingScope) { s.units = nil }, nil, false, false},
		"Nobody is the user":              {func(s *bindingScope) { s.units[0].user = nil }, nil, false, false},
		"Units are pods":                  {func(s *bindingScope) { s.binding.Spec.Subject.Unit = v1alpha1.UnitPod }, nil, false, false},
		"The workload is of another kind": {func(s *bindingScope) { s.units[0].workload.Kind = "CronJob" }, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, before := range []bool{false, true} {
				binding := newBinding("a").Gate("on").ConfigMap("f").Obj()
				s := evaluated(t, newScope(t, binding, evaltest.Compile(t, everyKind()), newDeployment("checkout")), nil)
				s.project.Spec.Events = &v1alpha1.EventsSpec{Rollouts: v1alpha1.EventsEnabled}
				s.running = &projectRuntime{logger: keepingLogger(t)}
				r := &FlagBindingReconciler{}
				key := workloadKey{deploymentKind, types.NamespacedName{Namespace: "shop", Name: "checkout"}}
				if before {
					r.followRollouts(s, nil)
				}
				tc.change(s)
				r.followRollouts(s, tc.err)
				want := tc.want || (before && tc.wantStill)
				if got := r.rollouts.follows(key); got != want {
					t.Errorf("followed before: %t; followed now: want %t, got %t", before, want, got)
				}
			}
		})
	}
}
