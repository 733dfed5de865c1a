package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// workloadWatches adds a watch for a kind of workload when a binding first names it. Only metadata is watched.
type workloadWatches struct {
	// watch starts a watch on a kind.
	watch func(kind schema.GroupVersionKind) error
	// mapper knows which kinds the API server has.
	mapper meta.RESTMapper
	// mayList asks the API server whether the operator may read a kind; nil when it may.
	mayList func(ctx context.Context, kind schema.GroupVersionKind) error

	mu      sync.Mutex
	started map[schema.GroupVersionKind]bool
}

// ensure makes sure that a kind is watched. A kind that is unknown or may not be read is a problem of the binding, not an error.
func (w *workloadWatches) ensure(ctx context.Context, informers cache.Cache, kind schema.GroupVersionKind) (*refProblem, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.started[kind] {
		return nil, nil
	}
	if _, err := w.mapper.RESTMapping(kind.GroupKind(), kind.Version); err != nil {
		if meta.IsNoMatchError(err) {
			return &refProblem{v1alpha1.ReasonKindNotFound,
				fmt.Sprintf("The API server has no kind %s in %s.", kind.Kind, kind.GroupVersion())}, nil
		}
		return nil, fmt.Errorf("looking up the kind: %w", err)
	}
	// Asking first keeps an informer from being started that would fail for ever.
	if err := w.mayList(ctx, kind); err != nil {
		if apierrors.IsForbidden(err) {
			return &refProblem{v1alpha1.ReasonKindForbidden, fmt.Sprintf(
				"The operator may not list %s in %s. Grant it get, list and watch with a ClusterRole.", kind.Kind, kind.GroupVersion())}, nil
		}
		return nil, fmt.Errorf("listing: %w", err)
	}
	if err := w.watch(kind); err != nil {
		return nil, err
	}
	if _, err := informers.GetInformer(ctx, metadataOf(kind)); err != nil {
		return nil, fmt.Errorf("starting the cache: %w", err)
	}
	if w.started == nil {
		w.started = map[schema.GroupVersionKind]bool{}
	}
	w.started[kind] = true
	return nil, nil
}

// SetupWithManager registers the reconciler and its watches.
func (r *FlagBindingReconciler) SetupWithManager(mgr ctrl.Manager) error {
	built, err := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.FlagBinding{}, builder.WithPredicates(specOrDeletionChanged())).
		Watches(&v1alpha1.StatsigProject{}, handler.EnqueueRequestsFromMapFunc(r.bindingsOfProject), builder.WithPredicates(specOrDeletionChanged())).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.bindingOfConfigMap), builder.WithPredicates(driftOnly())).
		WatchesMetadata(metadataOf(namespaceKind), handler.EnqueueRequestsFromMapFunc(r.bindingsInNamespace), builder.WithPredicates(metadataChanged())).
		WatchesMetadata(metadataOf(podKind), handler.EnqueueRequestsFromMapFunc(r.bindingsOfPod), builder.WithPredicates(metadataChanged())).
		WatchesMetadata(metadataOf(podKind), r.readiness.handler(), builder.WithPredicates(onlyStatusChanged())).
		WatchesMetadata(metadataOf(replicaSetKind), handler.EnqueueRequestsFromMapFunc(r.bindingsOfPod), builder.WithPredicates(metadataChanged())).
		WatchesMetadata(metadataOf(jobKind), handler.EnqueueRequestsFromMapFunc(r.bindingsOfJob), builder.WithPredicates(metadataChanged())).
		WatchesRawSource(r.Runtimes.changes()).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Concurrency}).
		Build(r)
	if err != nil {
		return fmt.Errorf("setting up the FlagBinding controller: %w", err)
	}
	watchRollouts, err := r.setupRollouts(mgr)
	if err != nil {
		return err
	}
	r.watches.mapper = mgr.GetRESTMapper()
	r.watches.started = map[schema.GroupVersionKind]bool{jobKind: true}
	r.watches.watch = func(kind schema.GroupVersionKind) error {
		return errors.Join(watchRollouts(kind), built.Watch(source.Kind(mgr.GetCache(), client.Object(metadataOf(kind)),
			handler.EnqueueRequestsFromMapFunc(r.bindingsOfWorkload), metadataChanged())))
	}
	r.watches.mayList = func(ctx context.Context, kind schema.GroupVersionKind) error {
		return r.Live.List(ctx, metadataListOf(kind), client.Limit(1))
	}
	return nil
}

func (r *FlagBindingReconciler) bindingsOfProject(ctx context.Context, o client.Object) []reconcile.Request {
	return r.requests(ctx, client.MatchingFields{indexProject: client.ObjectKeyFromObject(o).String()})
}

func (r *FlagBindingReconciler) bindingsInNamespace(ctx context.Context, o client.Object) []reconcile.Request {
	return r.requests(ctx, client.InNamespace(o.GetName()))
}

