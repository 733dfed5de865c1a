package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch

// defaultBatchSize is the number of pods released at once.
const defaultBatchSize = 50

// enforcePods counts the pods that wait for a gate, and releases a batch of them while it is open. A gate whose spec holds no pods
// releases all that carry its scheduling gate, whatever its state: nobody else would, and they would wait for ever.
func (h *gateHolds) enforcePods(ctx context.Context, gate *v1alpha1.RolloutGate, o *holdOutcome) error {
	hold := holdsPods(gate)
	selector, valid := podSelector(hold)
	if !valid {
		return nil
	}
	pods, err := h.waitingFor(ctx, gate, selector)
	if err != nil {
		return err
	}
	if hold != nil && gate.Status.State != v1alpha1.GateOpen {
		o.pods = int32(len(pods)) //nolint:gosec // a cluster has fewer pods
		return nil
	}
	left, more, err := h.releasePods(ctx, gate, pods)
	o.pods, o.more = int32(left), more //nolint:gosec // a cluster has fewer pods
	return err
}

// releaseAllPods releases a batch of all pods that carry a gate's scheduling gate, those that it never chose included, because the gate
// is going.
func (h *gateHolds) releaseAllPods(ctx context.Context, gate *v1alpha1.RolloutGate) (more bool, err error) {
	pods, err := h.waitingFor(ctx, gate, labels.Everything())
	if err != nil {
		return false, err
	}
	left, more, err := h.releasePods(ctx, gate, pods)
	if err != nil || left > 0 {
		return more, err
	}
	// The cache may not know yet of pods that were just created, and nobody will come back for them.
	if pods, err = h.waitingLive(ctx, gate); err != nil {
		return false, err
	}
	_, more, err = h.releasePods(ctx, gate, pods)
	return more, err
}

// waitingFor returns the pods that carry a gate's scheduling gate and match a selector, as the cache knows them. They must not be
// changed.
func (h *gateHolds) waitingFor(ctx context.Context, gate *v1alpha1.RolloutGate, selector labels.Selector) ([]*corev1.Pod, error) {
	if err := h.waiting.ensure(ctx); err != nil {
		return nil, err
	}
	list := &corev1.PodList{}
	err := h.waiting.reader.List(ctx, list, client.InNamespace(gate.Namespace),
		client.MatchingFields{indexSchedulingGate: gate.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing pods that wait: %w", err)
	}
	return waitingPodsOf(list, gate.Name, selector), nil
}

// waitingLive is waitingFor past the cache, and without a selector.
func (h *gateHolds) waitingLive(ctx context.Context, gate *v1alpha1.RolloutGate) ([]*corev1.Pod, error) {
	var waiting []*corev1.Pod
	list := &corev1.PodList{}
	for {
		err := h.live.List(ctx, list, client.InNamespace(gate.Namespace), unscheduled, client.Limit(pageSize), client.Continue(list.Continue))
		if err != nil {
			return nil, fmt.Errorf("listing pods that wait: %w", err)
		}
		waiting = append(waiting, waitingPodsOf(list, gate.Name, labels.Everything())...)
		if list.Continue == "" {
			return waiting, nil
		}
		list = &corev1.PodList{ListMeta: list.ListMeta}
	}
}

// waitingPodsOf returns the pods of a list that wait for a gate. One that is being deleted does not wait any more.
func waitingPodsOf(list *corev1.PodList, gate string, selector labels.Selector) []*corev1.Pod {
	var waiting []*corev1.Pod
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.DeletionTimestamp.IsZero() && slices.Contains(gatesOf(pod), gate) && selector.Matches(labels.Set(pod.Labels)) {
			waiting = append(waiting, pod)
		}
	}
	return waiting
}

// releasePods removes a gate's scheduling gate from as many of the pods as the present batch has room for, the oldest first. It returns
// how many are left, whether any of them can be released with the next batch, and why others cannot.
func (h *gateHolds) releasePods(ctx context.Context, gate *v1alpha1.RolloutGate, pods []*corev1.Pod) (left int, more bool, err error) {
	size := defaultBatchSize
	if hold := holdsPods(gate); hold != nil && hold.BatchSize != nil {
		size = int(*hold.BatchSize)
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	key := client.ObjectKeyFromObject(gate)
	batch, left, more := h.releases.next(key, pods, size, h.now())
	for _, pod := range batch {
		err := h.releasePod(ctx, pod, gate.Name)
		switch {
		case client.IgnoreNotFound(err) == nil:
			h.releases.note(key, pod.UID)
			continue
		case apierrors.IsConflict(err):
			// It has changed since, or is another of that name: the next batch sees what it is now.
			more = true
		default:
			h.releases.refuse(key, pod.UID, podRefusal{fmt.Errorf("releasing pod %s/%s: %w", pod.Namespace, pod.Name, err), h.now()})
		}
		left++
	}
	// Those that were not tried this time count as well, or the status would come and go.
	refused, err := h.releases.refusals(key, pods)
	if refused > 1 {
		err = fmt.Errorf("%w (and %d more)", err, refused-1)
	}
	return left, more, err
}

// releasePod removes a gate's scheduling gate from a pod, and no other, if the pod is still what was seen of it.
func (h *gateHolds) releasePod(ctx context.Context, pod *corev1.Pod, gate string) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": pod.ResourceVersion},
		"spec":     map[string]any{"schedulingGates": []any{map[string]any{"$patch": "delete", "name": schedulingGate(gate)}}},
	})
	if err != nil {
		return fmt.Errorf("writing the patch: %w", err)
	}
	object := metadataOf(podKind)
	object.Namespace, object.Name = pod.Namespace, pod.Name
	return h.client.Patch(ctx, object, client.RawPatch(types.StrategicMergePatchType, patch))
}

// schedulingGate is the name of the scheduling gate of the pods that wait for a RolloutGate.
func schedulingGate(gate string) string { return v1alpha1.SchedulingGatePrefix + gate }

// gatesOf returns the names of the RolloutGates that a pod waits for.
func gatesOf(pod *corev1.Pod) []string {
	var gates []string
	for i := range pod.Spec.SchedulingGates {
		if gate, ours := strings.CutPrefix(pod.Spec.SchedulingGates[i].Name, v1alpha1.SchedulingGatePrefix); ours {
			gates = append(gates, gate)
		}
	}
	return gates
}
