//go:build !race

package pattern_test

import (
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval/pattern"
)

// The race detector makes sync.Pool drop what it is given, so that this holds only without it.
func TestMatchDoesNotAllocate(t *testing.T) {
	for name, tc := range benchmarks {
		t.Run(name, func(t *testing.T) {
			p, err := pattern.Compile(tc.expr)
			if err != nil {
				t.Fatal(err)
			}
			if allocs := testing.AllocsPerRun(100, func() { p.Match(tc.text) }); allocs != 0 {
				t.Errorf("Match made %v allocations, want none", allocs)
			}
		})
	}
}
