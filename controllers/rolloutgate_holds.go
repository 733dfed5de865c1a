package controllers

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// nextBatch is how long the next batch of pods waits after one was released.
const nextBatch = time.Second

// watchSyncTimeout bounds how long a reconcile waits for a watch that it needs first to deliver what there is.
const watchSyncTimeout = 30 * time.Second

// gateHolds makes pods and Deployments wait for RolloutGates, and lets them go. What it has written is told from the objects themselves,
// never from a gate's status.
type gateHolds struct {
	// client writes, and reads gates from the cache.
	client client.Client
	// live reads past the cache.
	live client.Reader
	// now is the clock.
	now func() time.Time
	// namespaces are those that are watched; none means all.
	namespaces []string

	// waiting and pausable are set up by setupWithManager.
	waiting  waitingPods
	pausable deploymentWatch
	releases podReleases
	// pauses are the Deployments that gates are known to pause.
	pauses gatePauses
	// idle are gates that are known to pause no Deployment.
	idle gateSet
}

// holdOutcome is what a gate holds after its state was enforced.
type holdOutcome struct {
	// pods is the number of pods that wait for the gate.
	pods int32
	// deployments are the names of the Deployments that the gate pauses, sorted.
	deployments []string
	// conflicts says, for each Deployment that was left alone, whose its spec.paused is: "Deployment web: field manager … manages
	// spec.paused". They are not seen to go, so the gate must be looked at again before long.
	conflicts []string
	// more says that further pods are to be released, after nextBatch.
	more bool
}

// queueGates queues gates after a while.
type queueGates func(after time.Duration, gates ...types.NamespacedName)

// setupWithManager prepares the watches, which queue the gates that they concern. That of pods costs nothing until there is a RolloutGate,
// that of Deployments until one pauses any.
func (h *gateHolds) setupWithManager(mgr ctrl.Manager, queue queueGates) error {
	h.pausable.informers, h.pausable.handler = mgr.GetCache(), h.deploymentEvents(queue)
	return h.setupWaitingPods(mgr, queue)
}

// enforce makes everything that a gate holds wait, or go on, as gate.Status.State wants, and lets go of what its spec does not hold
// any more. It is for gates that are neither suspended nor being deleted, those without spec.hold included, and writes nothing where
// everything is as it should be. With a selector that is not valid, for which a gate is not accepted, it leaves things as they are.
func (h *gateHolds) enforce(ctx context.Context, gate *v1alpha1.RolloutGate) (holdOutcome, error) {
	var o holdOutcome
	err := errors.Join(h.enforcePods(ctx, gate, &o), h.enforceDeployments(ctx, gate, &o))
	return o, err
}

// release lets go of everything that a gate holds, because the gate is being deleted. With more, pods are left for another call,
// after nextBatch.
func (h *gateHolds) release(ctx context.Context, gate *v1alpha1.RolloutGate) (more bool, err error) {
	more, podsErr := h.releaseAllPods(ctx, gate)
	return more, errors.Join(podsErr, h.releaseDeployments(ctx, gate))
}

// forget drops what is remembered of a gate that is gone.
func (h *gateHolds) forget(gate types.NamespacedName) {
	h.releases.forget(gate)
	h.pauses.forget(gate)
	h.idle.remove(gate)
}

// podSelector is the selector of the pods that a gate holds: without one, every pod that carries the scheduling gate.
func podSelector(hold *v1alpha1.SchedulingGateHold) (selector labels.Selector, valid bool) {
	if hold == nil || hold.Selector == nil {
		return labels.Everything(), true
	}
	selector, err := metav1.LabelSelectorAsSelector(hold.Selector)
	return selector, err == nil
}

// holdsPods returns what a gate's spec says of pods; nil when it holds none.
func holdsPods(gate *v1alpha1.RolloutGate) *v1alpha1.SchedulingGateHold {
	if gate.Spec.Hold == nil {
		return nil
	}
	return gate.Spec.Hold.SchedulingGate
}

// holdsDeployments returns what a gate's spec says of Deployments; nil when it pauses none.
func holdsDeployments(gate *v1alpha1.RolloutGate) *v1alpha1.PauseDeploymentsHold {
	if gate.Spec.Hold == nil {
		return nil
	}
	return gate.Spec.Hold.PauseDeployments
}
