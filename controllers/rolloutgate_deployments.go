package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;patch

// pauseManagerPrefix, followed by the name of a RolloutGate, is the field manager of spec.paused where that gate pauses. With one for
// each gate, two can pause one Deployment, and it goes on when both have let go. A gate's name has 63 characters at most, a field
// manager's 128.
const pauseManagerPrefix = "statsig-operator/pause/"

// pageSize is how many objects are read at once past the cache.
const pageSize = 500

var deploymentKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}

// deploymentWatch queues gates when Deployments change that they pause. It starts when a gate first pauses any.
type deploymentWatch struct {
	informers cache.Informers
	handler   func(context.Context) toolscache.ResourceEventHandler

	mu      sync.Mutex
	started bool
}

func (w *deploymentWatch) ensure(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.started {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, watchSyncTimeout)
	defer cancel()
	informer, err := w.informers.GetInformer(bounded, metadataOf(deploymentKind))
	if err != nil {
		return fmt.Errorf("watching Deployments: %w", err)
	}
	// The watch outlives the reconcile that first needed it.
	if _, err := informer.AddEventHandler(w.handler(context.WithoutCancel(ctx))); err != nil {
		return fmt.Errorf("watching Deployments: %w", err)
	}
	w.started = true
	return nil
}

// enforceDeployments pauses the Deployments that a gate chooses while it is not open, and lets go of all others that it pauses.
func (h *gateHolds) enforceDeployments(ctx context.Context, gate *v1alpha1.RolloutGate, o *holdOutcome) error {
	hold := holdsDeployments(gate)
	if hold == nil {
		return h.pausesNothing(ctx, gate)
	}
	selector, err := metav1.LabelSelectorAsSelector(hold.Selector)
	valid := err == nil
	if valid && gate.Status.State == v1alpha1.GateOpen {
		return h.pausesNothing(ctx, gate)
	}
	h.idle.remove(client.ObjectKeyFromObject(gate))
	// Before the list, so that nothing is missed between the two.
	if err := h.pausable.ensure(ctx); err != nil {
		return err
	}
	look, known := h.pauses.look(gate)
	if known {
		o.deployments = slices.Clone(look.deployments)
		return nil
	}
	err = h.eachDeployment(ctx, gate, func(d *metav1.PartialObjectMetadata, p pausers) error {
		wanted := p.own
		if valid {
			wanted = selector.Matches(labels.Set(d.Labels))
		}
		switch {
		case wanted && !p.own && len(p.others) > 0:
			o.conflicts = append(o.conflicts, pauseConflict(d.Name, p.others[0]))
		case wanted:
			return h.pause(ctx, gate, d, p, o)
		case p.own:
			return h.resume(ctx, gate, d)
		}
		return nil
	})
	// What failed is tried again, and that somebody lets go of spec.paused need not show.
	if err == nil && len(o.conflicts) == 0 {
		h.pauses.keep(gate, look, o.deployments)
	}
	return err
}

// pausesNothing sees to it that a gate pauses nothing. A gate that never had the finalizer never did, and what was let go once is not
// looked for again.
func (h *gateHolds) pausesNothing(ctx context.Context, gate *v1alpha1.RolloutGate) error {
	h.pauses.forget(client.ObjectKeyFromObject(gate))
	if !slices.Contains(gate.Finalizers, v1alpha1.Finalizer) || h.idle.has(client.ObjectKeyFromObject(gate)) {
		return nil
	}
	if err := h.releaseDeployments(ctx, gate); err != nil {
		return err
	}
	h.idle.add(client.ObjectKeyFromObject(gate))
	return nil
}

// releaseDeployments lets go of all Deployments that a gate pauses.
func (h *gateHolds) releaseDeployments(ctx context.Context, gate *v1alpha1.RolloutGate) error {
	return h.eachDeployment(ctx, gate, func(d *metav1.PartialObjectMetadata, p pausers) error {
		if !p.own {
			return nil
		}
		return h.resume(ctx, gate, d)
	})
}

