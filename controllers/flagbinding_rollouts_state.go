package controllers

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

// deploymentRevision is the annotation in which the Deployment controller counts revisions.
const deploymentRevision = "deployment.kubernetes.io/revision"

// workloadKey names a workload.
type workloadKey struct {
	kind schema.GroupVersionKind
	types.NamespacedName
}

// rollingWorkload is a workload whose rollouts are to be reported, and the user that it is to Statsig.
type rollingWorkload struct {
	key  workloadKey
	uid  types.UID
	user []byte
}

// rollouts knows the workloads whose rollouts are reported, and how far each of those is. It has those that bindings have now, and
// forgets a workload with its last binding. The zero value is ready; it is safe for concurrent use.
type rollouts struct {
	mu       sync.Mutex
	followed map[workloadKey]*followedWorkload
	// byBinding has the keys in followed that each binding gave.
	byBinding map[types.NamespacedName][]workloadKey
	// queue has the workloads to look at; nil before the controller starts.
	queue workqueue.TypedRateLimitingInterface[workloadKey]
}

type followedWorkload struct {
	uid types.UID
	// bindings is never empty.
	bindings map[types.NamespacedName]rolloutBinding
	// states has one element for each project in bindings, so that what happens is told once to each.
	states map[types.NamespacedName]events.RolloutState
}

// rolloutBinding is what one binding makes of a workload.
type rolloutBinding struct {
	project types.NamespacedName
	user    []byte
}

// follower is a project that a workload's rollouts are reported to.
type follower struct {
	project types.NamespacedName
	user    []byte
	state   events.RolloutState
}

// start takes the controller's queue, and has it begin with what was followed before.
func (r *rollouts) start(_ context.Context, queue workqueue.TypedRateLimitingInterface[workloadKey]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = queue
	for key := range r.followed {
		queue.Add(key)
	}
	return nil
}

// follow replaces the workloads that are followed for a binding. One that is new to a project is looked at: what happens from then on
// is told.
func (r *rollouts) follow(binding, project types.NamespacedName, workloads []rollingWorkload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone map[workloadKey]bool
	for _, key := range r.byBinding[binding] {
		if gone == nil {
			gone = map[workloadKey]bool{}
		}
		gone[key] = true
	}
	keys := make([]workloadKey, 0, len(workloads))
	for _, w := range workloads {
		keys = append(keys, w.key)
		delete(gone, w.key)
		r.followOne(binding, project, w)
	}
	for key := range gone {
		r.drop(key, binding)
	}
	if len(keys) == 0 {
		delete(r.byBinding, binding)
		return
	}
	if r.byBinding == nil {
		r.byBinding = map[types.NamespacedName][]workloadKey{}
	}
	r.byBinding[binding] = keys
}

// forget ends what is followed for a binding.
func (r *rollouts) forget(binding types.NamespacedName) {
	r.follow(binding, types.NamespacedName{}, nil)
}

// followOne needs the lock.
func (r *rollouts) followOne(binding, project types.NamespacedName, workload rollingWorkload) {
	if r.followed == nil {
		r.followed = map[workloadKey]*followedWorkload{}
	}
	w := r.followed[workload.key]
	if w == nil || w.uid != workload.uid {
		// Another object of the same name begins anew. Its other bindings follow it when they see it.
		w = &followedWorkload{
			uid:      workload.uid,
			bindings: map[types.NamespacedName]rolloutBinding{}, states: map[types.NamespacedName]events.RolloutState{},
		}
		r.followed[workload.key] = w
	}
	w.bindings[binding] = rolloutBinding{project, workload.user}
	w.dropStates()
	if _, known := w.states[project]; !known {
		w.states[project] = events.RolloutState{}
		if r.queue != nil {
			r.queue.Add(workload.key)
		}
	}
}

// drop ends following a workload for a binding. It needs the lock.
func (r *rollouts) drop(key workloadKey, binding types.NamespacedName) {
	w := r.followed[key]
	if w == nil {
		return
	}
	delete(w.bindings, binding)
	if len(w.bindings) == 0 {
		delete(r.followed, key)
		return
	}
	w.dropStates()
}

