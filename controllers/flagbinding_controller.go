package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// +kubebuilder:rbac:groups=flags.statsig-operator.dev,resources=flagbindings,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=flags.statsig-operator.dev,resources=flagbindings/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=flags.statsig-operator.dev,resources=flagbindings/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets;replicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups=batch,resources=jobs;cronjobs,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// FlagBindingReconciler evaluates the entries of FlagBindings and writes the values to their targets.
type FlagBindingReconciler struct {
	// Client writes, and reads from the cache.
	Client client.Client
	// Live reads past the cache: objects that are not ours are looked at by name and never cached.
	Live client.Reader
	// Cache is where kinds of workloads are added when a binding first names them.
	Cache cache.Cache
	// Runtimes holds what the StatsigProject reconciler set running.
	Runtimes *Runtimes
	// Recorder emits Kubernetes Events.
	Recorder events.EventRecorder
	// ClusterName is the value of cluster.name in user expressions.
	ClusterName string
	// Concurrency is the number of bindings reconciled at once.
	Concurrency int
	// Now is the clock.
	Now func() time.Time

	programs programCache[*subject.Program]
	written  writtenVersions
	watches  workloadWatches
	// readiness serves exposures of mode PodReady.
	readiness readiness
	// rollouts serves the events of rollouts.
	rollouts rollouts
}

// Reconcile brings the targets of one FlagBinding to the values that its project's rules give.
func (r *FlagBindingReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	// What becomes of a pod from now on is seen in this reconcile, or waited for again.
	r.readiness.forget(request.NamespacedName)
	binding := &v1alpha1.FlagBinding{}
	if err := r.Client.Get(ctx, request.NamespacedName, binding); err != nil {
		r.programs.forget(request.NamespacedName)
		r.written.forget(request.NamespacedName)
		r.rollouts.forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.written.isStale(binding) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	if !binding.DeletionTimestamp.IsZero() {
		r.rollouts.forget(request.NamespacedName)
		return outcome(r.reconcileDelete(ctx, binding))
	}
	s := &bindingScope{binding: binding.DeepCopy(), now: r.Now()}
	if err := r.ensureFinalizer(ctx, s); err != nil {
		return outcome(err)
	}
	err := r.runPhases(ctx, s)
	r.observePropagation(s, err)
	r.followRollouts(s, err)
	if s.awaitsSpecs && binding.Status.ObservedGeneration == binding.Generation {
		// The operator has just started. What the status says of the last run still stands; saying "pending" would only churn.
		return outcome(err)
	}
	err = errors.Join(err, r.patchStatus(ctx, binding, s, err))
	return r.Runtimes.bindingRequests.retried(request, err, s.untilNextLook()...)
}

// phase is one step of a reconcile.
type phase struct {
	doing string
	run   func(context.Context, *bindingScope) error
}

// runPhases observes, decides and acts. Each observation builds on those before it, so the first error ends them; the acts don't
// depend on one another, so all are tried.
func (r *FlagBindingReconciler) runPhases(ctx context.Context, s *bindingScope) error {
	if s.binding.Spec.Suspend {
		return nil
	}
	if r.compileUser(s); s.blocked() {
		return nil
	}
	for _, p := range []phase{
		{"resolving the project", r.resolveProject},
		{"finding workloads", r.findWorkloads},
		{"finding pods", r.findPods},
	} {
		if err := p.run(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", p.doing, err)
		}
		if s.blocked() || s.suspended() != "" {
			return nil
		}
	}
	s.units = buildUnits(s.binding, s.workloads)
	evaluateUnits(s, r.ClusterName)
	var errs []error
	for _, p := range []phase{
		{"writing ConfigMaps", r.applyConfigMaps},
		{"annotating pods", r.annotatePods},
		{"removing what is not wanted any more", r.cleanUp},
		{"reporting exposures", r.expose},
	} {
		if err := p.run(ctx, s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.doing, err))
		}
	}
	s.acted = true
	return errors.Join(errs...)
}

// observePropagation measures how long new specs took to arrive in targets. Writes for other reasons, such as a pod that appeared, say
// nothing of that.
func (r *FlagBindingReconciler) observePropagation(s *bindingScope, err error) {
	if err != nil || s.wrote == 0 || s.snapshot == nil || s.binding.Status.SpecsHash == "" ||
		s.binding.Status.SpecsHash == shortHash(s.snapshot.Hash()) {
		return
	}
	propagation.Observe(r.Now().Sub(s.snapshot.Origin().ReceivedAt).Seconds())
}

// blocked reports whether nothing may be evaluated or written.
func (s *bindingScope) blocked() bool {
	return s.invalid != nil || s.notPermitted != "" || s.awaitsSpecs || s.interrupted
}

// patchStatus writes the status if its meaning changed, and then emits the Kubernetes Events that tell of the change.
func (r *FlagBindingReconciler) patchStatus(
	ctx context.Context, before *v1alpha1.FlagBinding, s *bindingScope, phaseErr error,
) error {
	scrub := r.Runtimes.Scrubber.Scrub
	computeBindingStatus(s, phaseErr, scrub)
	if equality.Semantic.DeepEqual(before.Status, s.binding.Status) {
		return nil
	}
	announce := bindingEvents(before, s.binding)
	// The finalizer may have moved the resource version on since before was read.
	base := before.DeepCopy()
	base.ResourceVersion = s.binding.ResourceVersion
	patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, s.binding, patch); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	r.written.note(base, s.binding)
	announce.send(r.Recorder, s.binding, scrub)
	return nil
}

// untilNextLook lists the times after which the binding must be looked at although nothing tells.
func (s *bindingScope) untilNextLook() []time.Duration {
	var after []time.Duration
	if !s.boundary.IsZero() {
		after = append(after, max(s.boundary.Sub(s.now), time.Millisecond))
	}
	if !s.nextExposure.IsZero() {
		after = append(after, s.nextExposure.Sub(s.now))
	}
	if s.awaitsOthers() {
		after = append(after, foreignObjectRetry)
	}
	return after
}

// awaitsOthers reports whether something is in the way that is not watched: a foreign object, a kind that does not exist.
func (s *bindingScope) awaitsOthers() bool {
	for i := range s.targets {
		if s.targets[i].reason == v1alpha1.ReasonTargetConflict {
			return true
		}
	}
	return s.incomplete()
}
