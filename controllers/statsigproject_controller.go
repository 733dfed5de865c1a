package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups=flags.statsig-operator.dev,resources=statsigprojects,verbs=get;list;watch
// +kubebuilder:rbac:groups=flags.statsig-operator.dev,resources=statsigprojects/status,verbs=get;update;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get

// StatsigProjectReconciler sets a syncer and an event logger running for each StatsigProject and tells how they fare.
// It runs on every replica, so that each can answer at once and the next leader has everything ready; only the leader
// tells.
type StatsigProjectReconciler struct {
	// Client writes, and reads from the cache.
	Client client.Client
	// Live reads Secrets and ConfigMaps by name, past the cache.
	Live client.Reader
	// Runtimes holds what this reconciler sets running.
	Runtimes *Runtimes
	// Recorder emits Kubernetes Events.
	Recorder events.EventRecorder
	// Now is the clock.
	Now func() time.Time

	written writtenVersions
}

// secretReread is how often the Secret is read again, so that a new key is taken up although Secrets are not watched: watching them
// would need the right to read all of them.
const secretReread = 5 * time.Minute

// missingSecretRetry is the pause before a Secret that is missing is looked for again.
const missingSecretRetry = 10 * time.Second

// refusedKeyRetry is how often the Secret is read again while its key is refused: somebody is about to put a good one there.
const refusedKeyRetry = 30 * time.Second

// projectScope is what one reconcile of a StatsigProject observed.
type projectScope struct {
	project *v1alpha1.StatsigProject
	now     time.Time

	// key is set by resolveKey; see there.
	key keyObservation
	// references is set by resolveReferences, beside missing.
	references *projectReferences
	// missing is what the project names and is not there, its SDK key aside.
	missing *refProblem
	// setUpErr says why the project's parts could not be set up as the spec says.
	setUpErr error
	// running is nil while nothing runs.
	running *projectRuntime
	// candidate is to replace running as soon as it has specs; nil when running is what the spec asks for.
	candidate *projectRuntime
	// bindings is the number of FlagBindings that refer to the project.
	bindings int
	// phaseErr says why the observations ended early.
	phaseErr error
}

// Reconcile brings what runs for one StatsigProject in line with its spec.
func (r *StatsigProjectReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	project := &v1alpha1.StatsigProject{}
	if err := r.Client.Get(ctx, request.NamespacedName, project); err != nil {
		if client.IgnoreNotFound(err) != nil {
			return ctrl.Result{}, err
		}
		r.written.forget(request.NamespacedName)
		return ctrl.Result{}, r.Runtimes.forget(ctx, request.NamespacedName)
	}
	if r.written.isStale(project) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	s := &projectScope{project: project.DeepCopy(), now: r.Now()}
	s.running, _ = r.Runtimes.lookup(request.NamespacedName)
	s.candidate = r.Runtimes.candidate(request.NamespacedName)
	for _, phase := range []func(context.Context, *projectScope) error{
		r.resolveKey, r.resolveReferences, r.setUp, r.countBindings,
	} {
		if s.phaseErr = phase(ctx, s); s.phaseErr != nil {
			return outcome(errors.Join(s.phaseErr, r.patchStatus(ctx, project, s)))
		}
	}
	if s.isStarting() && project.Status.ObservedGeneration == project.Generation {
		// The operator has just started. What the status says of the last run stands until the first answer.
		return outcome(nil, s.untilNextLook()...)
	}
	return outcome(r.patchStatus(ctx, project, s), s.untilNextLook()...)
}

// isStarting reports whether the first answer of the sources is outstanding.
func (s *projectScope) isStarting() bool { return s.running != nil && !s.judged().Attempted }

// patchStatus writes the status if its meaning changed, and then emits the Kubernetes Events that tell of the change.
// Both are the leader's business.
func (r *StatsigProjectReconciler) patchStatus(ctx context.Context, before *v1alpha1.StatsigProject, s *projectScope) error {
	if !r.Runtimes.leads() {
		return nil
	}
	scrub := r.Runtimes.Scrubber.Scrub
	computeProjectStatus(s, scrub)
	if equality.Semantic.DeepEqual(before.Status, s.project.Status) {
		return nil
	}
	announce := projectEvents(before, s.project)
	patch := client.MergeFromWithOptions(before.DeepCopy(), client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, s.project, patch); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	r.written.note(before, s.project)
	announce.send(r.Recorder, s.project, scrub)
	return nil
}

// SetupWithManager registers the reconciler and its watches.
func (r *StatsigProjectReconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.StatsigProject{}, builder.WithPredicates(projectChanged())).
		Watches(&v1alpha1.FlagBinding{}, handler.EnqueueRequestsFromMapFunc(projectOfBinding), builder.WithPredicates(specOrDeletionChanged())).
		WatchesRawSource(r.Runtimes.projectChanges()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 2, NeedLeaderElection: new(false)}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up the StatsigProject controller: %w", err)
	}
	return nil
}

// projectOfBinding queues the project of a binding, whose count of bindings may have changed.
func projectOfBinding(_ context.Context, o client.Object) []reconcile.Request {
	binding, ok := o.(*v1alpha1.FlagBinding)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: projectKey(binding)}}
}

// readsByName reports whether the project names objects that are not watched.
func readsByName(project *v1alpha1.StatsigProject) bool {
	return project.Spec.SDKKeySecretRef != nil || project.Spec.Transport != nil || project.Spec.Webhook != nil ||
		slices.ContainsFunc(sourcesOf(project), func(s v1alpha1.SpecsSource) bool { return s.DataStore != nil })
}

// untilNextLook lists the times after which the project must be looked at although nothing tells.
func (s *projectScope) untilNextLook() []time.Duration {
	if s.project.Spec.Suspend {
		return nil
	}
	after := []time.Duration{s.untilStale()}
	switch {
	case s.key.reason != "" || s.missing != nil:
		after = append(after, missingSecretRetry)
	case readsByName(s.project):
		after = append(after, secretReread+spread(s.project.UID, secretReread/10))
	}
	if isRefused(s) {
		after = append(after, refusedKeyRetry)
	}
	return after
}
