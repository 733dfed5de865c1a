//go:build !race

package subject

import "testing"

// The counts are what the values themselves need, with two per expression for CEL's; the race detector adds its own.
func TestAllocations(t *testing.T) {
	cases := map[string]struct {
		template Template
		want     float64
	}{
		"the default user ID costs its text and the input": {template: Template{Unit: UnitWorkload}, want: 2},
		"reading a label does not pay for counting the cost": {
			template: Template{Unit: UnitWorkload, UserID: "workload.metadata.labels['app']"}, want: 3,
		},
		"joining two names does not pay for counting the cost": {
			template: Template{Unit: UnitWorkload, UserID: "workload.namespace + '/' + workload.name"}, want: 7,
		},
		"a typical template stays at twenty": {template: typicalTemplate(), want: 20},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			program, in := mustCompile(t, tc.template), input()
			got := testing.AllocsPerRun(100, func() {
				if _, err := program.Attributes(in); err != nil {
					t.Fatal(err)
				}
			})
			if got > tc.want {
				t.Errorf("got %v allocations, want at most %v", got, tc.want)
			}
		})
	}
}
