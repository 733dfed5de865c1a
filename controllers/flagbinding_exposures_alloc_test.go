//go:build !race

package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// maxExposedAllocations bounds what it takes to find out that a unit has nothing left to expose: its user as it would be told.
const maxExposedAllocations = 4

func TestFindingNothingToExposeAllocatesLittle(t *testing.T) {
	reads := newLiveReads(t, livePod("p", "new", corev1.ConditionTrue))
	r := &FlagBindingReconciler{Live: reads}
	s, _ := newExposing(t)
	expose := func() {
		if err := r.expose(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	expose()
	if got := testing.AllocsPerRun(100, expose); got > maxExposedAllocations {
		t.Errorf("%v allocations, want at most %d", got, maxExposedAllocations)
	}
}
