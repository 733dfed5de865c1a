//go:build !race

package render

import "testing"

// The race detector adds allocations of its own.
func TestAllocations(t *testing.T) {
	data := map[string]string{"newCheckout": "true", "color": "green", "rps": "100"}
	cases := map[string]struct {
		do   func()
		want float64
	}{
		"selecting makes nothing":                            {func() { Select(document, "tiers.gold.rps") }, 0},
		"hashing makes its form, its keys and its text":      {func() { Hash(data) }, 5},
		"showing a value that needs no change makes nothing": {func() { Display("true") }, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, tc.do); got > tc.want {
				t.Errorf("got %v allocations, want at most %v", got, tc.want)
			}
		})
	}
}