// eachDeployment calls do for every Deployment of a gate's namespace that is not being deleted, in the order of their names. It reads
// past the cache, which holds no managed fields, and goes on after errors.
func (h *gateHolds) eachDeployment(
	ctx context.Context, gate *v1alpha1.RolloutGate, do func(*metav1.PartialObjectMetadata, pausers) error,
) error {
	var errs []error
	for next := ""; ; {
		list := metadataListOf(deploymentKind)
		if err := h.live.List(ctx, list, client.InNamespace(gate.Namespace), client.Limit(pageSize), client.Continue(next)); err != nil {
			return errors.Join(append(errs, fmt.Errorf("listing Deployments: %w", err))...)
		}
		for i := range list.Items {
			if d := &list.Items[i]; d.DeletionTimestamp.IsZero() {
				errs = append(errs, do(d, pausersOf(d.ManagedFields, pauseManagerPrefix+gate.Name)))
			}
		}
		if next = list.Continue; next == "" {
			return errors.Join(errs...)
		}
	}
}

// pause pauses a Deployment, unless the gate already does. Force is never used: Deployments are not ours.
func (h *gateHolds) pause(
	ctx context.Context, gate *v1alpha1.RolloutGate, d *metav1.PartialObjectMetadata, p pausers, o *holdOutcome,
) error {
	if !p.own {
		// The UID makes the apply fail on a Deployment that is gone, where it would try to create one.
		configuration := appsv1ac.Deployment(d.Name, d.Namespace).WithUID(d.UID).WithSpec(appsv1ac.DeploymentSpec().WithPaused(true))
		err := h.client.Apply(ctx, configuration, client.FieldOwner(pauseManagerPrefix+gate.Name))
		if manager := conflictingManager(err); manager != "" {
			o.conflicts = append(o.conflicts, pauseConflict(d.Name, manager))
			return nil
		}
		if isGone(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("pausing Deployment %s/%s: %w", d.Namespace, d.Name, err)
		}
	}
	o.deployments = append(o.deployments, d.Name)
	return nil
}

// resume lets go of a Deployment, which goes on unless somebody else pauses it as well.
func (h *gateHolds) resume(ctx context.Context, gate *v1alpha1.RolloutGate, d *metav1.PartialObjectMetadata) error {
	configuration := appsv1ac.Deployment(d.Name, d.Namespace).WithUID(d.UID)
	err := h.client.Apply(ctx, configuration, client.FieldOwner(pauseManagerPrefix+gate.Name))
	if err != nil && !isGone(err) {
		return fmt.Errorf("letting go of Deployment %s/%s: %w", d.Namespace, d.Name, err)
	}
	return nil
}

func pauseConflict(deployment, manager string) string {
	return fmt.Sprintf("Deployment %s: field manager %s manages spec.paused", deployment, manager)
}

// pausers are the field managers of a Deployment's spec.paused, whether they pause it or keep it going.
type pausers struct {
	// own says that the gate pauses it.
	own bool
	// others are those that no RolloutGate is, sorted.
	others []string
}

// pausersOf reads who manages spec.paused; own is the field manager of the gate that asks.
func pausersOf(fields []metav1.ManagedFieldsEntry, own string) pausers {
	var p pausers
	for i := range fields {
		entry := &fields[i]
		if entry.FieldsV1 == nil || !gjson.GetBytes(entry.FieldsV1.GetRawBytes(), "f:spec.f:paused").Exists() {
			continue
		}
		applied := entry.Operation == metav1.ManagedFieldsOperationApply
		switch {
		case applied && entry.Manager == own:
			p.own = true
		case applied && strings.HasPrefix(entry.Manager, pauseManagerPrefix):
		default:
			p.others = append(p.others, entry.Manager)
		}
	}
	// The API server's order changes with each write.
	slices.Sort(p.others)
	return p
}

