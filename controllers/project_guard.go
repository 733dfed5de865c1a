package controllers

import (
	"fmt"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// changeGuard holds specs that go beyond the bounds of a project. Its bounds change with the project; the guard stays.
type changeGuard struct {
	runtimes *Runtimes
	project  types.NamespacedName
	bounds   atomic.Pointer[v1alpha1.ChangeGuardSpec]
	// judged is what the guard said last.
	judged atomic.Pointer[judgement]
}

// judgement is what a guard found out about a snapshot.
type judgement struct {
	hash          string
	affectedUnits int32
}

// newChangeGuard returns nil for a project without bounds.
func (r *Runtimes) newChangeGuard(project *v1alpha1.StatsigProject) *changeGuard {
	if project.Spec.ChangeGuard == nil {
		return nil
	}
	g := &changeGuard{runtimes: r, project: client.ObjectKeyFromObject(project)}
	g.bounds.Store(project.Spec.ChangeGuard)
	return g
}

// hold is the guard that the syncer asks.
func (g *changeGuard) hold(step specsync.Step) string {
	bounds := g.bounds.Load()
	units := g.affectedUnits(step.Changes)
	g.judged.Store(&judgement{step.Next.Hash(), units})
	affected := func(specsync.Step) string {
		if bounds.MaxAffectedUnits == nil || units <= *bounds.MaxAffectedUnits {
			return ""
		}
		return fmt.Sprintf("they would affect %d units of FlagBindings, more than %d", units, *bounds.MaxAffectedUnits)
	}
	return specsync.Guards(specsync.ShareGuard(percent(bounds.MaxRemovedPercent), percent(bounds.MaxChangedPercent)), affected)(step)
}

func percent(bound *int32) int {
	if bound == nil {
		return 100
	}
	return int(*bound)
}

// affectedUnits counts the units of the bindings that ask for something whose answer may differ.
func (g *changeGuard) affectedUnits(changes eval.Changes) int32 {
	units := int32(0)
	seen := map[types.UID]bool{}
	for _, ref := range changes.Refs() {
		for _, binding := range g.runtimes.listBindings(client.MatchingFields{indexEntity: entityIndexValue(g.project, ref)}) {
			if !seen[binding.UID] {
				seen[binding.UID] = true
				units += binding.Status.Units
			}
		}
	}
	return units
}

// follow brings a running guard in line with its project: its bounds, and the approval of specs that it holds.
func (p *projectRuntime) follow(project *v1alpha1.StatsigProject) {
	if p.guard == nil {
		return
	}
	syncer := p.lease.Syncer()
	p.guard.bounds.Store(project.Spec.ChangeGuard)
	syncer.Approve(project.Annotations[v1alpha1.ApproveAnnotation])
	if syncer.State().Held != nil {
		// The bounds may have changed, and so may the bindings that count.
		syncer.Reconsider()
	}
}

// heldSpecs describes what the guard holds; nil when it holds nothing.
func (p *projectRuntime) heldSpecs(state specsync.State, scrub func(string) string) *v1alpha1.HeldSpecs {
	if state.Held == nil {
		return nil
	}
	hash := state.Held.Snapshot.Hash()
	held := &v1alpha1.HeldSpecs{
		Hash: shortHash(hash), Removed: clampInt32(state.Held.Impact.Removed), Changed: clampInt32(state.Held.Impact.Changed),
		Message: truncate(scrub(state.Held.Message), 512),
	}
	if p.guard != nil {
		if judged := p.guard.judged.Load(); judged != nil && judged.hash == hash {
			held.AffectedUnits = judged.affectedUnits
		}
	}
	return held
}
