//go:build !race

package controllers

import "testing"

// maxUnchangedGateAllocations bounds what a reconcile of an unchanged gate that asks for three entities allocates.
const maxUnchangedGateAllocations = 170

func TestReconcileOfAnUnchangedGateAllocatesLittle(t *testing.T) {
	r, _, request := newSmallGate(t)
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > maxUnchangedGateAllocations {
		t.Errorf("%v allocations, want at most %d", allocations, maxUnchangedGateAllocations)
	}
}
