//go:build !race

package gate

import "testing"

// What is allocated is CEL's frame and its record of what the parts gave, the answers, and the verdict; the race
// detector adds its own.
func TestAllocations(t *testing.T) {
	want := map[string]float64{"one gate": 15, "a gate and a config": 34, "five entities": 75, "a loop": 70}
	in := fixture(t)
	for _, tc := range expressions {
		t.Run(tc.name, func(t *testing.T) {
			e := mustCompile(t, tc.open)
			if got := testing.AllocsPerRun(100, func() { e.Evaluate(in) }); got > want[tc.name] {
				t.Errorf("%s costs %v allocations, want at most %v", tc.open, got, want[tc.name])
			}
		})
	}
}

func TestStatesThatStayAllocateNothing(t *testing.T) {
	policy := Policy{Deadline: minute}
	for name, seen := range map[string]Observation{"open": yes, "closed": no, "unknown": nothing} {
		status, _, _ := policy.Next(Status{}, seen, noon)
		if got := testing.AllocsPerRun(100, func() { policy.Next(status, seen, noon.Add(second)) }); got != 0 {
			t.Errorf("a gate that stays %s costs %v allocations", name, got)
		}
	}
}