// gatePauses remembers the Deployments that gates pause until one of theirs may have changed: reading all of a namespace costs the API
// server far more than the rest of a reconcile. It is safe for concurrent use.
type gatePauses struct {
	mu    sync.Mutex
	gates map[types.NamespacedName]*gatePause
}

// gatePause is a look at the Deployments that a gate pauses.
type gatePause struct {
	uid        types.UID
	generation int64
	// known says that deployments are all that the gate pauses. It is false while they are looked at.
	known       bool
	deployments []string
}

// look returns what is known of a gate. Where nothing is, a look begins, which is for keep.
func (p *gatePauses) look(gate *v1alpha1.RolloutGate) (look *gatePause, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := client.ObjectKeyFromObject(gate)
	look = p.gates[key]
	if look != nil && look.known && look.uid == gate.UID && look.generation == gate.Generation {
		return look, true
	}
	if p.gates == nil {
		p.gates = map[types.NamespacedName]*gatePause{}
	}
	look = &gatePause{uid: gate.UID, generation: gate.Generation}
	p.gates[key] = look
	return look, false
}

// keep ends a look, unless a Deployment changed while it went on.
func (p *gatePauses) keep(gate *v1alpha1.RolloutGate, look *gatePause, deployments []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gates[client.ObjectKeyFromObject(gate)] == look {
		look.known, look.deployments = true, slices.Clone(deployments)
	}
}

func (p *gatePauses) forget(gate types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.gates, gate)
}

// gateSet is a set of gates, safe for concurrent use.
type gateSet struct {
	mu    sync.Mutex
	gates map[types.NamespacedName]bool
}

func (s *gateSet) has(gate types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gates[gate]
}

func (s *gateSet) add(gate types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gates == nil {
		s.gates = map[types.NamespacedName]bool{}
	}
	s.gates[gate] = true
}

func (s *gateSet) remove(gate types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.gates, gate)
}

// deploymentEvents queues the gates that pause a Deployment when it comes to be or goes, or may cease or begin to be paused.
func (h *gateHolds) deploymentEvents(queue queueGates) func(context.Context) toolscache.ResourceEventHandler {
	return func(ctx context.Context) toolscache.ResourceEventHandler {
		return toolscache.ResourceEventHandlerDetailedFuncs{
			AddFunc: func(o any, isInInitialList bool) {
				// The reconcile that needed the watch, and all after it, read past the cache.
				if d, ok := o.(client.Object); ok && !isInInitialList {
					h.queuePausing(ctx, queue, d)
				}
			},
			UpdateFunc: func(before, after any) {
				was, ok := before.(client.Object)
				is, good := after.(client.Object)
				if ok && good && (was.GetGeneration() != is.GetGeneration() || !labels.Equals(was.GetLabels(), is.GetLabels())) {
					h.queuePausing(ctx, queue, was, is)
				}
			},
			DeleteFunc: func(o any) {
				if gone, missed := o.(toolscache.DeletedFinalStateUnknown); missed {
					o = gone.Obj
				}
				if d, ok := o.(client.Object); ok {
					h.queuePausing(ctx, queue, d)
				}
			},
		}
	}
}

// queuePausing queues the gates that choose a Deployment, as it was or as it is.
func (h *gateHolds) queuePausing(ctx context.Context, queue queueGates, versions ...client.Object) {
	list := &v1alpha1.RolloutGateList{}
	if err := h.client.List(ctx, list, client.InNamespace(versions[0].GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing RolloutGates for a watch event")
		return
	}
	for i := range list.Items {
		gate := &list.Items[i]
		hold := holdsDeployments(gate)
		if hold == nil {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(hold.Selector)
		if err != nil {
			continue
		}
		if slices.ContainsFunc(versions, func(d client.Object) bool { return selector.Matches(labels.Set(d.GetLabels())) }) {
			h.pauses.forget(client.ObjectKeyFromObject(gate))
			queue(0, client.ObjectKeyFromObject(gate))
		}
	}
}