// dropStates forgets what is known for projects that no binding reports to any more.
func (w *followedWorkload) dropStates() {
	for project := range w.states {
		reported := false
		for _, b := range w.bindings {
			reported = reported || b.project == project
		}
		if !reported {
			delete(w.states, project)
		}
	}
}

// follows reports whether a workload's rollouts are reported to anybody.
func (r *rollouts) follows(key workloadKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.followed[key] != nil
}

// followers are the projects that a workload's rollouts are reported to. The user is that of the first binding by name where several
// bindings of one project have the workload.
func (r *rollouts) followers(key workloadKey, uid types.UID) []follower {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.followed[key]
	if w == nil || w.uid != uid {
		return nil
	}
	var found []follower
	told := map[types.NamespacedName]bool{}
	// All are in the workload's namespace.
	byName := func(a, b types.NamespacedName) int { return strings.Compare(a.Name, b.Name) }
	for _, name := range slices.SortedFunc(maps.Keys(w.bindings), byName) {
		b := w.bindings[name]
		if !told[b.project] {
			told[b.project] = true
			found = append(found, follower{b.project, b.user, w.states[b.project]})
		}
	}
	return found
}

// keep notes how far a workload's rollout is, unless nobody follows it any more.
func (r *rollouts) keep(key workloadKey, uid types.UID, project types.NamespacedName, state events.RolloutState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.followed[key]
	if w == nil || w.uid != uid {
		return
	}
	if _, followed := w.states[project]; followed {
		w.states[project] = state
	}
}

// newWorkload is an empty object of a kind that has rollouts, and nil for other kinds.
func newWorkload(kind schema.GroupVersionKind) client.Object {
	switch kind {
	case appsv1.SchemeGroupVersion.WithKind("Deployment"):
		return &appsv1.Deployment{}
	case appsv1.SchemeGroupVersion.WithKind("StatefulSet"):
		return &appsv1.StatefulSet{}
	case appsv1.SchemeGroupVersion.WithKind("DaemonSet"):
		return &appsv1.DaemonSet{}
	default:
		return nil
	}
}

// rolloutOf is what a workload says of its rollout.
func rolloutOf(object client.Object) events.RolloutObservation {
	o := events.RolloutObservation{Generation: object.GetGeneration()}
	switch w := object.(type) {
	case *appsv1.Deployment:
		o.Revision, o.ObservedGeneration = w.Annotations[deploymentRevision], w.Status.ObservedGeneration
		o.Hash = w.Spec.Template.Annotations[v1alpha1.HashAnnotation]
		o.Replicas, o.Total = wantedReplicas(w.Spec.Replicas), w.Status.Replicas
		o.Updated, o.Available = w.Status.UpdatedReplicas, w.Status.AvailableReplicas
		o.DeadlineExceeded = slices.ContainsFunc(w.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
			return c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded"
		})
	case *appsv1.StatefulSet:
		o.Revision, o.ObservedGeneration = w.Status.UpdateRevision, w.Status.ObservedGeneration
		o.Hash = w.Spec.Template.Annotations[v1alpha1.HashAnnotation]
		o.Replicas, o.Total = wantedReplicas(w.Spec.Replicas), w.Status.Replicas
		o.Updated, o.Available = w.Status.UpdatedReplicas, w.Status.AvailableReplicas
	case *appsv1.DaemonSet:
		// The status names no revision. This counts changes of the template, and no others; the API server itself keeps it.
		o.Revision, o.ObservedGeneration = w.Annotations[appsv1.DeprecatedTemplateGeneration], w.Status.ObservedGeneration
		o.Hash = w.Spec.Template.Annotations[v1alpha1.HashAnnotation]
		o.Replicas, o.Total = w.Status.DesiredNumberScheduled, w.Status.CurrentNumberScheduled
		o.Updated, o.Available = w.Status.UpdatedNumberScheduled, w.Status.NumberAvailable
	}
	return o
}

// wantedReplicas is spec.replicas, which the API server sets to 1 where nobody does.
func wantedReplicas(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
