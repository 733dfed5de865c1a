package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

const (
	// podNews is how long after a change of a pod's status the bindings that wait for it are looked at: one look for many pods.
	podNews = time.Second
	// fewPods are read one by one; where there are more, all that run in the namespace are listed.
	fewPods = 16
	// podsPerPage bounds the memory that listing pods takes: they are read whole.
	podsPerPage = 500
)

// readiness knows which bindings wait for a pod to become ready. Whether a pod is ready is not part of what is cached, so it is read
// where an exposure depends on it, and only there. The zero value is ready; it is safe for concurrent use.
type readiness struct {
	mu sync.Mutex
	// awaiting has the bindings that wait, by namespace and the annotation that they mark their pods with.
	awaiting map[types.NamespacedName]types.NamespacedName
}

// await notes that a binding waits for a pod of its own to become ready.
func (r *readiness) await(binding types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.awaiting == nil {
		r.awaiting = map[types.NamespacedName]types.NamespacedName{}
	}
	r.awaiting[markerOf(binding)] = binding
}

// forget notes that a binding waits for no pod.
func (r *readiness) forget(binding types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.awaiting) > 0 {
		delete(r.awaiting, markerOf(binding))
	}
}

func markerOf(binding types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: binding.Namespace, Name: podMarker(binding.Name)}
}

// bindingsAwaiting are the bindings that wait for a pod and have annotated this one.
func (r *readiness) bindingsAwaiting(pod client.Object) []types.NamespacedName {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.awaiting) == 0 {
		return nil
	}
	var bindings []types.NamespacedName
	for name := range pod.GetAnnotations() {
		if !strings.HasPrefix(name, v1alpha1.PodHashAnnotationPrefix) {
			continue
		}
		if binding, waits := r.awaiting[types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}]; waits {
			bindings = append(bindings, binding)
		}
	}
	return bindings
}

// handler queues the bindings that wait for a pod when its status changes.
func (r *readiness) handler() handler.EventHandler {
	return handler.Funcs{
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			for _, binding := range r.bindingsAwaiting(e.ObjectNew) {
				queue.AddAfter(reconcile.Request{NamespacedName: binding}, podNews)
			}
		},
	}
}

// carried leaves those of the units of which a ready pod carries the values. While it is not all of them, the binding waits for pods.
func (r *FlagBindingReconciler) carried(ctx context.Context, s *bindingScope, units []*unit) ([]*unit, error) {
	if len(units) == 0 {
		return nil, nil
	}
	binding := client.ObjectKeyFromObject(s.binding)
	// Before the pods are read, so that one that becomes ready meanwhile is not missed.
	r.readiness.await(binding)
	ready, err := r.readyPods(ctx, s.binding, units)
	if err != nil {
		return nil, err
	}
	carried := slices.DeleteFunc(slices.Clone(units), func(u *unit) bool { return !u.isCarried(ready) })
	if len(carried) == len(units) {
		r.readiness.forget(binding)
	}
	return carried, nil
}

// isCarried reports whether one of the ready pods carries what the binding wrote to it for the unit.
func (u *unit) isCarried(ready map[types.UID]string) bool {
	for uid, marker := range u.markers {
		if marker != "" && ready[uid] == marker {
			return true
		}
	}
	return false
}

// readyPods returns what the binding's marker says on the ready pods of units; others may be among them.
func (r *FlagBindingReconciler) readyPods(
	ctx context.Context, binding *v1alpha1.FlagBinding, units []*unit,
) (map[types.UID]string, error) {
	ready, marker := map[types.UID]string{}, podMarker(binding.Name)
	add := func(pod *corev1.Pod) {
		if isReady(pod) {
			ready[pod.UID] = pod.Annotations[marker]
		}
	}
	var wanted []*metav1.PartialObjectMetadata
	for _, u := range units {
		wanted = append(wanted, u.pods...)
	}
	if len(wanted) > fewPods {
		return ready, r.eachRunningPod(ctx, binding.Namespace, add)
	}
	for _, known := range wanted {
		pod := &corev1.Pod{}
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(known), pod); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading pod %s: %w", known.Name, err)
		}
		add(pod)
	}
	return ready, nil
}

func (r *FlagBindingReconciler) eachRunningPod(ctx context.Context, namespace string, visit func(*corev1.Pod)) error {
	running := client.MatchingFields{"status.phase": string(corev1.PodRunning)}
	page := client.Limit(podsPerPage)
	for next := client.Continue(""); ; {
		list := &corev1.PodList{}
		if err := r.Live.List(ctx, list, client.InNamespace(namespace), running, page, next); err != nil {
			return fmt.Errorf("listing running pods: %w", err)
		}
		for i := range list.Items {
			visit(&list.Items[i])
		}
		if list.Continue == "" {
			return nil
		}
		next = client.Continue(list.Continue)
	}
}

// isReady reports whether a pod's condition Ready is true. A pod that is being deleted is not ready.
func isReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp.IsZero() && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
