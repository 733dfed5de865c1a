package controllers

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

// readiness knows which units with exposures of mode PodReady are due, and which bindings wait for a pod to become ready. Whether a
// pod is ready is not part of what is cached, so it is read where something is due, and only there. The zero value is ready.
type readiness struct {
	mu sync.Mutex
	// units knows what was exposed when; nil before the first.
	units *events.DueTracker
	// waiting has the bindings of each namespace that have something due.
	waiting map[string]map[types.NamespacedName]bool
}

// trackedUnits bounds the units that are remembered, at some 75 bytes each.
const trackedUnits = 200_000

// due returns the tracker, made when it is first needed.
func (r *readiness) due() *events.DueTracker {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.units == nil {
		r.units, _ = events.NewDueTracker(trackedUnits) // refuses only sizes out of bounds
	}
	return r.units
}

// wait notes whether a binding waits for a pod to become ready.
func (r *readiness) wait(binding types.NamespacedName, waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	inNamespace := r.waiting[binding.Namespace]
	switch {
	case waits && inNamespace == nil:
		if r.waiting == nil {
			r.waiting = map[string]map[types.NamespacedName]bool{}
		}
		r.waiting[binding.Namespace] = map[types.NamespacedName]bool{binding: true}
	case waits:
		inNamespace[binding] = true
	default:
		delete(inNamespace, binding)
		if len(inNamespace) == 0 {
			delete(r.waiting, binding.Namespace)
		}
	}
}

// bindingsAwaiting queues the bindings that wait for a pod and have annotated it.
func (r *readiness) bindingsAwaiting(_ context.Context, pod client.Object) []reconcile.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var requests []reconcile.Request
	for binding := range r.waiting[pod.GetNamespace()] {
		if _, marked := pod.GetAnnotations()[podMarker(binding.Name)]; marked {
			requests = append(requests, reconcile.Request{NamespacedName: binding})
		}
	}
	return requests
}

// carried are the units that are due and of which a ready pod carries the values. The others stay due.
func (r *FlagBindingReconciler) carried(ctx context.Context, s *bindingScope) (map[*unit]bool, error) {
	name := client.ObjectKeyFromObject(s.binding)
	tracker := r.readiness.due()
	var due []*unit
	for i := range s.units {
		u := &s.units[i]
		if u.user == nil || u.failed || len(u.markers) == 0 {
			continue
		}
		verdict := tracker.Observe(observationOf(s, u), s.now)
		if verdict.State != events.DueNot {
			due = append(due, u)
		}
	}
	if len(due) == 0 {
		r.readiness.wait(name, false)
		return nil, nil
	}
	forget := func(u *unit) { o := observationOf(s, u); tracker.Forget(o.Unit, o.Hash) }
	ready, err := r.readyPods(ctx, s.binding)
	if err != nil {
		for _, u := range due {
			forget(u)
		}
		return nil, err
	}
	carried := map[*unit]bool{}
	for _, u := range due {
		for uid, marker := range u.markers {
			if marker != "" && ready[uid] == marker {
				carried[u] = true
				break
			}
		}
		if !carried[u] {
			forget(u)
		}
	}
	r.readiness.wait(name, len(carried) < len(due))
	return carried, nil
}

// observationOf names a unit of a binding, and what it got: the values, and the rules that gave them.
func observationOf(s *bindingScope, u *unit) events.UnitObservation {
	hash := ""
	for i := range u.values {
		hash += u.values[i].value + "\n" + u.values[i].result.RuleID + "\n"
	}
	return events.UnitObservation{
		Unit: string(s.binding.UID) + " " + u.kind + " " + u.name, Hash: hash, InPlace: true, RepeatEvery: repeatEvery(s.binding),
	}
}

// readyPods returns what the binding's marker says on each pod that is ready.
func (r *FlagBindingReconciler) readyPods(ctx context.Context, binding *v1alpha1.FlagBinding) (map[types.UID]string, error) {
	list := &corev1.PodList{}
	err := r.Live.List(ctx, list, client.InNamespace(binding.Namespace), client.MatchingFields{"status.phase": string(corev1.PodRunning)})
	if err != nil {
		return nil, fmt.Errorf("listing running pods: %w", err)
	}
	ready := map[types.UID]string{}
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.DeletionTimestamp.IsZero() && isReady(pod) {
			ready[pod.UID] = pod.Annotations[podMarker(binding.Name)]
		}
	}
	return ready, nil
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
