package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// indexSchedulingGate finds pods by the name of a RolloutGate whose scheduling gate they carry.
const indexSchedulingGate = "schedulingGate"

// unscheduled selects pods that have no node. One that carries a scheduling gate never has.
var unscheduled = client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("spec.nodeName", "")}

// waitingPods knows the pods that have no node yet, with their labels and scheduling gates and nothing else. It is a cache beside the
// manager's, which holds the metadata of all pods, and so no scheduling gates. It starts when it is first needed.
type waitingPods struct {
	// reader reads from the cache.
	reader client.Reader
	// ensure starts the cache if need be, and waits until it has seen what there is.
	ensure func(context.Context) error
}

// setupWaitingPods makes the cache of waiting pods and adds it to the manager.
func (h *gateHolds) setupWaitingPods(mgr ctrl.Manager, queue queueGates) error {
	options := cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{&corev1.Pod{}: {Field: unscheduled.Selector, Transform: onlyWaiting}},
	}
	for _, namespace := range h.namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	pods, err := cache.New(mgr.GetConfig(), options)
	if err != nil {
		return fmt.Errorf("setting up the cache of waiting pods: %w", err)
	}
	needed := make(chan struct{})
	start := sync.OnceFunc(func() { close(needed) })
	h.waiting.reader = pods
	h.waiting.ensure = func(ctx context.Context) error {
		start()
		ctx, cancel := context.WithTimeout(ctx, watchSyncTimeout)
		defer cancel()
		if !pods.WaitForCacheSync(ctx) {
			return errors.New("listing pods that wait: the watch has not started yet")
		}
		return nil
	}
	return mgr.Add(&onDemandCache{pods, needed, func(ctx context.Context) error { return h.watchWaiting(ctx, pods, queue) }})
}

// onDemandCache runs a cache from when it is needed. Only the leader runs it, who alone releases pods.
type onDemandCache struct {
	cache  cache.Cache
	needed <-chan struct{}
	// prepare is called before the cache starts.
	prepare func(context.Context) error
}

// Start runs the cache until ctx is done.
func (c *onDemandCache) Start(ctx context.Context) error {
	select {
	case <-c.needed:
	case <-ctx.Done():
		return nil
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	return c.cache.Start(ctx)
}

// watchWaiting indexes the pods of a cache that was not started yet, and queues gates when pods begin or cease to wait for them.
func (h *gateHolds) watchWaiting(ctx context.Context, pods cache.Cache, queue queueGates) error {
	if err := pods.IndexField(ctx, &corev1.Pod{}, indexSchedulingGate, podGates); err != nil {
		return fmt.Errorf("indexing pods by scheduling gate: %w", err)
	}
	informer, err := pods.GetInformer(ctx, &corev1.Pod{})
	if err != nil {
		return fmt.Errorf("watching pods that wait: %w", err)
	}
	if _, err := informer.AddEventHandler(h.waitingEvents(ctx, queue)); err != nil {
		return fmt.Errorf("watching pods that wait: %w", err)
	}
	return nil
}

func (h *gateHolds) waitingEvents(ctx context.Context, queue queueGates) toolscache.ResourceEventHandler {
	concerned := func(pods ...*corev1.Pod) {
		for _, key := range gatesOfAll(pods...) {
			h.queueFor(ctx, key, queue)
		}
	}
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(o any, isInInitialList bool) {
			// The reconcile that needed the cache, and all after it, see the initial list.
			if !isInInitialList {
				concerned(podOf(o))
			}
		},
		UpdateFunc: func(before, after any) {
			if was, is := podOf(before), podOf(after); !waitsAlike(was, is) {
				concerned(was, is)
			}
		},
		DeleteFunc: func(o any) { concerned(podOf(o)) },
	}
}

// queueFor queues a gate because of a pod: at once where the pod may go on, and otherwise, where it only has to be counted, so late that
// many pods are counted together.
func (h *gateHolds) queueFor(ctx context.Context, key types.NamespacedName, queue queueGates) {
	gate := &v1alpha1.RolloutGate{}
	if err := h.client.Get(ctx, key, gate); err != nil {
		return
	}
	after := time.Duration(0)
	if holdsPods(gate) != nil && gate.Status.State != v1alpha1.GateOpen {
		after = nextBatch
	}
	queue(after, key)
}

// podGates are the index values of indexSchedulingGate.
func podGates(o client.Object) []string {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return nil
	}
	return gatesOf(pod)
}

// onlyWaiting reduces a pod to what is asked of it.
func onlyWaiting(o any) (any, error) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion, Labels: pod.Labels,
			CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec: corev1.PodSpec{SchedulingGates: pod.Spec.SchedulingGates},
	}, nil
}

// podOf returns the pod of a watch event; nil when there is none.
func podOf(o any) *corev1.Pod {
	if gone, missed := o.(toolscache.DeletedFinalStateUnknown); missed {
		o = gone.Obj
	}
	pod, _ := o.(*corev1.Pod)
	return pod
}

// waitsAlike reports whether nothing changed of what decides for whom a pod waits.
func waitsAlike(a, b *corev1.Pod) bool {
	return a != nil && b != nil && slices.Equal(a.Spec.SchedulingGates, b.Spec.SchedulingGates) &&
		labels.Equals(a.Labels, b.Labels) && a.DeletionTimestamp.IsZero() == b.DeletionTimestamp.IsZero()
}

// gatesOfAll returns the RolloutGates that any of the pods waits for.
func gatesOfAll(pods ...*corev1.Pod) []types.NamespacedName {
	var keys []types.NamespacedName
	for _, pod := range pods {
		if pod == nil {
			continue
		}
		for _, gate := range gatesOf(pod) {
			if key := (types.NamespacedName{Namespace: pod.Namespace, Name: gate}); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}
