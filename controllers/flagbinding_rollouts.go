package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

// rolloutNews is how long after a change of a workload its rollout is looked at: one look for the many changes of one rollout.
const rolloutNews = time.Second

// setupRollouts adds the controller that observes rollouts. watch adds a kind of workload to it; kinds that have no rollouts are none
// of its business. Nothing is read for workloads that no binding reports.
func (r *FlagBindingReconciler) setupRollouts(mgr ctrl.Manager) (watch func(schema.GroupVersionKind) error, err error) {
	observer, err := controller.NewTyped("rollouts", mgr, controller.TypedOptions[workloadKey]{
		Reconciler: reconcile.TypedFunc[workloadKey](r.observeRollout),
	})
	if err != nil {
		return nil, fmt.Errorf("setting up the rollouts controller: %w", err)
	}
	if err := observer.Watch(source.TypedFunc[workloadKey](r.rollouts.start)); err != nil {
		return nil, fmt.Errorf("setting up the rollouts controller: %w", err)
	}
	return func(kind schema.GroupVersionKind) error {
		if newWorkload(kind) == nil {
			return nil
		}
		return observer.Watch(source.TypedKind(mgr.GetCache(), client.Object(metadataOf(kind)), r.rollouts.handler(kind)))
	}, nil
}

// handler queues a followed workload after each of its changes, those of its status included.
func (r *rollouts) handler(kind schema.GroupVersionKind) handler.TypedEventHandler[client.Object, workloadKey] {
	return handler.TypedFuncs[client.Object, workloadKey]{
		UpdateFunc: func(
			_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[workloadKey],
		) {
			key := workloadKey{kind, client.ObjectKeyFromObject(e.ObjectNew)}
			if e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion() && r.follows(key) {
				queue.AddAfter(key, rolloutNews)
			}
		},
	}
}

// followRollouts notes which workloads' rollouts are reported for the binding. While that cannot be told, it stays as it was.
func (r *FlagBindingReconciler) followRollouts(s *bindingScope, err error) {
	binding := client.ObjectKeyFromObject(s.binding)
	switch {
	case !s.reportsRollouts():
		if s.acted || (err == nil && !s.awaitsSpecs) {
			r.rollouts.forget(binding)
		}
	case s.acted && s.evaluator != nil:
		r.rollouts.follow(binding, projectKey(s.binding), s.rollingWorkloads())
	}
}

// reportsRollouts reports whether the project wants to be told of the rollouts of what the binding evaluates.
func (s *bindingScope) reportsRollouts() bool {
	return s.binding.Spec.Subject.Unit == v1alpha1.UnitWorkload && s.running != nil && s.running.logger != nil &&
		s.project.Spec.Events != nil && s.project.Spec.Events.Rollouts == v1alpha1.EventsEnabled
}

// rollingWorkloads are those of the binding's units that have rollouts.
func (s *bindingScope) rollingWorkloads() []rollingWorkload {
	var rolling []rollingWorkload
	for i := range s.units {
		u := &s.units[i]
		if u.user == nil || newWorkload(u.workload.GroupVersionKind()) == nil {
			continue
		}
		rolling = append(rolling, rollingWorkload{
			key: workloadKey{u.workload.GroupVersionKind(), client.ObjectKeyFromObject(u.workload)}, uid: u.workload.UID,
			user: s.evaluator.LoggableUser(nil, u.user),
		})
	}
	return rolling
}

// observeRollout reads a workload as it is and tells each project that follows it what happened since it was read before.
func (r *FlagBindingReconciler) observeRollout(ctx context.Context, key workloadKey) (reconcile.Result, error) {
	if !r.rollouts.follows(key) {
		return reconcile.Result{}, nil
	}
	object := newWorkload(key.kind)
	if err := r.Live.Get(ctx, key.NamespacedName, object); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("reading %s %s: %w", key.kind.Kind, key.NamespacedName, err)
	}
	observed, now := rolloutOf(object), r.Now()
	workload := events.Rollout{Kind: key.kind.Kind, Namespace: key.Namespace, Name: key.Name, Time: now}
	for _, f := range r.rollouts.followers(key, object.GetUID()) {
		running, _ := r.Runtimes.lookup(f.project)
		if running == nil || running.logger == nil {
			continue
		}
		next, happened := f.state.Observe(observed, now)
		workload.User = f.user
		for _, e := range next.Report(workload, observed, happened) {
			running.logger.Log(e)
		}
		r.rollouts.keep(key, object.GetUID(), f.project, next)
	}
	return reconcile.Result{}, nil
}