// bindingOfConfigMap queues the binding that made a ConfigMap, so that drift and deletion are repaired.
func (r *FlagBindingReconciler) bindingOfConfigMap(ctx context.Context, o client.Object) []reconcile.Request {
	uid := types.UID(o.GetLabels()[v1alpha1.BindingUIDLabel])
	return r.requestsWhere(ctx, o.GetNamespace(), func(b *v1alpha1.FlagBinding) bool { return b.UID == uid })
}

// bindingsOfWorkload queues the bindings that select a workload. It is called with the workload before and after a change, so a
// binding that selects it no more is queued too.
func (r *FlagBindingReconciler) bindingsOfWorkload(ctx context.Context, o client.Object) []reconcile.Request {
	kind := o.GetObjectKind().GroupVersionKind()
	return r.requestsWhere(ctx, o.GetNamespace(), func(b *v1alpha1.FlagBinding) bool {
		return selects(b, kind, o.GetName(), o.GetLabels())
	})
}

// bindingsOfJob queues the bindings that select a Job, and those whose pods come to exist with it.
func (r *FlagBindingReconciler) bindingsOfJob(ctx context.Context, o client.Object) []reconcile.Request {
	return append(r.bindingsOfWorkload(ctx, o), r.bindingsOfPod(ctx, o)...)
}

// bindingsOfPod queues the bindings that evaluate or annotate a pod, and those that once did. It serves for ReplicaSets and Jobs
// as well: only when they are known can a pod be traced to its workload, whichever of the two is seen first.
func (r *FlagBindingReconciler) bindingsOfPod(ctx context.Context, o client.Object) []reconcile.Request {
	owners := r.ownersOf(ctx, o)
	return r.requestsWhere(ctx, o.GetNamespace(), func(b *v1alpha1.FlagBinding) bool {
		// The marker tells also of a binding that annotates pods no more, and had not seen this one when it withdrew.
		if _, marked := o.GetAnnotations()[podMarker(b.Name)]; marked {
			return true
		}
		if !needsPods(b) {
			return false
		}
		for _, owner := range owners {
			if selectsOwner(b, owner) {
				return true
			}
		}
		return false
	})
}

// ownersOf returns a pod's controller, and the controller of that where it is a ReplicaSet or a Job.
func (r *FlagBindingReconciler) ownersOf(ctx context.Context, pod client.Object) []metav1.OwnerReference {
	direct := metav1.GetControllerOf(pod)
	if direct == nil {
		return nil
	}
	owners := []metav1.OwnerReference{*direct}
	kind := schema.FromAPIVersionAndKind(direct.APIVersion, direct.Kind)
	if kind != replicaSetKind && kind != jobKind {
		return owners
	}
	middle := metadataOf(kind)
	if err := r.Client.Get(ctx, types.NamespacedName{Namespace: pod.GetNamespace(), Name: direct.Name}, middle); err != nil {
		return owners
	}
	if indirect := metav1.GetControllerOf(middle); indirect != nil {
		owners = append(owners, *indirect)
	}
	return owners
}

func (r *FlagBindingReconciler) requestsWhere(
	ctx context.Context, namespace string, wanted func(*v1alpha1.FlagBinding) bool,
) []reconcile.Request {
	list := &v1alpha1.FlagBindingList{}
	if err := r.Client.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing FlagBindings for a watch event")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if wanted(&list.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

func (r *FlagBindingReconciler) requests(ctx context.Context, options ...client.ListOption) []reconcile.Request {
	list := &v1alpha1.FlagBindingList{}
	if err := r.Client.List(ctx, list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing FlagBindings for a watch event")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}

// selects reports whether a binding selects a workload of this kind, name and labels.
func selects(binding *v1alpha1.FlagBinding, kind schema.GroupVersionKind, name string, set map[string]string) bool {
	for i := range binding.Spec.Subject.Workloads {
		selector := &binding.Spec.Subject.Workloads[i]
		if workloadKind(selector) != kind {
			continue
		}
		if selector.Name != "" {
			if selector.Name == name {
				return true
			}
			continue
		}
		matcher, err := metav1.LabelSelectorAsSelector(selector.Selector)
		if err == nil && matcher.Matches(labels.Set(set)) {
			return true
		}
	}
	return false
}

// selectsOwner is selects for an owner reference, which has no labels: for a label selector the kind decides, and the reconcile
// finds out the rest.
func selectsOwner(binding *v1alpha1.FlagBinding, owner metav1.OwnerReference) bool {
	kind := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind)
	for i := range binding.Spec.Subject.Workloads {
		selector := &binding.Spec.Subject.Workloads[i]
		if workloadKind(selector) == kind && (selector.Name == "" || selector.Name == owner.Name) {
			return true
		}
	}
	return false
}
