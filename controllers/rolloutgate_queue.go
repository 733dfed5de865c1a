package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/gate"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// gateChanges is the source of gates to look at because their specs changed.
func (r *Runtimes) gateChanges() source.Source { return r.gateRequests.source() }

func (r *Runtimes) queueAllGates(project types.NamespacedName) {
	r.queueGates(client.MatchingFields{indexProject: project.String()})
}

func (r *Runtimes) queueGates(which client.ListOption) { r.queueGatesAfter(0, which) }

func (r *Runtimes) queueGatesAfter(after time.Duration, which client.ListOption) {
	for _, g := range r.listGates(which) {
		r.gateRequests.addAfter(after, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&g)})
	}
}

// queueNamedGates queues gates whose pods or Deployments have news.
func (r *Runtimes) queueNamedGates(after time.Duration, gates ...types.NamespacedName) {
	for _, name := range gates {
		r.gateRequests.addAfter(after, reconcile.Request{NamespacedName: name})
	}
}

// queueGatesUsingLists queues the gates whose expression names an entity whose closure has one of the ID lists.
func (r *Runtimes) queueGatesUsingLists(project types.NamespacedName, snapshot *eval.Snapshot, lists []string) {
	changed := map[string]bool{}
	for _, list := range lists {
		changed[list] = true
	}
	for _, g := range r.listGates(client.MatchingFields{indexProject: project.String()}) {
		for _, ref := range gate.References(g.Spec.Open) {
			if usesAny(snapshot.Closure(ref).IDLists, changed) {
				r.gateRequests.add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&g)})
				break
			}
		}
	}
}

// queueGatesOfOutage queues a project's gates for when its specs will be too old to decide by, and when they are confirmed again after
// they were. An outage that ends before that wakes no gate.
func (r *Runtimes) queueGatesOfOutage(project types.NamespacedName, was, is specsync.State) {
	if isConfirmed(&was) == isConfirmed(&is) {
		return
	}
	found := &v1alpha1.StatsigProject{}
	if err := r.Bindings.Get(r.run, project, found); err != nil {
		return
	}
	which, limit := client.MatchingFields{indexProject: project.String()}, failAfter(found)
	switch {
	case !isConfirmed(&is):
		r.queueGatesAfter(is.LastSuccess.Add(limit).Sub(r.Now()), which)
	case r.Now().Sub(was.LastSuccess) >= limit:
		// Even if the source was asked before they became too old: gates that were looked at meanwhile found them so.
		r.queueGates(which)
	}
}

// listGates is listBindings for gates.
func (r *Runtimes) listGates(which client.ListOption) []v1alpha1.RolloutGate {
	list := &v1alpha1.RolloutGateList{}
	if err := r.Bindings.List(r.run, list, which, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	return list.Items
}
