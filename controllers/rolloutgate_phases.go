package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// ensureFinalizer keeps a gate that makes something wait until that is released.
func (r *RolloutGateReconciler) ensureFinalizer(ctx context.Context, s *gateScope) error {
	if s.gate.Spec.Suspend || !mayHold(s.gate) {
		return nil
	}
	return addFinalizer(ctx, r.Client, s.gate)
}

// enforce makes what the gate holds wait, or go on, as its state wants. A gate that holds nothing lets pods pass that wait for it all the
// same.
func (r *RolloutGateReconciler) enforce(ctx context.Context, s *gateScope) {
	if s.gate.Spec.Suspend {
		return
	}
	if s.holds, s.holdErr = r.holds.enforce(ctx, s.gate); s.holdErr != nil {
		s.holdErr = fmt.Errorf("enforcing the state: %w", s.holdErr)
	}
}

// dropFinalizer lets go of a gate that made something wait once, and has released it.
func (r *RolloutGateReconciler) dropFinalizer(ctx context.Context, s *gateScope) error {
	if s.gate.Spec.Suspend || mayHold(s.gate) || !s.hasLetGo() {
		return nil
	}
	return removeFinalizer(ctx, r.Client, s.gate)
}

// reconcileDelete releases what the gate holds, and lets it go. In a namespace that is being deleted everything goes, so nothing holds
// it up.
func (r *RolloutGateReconciler) reconcileDelete(
	ctx context.Context, request ctrl.Request, g *v1alpha1.RolloutGate,
) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(g, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	ends, err := namespaceEnds(ctx, r.Client, g.Namespace)
	if err != nil {
		return outcome(err)
	}
	if !ends {
		more, err := r.holds.release(ctx, g)
		if err != nil {
			err = fmt.Errorf("releasing what the gate holds: %w", err)
		}
		if more {
			return r.Runtimes.gateRequests.retried(request, err, nextBatch)
		}
		if err != nil {
			return outcome(err)
		}
	}
	return outcome(removeFinalizer(ctx, r.Client, g))
}
