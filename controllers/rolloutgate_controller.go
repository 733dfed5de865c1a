package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups=flags.statsig-operator.dev,resources=rolloutgates,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=flags.statsig-operator.dev,resources=rolloutgates/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=flags.statsig-operator.dev,resources=rolloutgates/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// RolloutGateReconciler evaluates the expressions of RolloutGates, and makes pods and Deployments wait for them.
type RolloutGateReconciler struct {
	// Client writes, and reads from the cache.
	Client client.Client
	// Runtimes holds what the StatsigProject reconciler set running.
	Runtimes *Runtimes
	// Recorder emits Kubernetes Events.
	Recorder events.EventRecorder
	// ClusterName is the value of cluster.name in expressions.
	ClusterName string
	// Namespaces are those that are watched; none means all.
	Namespaces []string
	// Concurrency is the number of gates reconciled at once.
	Concurrency int
	// Now is the clock.
	Now func() time.Time

	holds    gateHolder
	programs programCache[gateProgram]
	written  writtenVersions
}

// gateHolder is what makes pods and Deployments wait.
type gateHolder interface {
	enforce(ctx context.Context, g *v1alpha1.RolloutGate) (holdOutcome, error)
	release(ctx context.Context, g *v1alpha1.RolloutGate) (more bool, err error)
	forget(g types.NamespacedName)
}

// Reconcile brings the state of one RolloutGate, and what waits for it, in line with what its expression gives.
func (r *RolloutGateReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	found := &v1alpha1.RolloutGate{}
	if err := r.Client.Get(ctx, request.NamespacedName, found); err != nil {
		r.programs.forget(request.NamespacedName)
		r.written.forget(request.NamespacedName)
		r.holds.forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.written.isStale(found) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	if !found.DeletionTimestamp.IsZero() {
		return r.reconcileDelete(ctx, request, found)
	}
	s := &gateScope{gate: found.DeepCopy(), now: r.Now()}
	if err := r.observe(ctx, s); err != nil {
		return outcome(err)
	}
	if s.awaitsSpecs && found.Status.ObservedGeneration == found.Generation {
		// The operator has just started. What the status says of the last run still stands; saying "unknown" would hold everybody up.
		return ctrl.Result{}, nil
	}
	if err := r.ensureFinalizer(ctx, s); err != nil {
		return outcome(err)
	}
	decide(s, r.Runtimes.Scrubber.Scrub)
	s.expose()
	r.enforce(ctx, s)
	err := errors.Join(s.holdErr, r.patchStatus(ctx, found, s), r.dropFinalizer(ctx, s))
	return r.Runtimes.gateRequests.retried(request, err, s.untilNextLook()...)
}

// observe fills the scope with all that the state follows from.
func (r *RolloutGateReconciler) observe(ctx context.Context, s *gateScope) (err error) {
	if s.gate.Spec.Suspend {
		return nil
	}
	if r.compile(s); !s.isValid() {
		return nil
	}
	if s.projectView, err = r.Runtimes.viewProject(ctx, r.Client, s.gate.Namespace, gateProject(s.gate)); err != nil {
		return fmt.Errorf("resolving the project: %w", err)
	}
	evaluateGate(s, r.ClusterName)
	return nil
}

func (r *RolloutGateReconciler) compile(s *gateScope) {
	s.program, s.invalid = r.programs.compile(s.gate, func() (gateProgram, error) { return compileGate(&s.gate.Spec) })
}

// patchStatus writes the status if its meaning changed, and then emits the Kubernetes Events that tell of the change.
func (r *RolloutGateReconciler) patchStatus(ctx context.Context, before *v1alpha1.RolloutGate, s *gateScope) error {
	scrub := r.Runtimes.Scrubber.Scrub
	computeGateStatus(s, scrub)
	if equality.Semantic.DeepEqual(before.Status, s.gate.Status) {
		return nil
	}
	announce := gateEvents(before, s.gate)
	// The finalizer may have moved the resource version on since before was read.
	base := before.DeepCopy()
	base.ResourceVersion = s.gate.ResourceVersion
	patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, s.gate, patch); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	r.written.note(base, s.gate)
	if before.Status.State != s.gate.Status.State {
		gateTransitions.WithLabelValues(string(s.gate.Status.State)).Inc()
	}
	announce.send(r.Recorder, s.gate, scrub)
	return nil
}

// untilNextLook lists the times after which the gate must be looked at although nothing tells.
func (s *gateScope) untilNextLook() []time.Duration {
	var after []time.Duration
	for _, at := range []time.Time{s.look, s.boundary, s.staleAt, s.nextExposure} {
		if !at.IsZero() {
			after = append(after, max(at.Sub(s.now), time.Millisecond))
		}
	}
	if s.holds.more {
		after = append(after, nextBatch)
	}
	if len(s.holds.conflicts) > 0 {
		after = append(after, foreignObjectRetry)
	}
	return after
}
