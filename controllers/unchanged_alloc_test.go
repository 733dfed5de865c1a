//go:build !race

package controllers

import "testing"

// maxUnchangedAllocations bounds what a reconcile of an unchanged binding with six entries allocates. Two fifths of it go into
// comparing the status field by field.
const maxUnchangedAllocations = 420

func TestReconcileOfAnUnchangedBindingAllocatesLittle(t *testing.T) {
	r, _, request := newSmall(t)
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > maxUnchangedAllocations {
		t.Errorf("%v allocations, want at most %d", allocations, maxUnchangedAllocations)
	}
}
