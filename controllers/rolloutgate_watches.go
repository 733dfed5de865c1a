package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// SetupWithManager registers the reconciler and its watches.
func (r *RolloutGateReconciler) SetupWithManager(mgr ctrl.Manager) error {
	holds := &gateHolds{client: r.Client, live: mgr.GetAPIReader(), now: r.Now, namespaces: r.Namespaces}
	if err := holds.setupWithManager(mgr, r.Runtimes.queueNamedGates); err != nil {
		return fmt.Errorf("setting up what RolloutGates hold: %w", err)
	}
	r.holds = holds
	err := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.RolloutGate{}, builder.WithPredicates(specOrDeletionChanged())).
		Watches(&v1alpha1.StatsigProject{}, handler.EnqueueRequestsFromMapFunc(r.gatesOfProject), builder.WithPredicates(specOrDeletionChanged())).
		WatchesMetadata(metadataOf(namespaceKind), handler.EnqueueRequestsFromMapFunc(r.gatesInNamespace), builder.WithPredicates(metadataChanged())).
		WatchesRawSource(r.Runtimes.gateChanges()).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Concurrency}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up the RolloutGate controller: %w", err)
	}
	return nil
}

func (r *RolloutGateReconciler) gatesOfProject(ctx context.Context, o client.Object) []reconcile.Request {
	return r.requests(ctx, client.MatchingFields{indexProject: client.ObjectKeyFromObject(o).String()})
}

func (r *RolloutGateReconciler) gatesInNamespace(ctx context.Context, o client.Object) []reconcile.Request {
	return r.requests(ctx, client.InNamespace(o.GetName()))
}

func (r *RolloutGateReconciler) requests(ctx context.Context, which client.ListOption) []reconcile.Request {
	list := &v1alpha1.RolloutGateList{}
	if err := r.Client.List(ctx, list, which, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing RolloutGates for a watch event")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}
