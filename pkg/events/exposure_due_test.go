package events

import (
	"fmt"
	"testing"
	"time"
)

func TestExposuresAreDueWhileWhatTheySayIsTrue(t *testing.T) {
	const day = 24 * time.Hour
	in := func(d time.Duration) time.Time { return testEpoch.Add(d) }
	type step struct {
		at     time.Duration
		unit   string
		hash   string
		away   bool // not in place
		every  time.Duration
		forget bool // instead of observing
		want   Due
	}
	tests := map[string]struct {
		size  int
		steps []step
	}{
		"what is in place is due once, and again after the interval": {size: 10, steps: []step{
			{unit: "u", hash: "a", want: Due{State: DueFirst, Next: in(day)}},
			{unit: "u", hash: "a", at: time.Hour, want: Due{Next: in(day)}},
			{unit: "u", hash: "a", at: day - 1, want: Due{Next: in(day)}},
			{unit: "u", hash: "a", at: day, want: Due{State: DueRepeat, Next: in(2 * day)}},
			{unit: "u", hash: "a", at: 5 * day, want: Due{State: DueRepeat, Next: in(6 * day)}},
		}},
		"nothing is due while nothing is in place": {size: 10, steps: []step{
			{unit: "u", hash: "a", away: true},
			{unit: "u", hash: ""},
			{unit: "u", hash: "a", at: time.Hour, want: Due{State: DueFirst, Next: in(day + time.Hour)}},
		}},
		"a unit that comes and goes is not due more often": {size: 10, steps: []step{
			{unit: "u", hash: "a", want: Due{State: DueFirst, Next: in(day)}},
			{unit: "u", hash: "a", at: 1, away: true},
			{unit: "u", hash: "a", at: 2, want: Due{Next: in(day)}},
		}},
		"other values and other units are due on their own": {size: 10, steps: []step{
			{unit: "u", hash: "a", want: Due{State: DueFirst, Next: in(day)}},
			{unit: "u", hash: "b", want: Due{State: DueFirst, Next: in(day)}},
			{unit: "v", hash: "a", want: Due{State: DueFirst, Next: in(day)}},
			{unit: "ub", hash: "", want: Due{}},
		}},
		"the interval can be set": {size: 10, steps: []step{
			{unit: "u", hash: "a", every: time.Hour, want: Due{State: DueFirst, Next: in(time.Hour)}},
			{unit: "u", hash: "a", every: time.Hour, at: time.Hour, want: Due{State: DueRepeat, Next: in(2 * time.Hour)}},
		}},
		"what could not be logged is due again": {size: 10, steps: []step{
			{unit: "u", hash: "a", want: Due{State: DueFirst, Next: in(day)}},
			{unit: "u", hash: "a", forget: true},
			{unit: "u", hash: "a", at: 1, want: Due{State: DueFirst, Next: in(day + 1)}},
			{unit: "u", hash: "a", at: 2, want: Due{Next: in(day + 1)}},
		}},
		"a forgotten unit is due once too often": {size: 2, steps: []step{
			{unit: "u", hash: "a", want: Due{State: DueFirst, Next: in(day)}},
			{unit: "v", hash: "a", want: Due{State: DueFirst, Next: in(day)}},
			{unit: "w", hash: "a", want: Due{State: DueFirst, Next: in(day)}},
			{unit: "u", hash: "a", want: Due{State: DueFirst, Next: in(day)}},
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tracker, err := NewDueTracker(tc.size)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range tc.steps {
				if s.forget {
					tracker.Forget(s.unit, s.hash)
					continue
				}
				got := tracker.Observe(UnitObservation{Unit: s.unit, Hash: s.hash, InPlace: !s.away, RepeatEvery: s.every}, in(s.at))
				if got.State != s.want.State || !got.Next.Equal(s.want.Next) {
					t.Errorf("step %d: %+v, want %+v", i, got, s.want)
				}
			}
			if got := tracker.Units(); got > tc.size {
				t.Errorf("%d units remembered, want at most %d", got, tc.size)
			}
		})
	}
}

func TestAHashIsCarriedByAReadyPod(t *testing.T) {
	tests := map[string]struct {
		hash string
		pods []PodObservation
		want bool
	}{
		"a unit without pods carries nothing":       {hash: "a"},
		"a Ready pod that carries it is enough":     {hash: "a", pods: []PodObservation{{Ready: true, Hash: "b"}, {Ready: true, Hash: "a"}}, want: true},
		"a pod that is not Ready is not":            {hash: "a", pods: []PodObservation{{Hash: "a"}}},
		"a pod that carries another hash is not":    {hash: "a", pods: []PodObservation{{Ready: true, Hash: "b"}}},
		"pods without a hash carry no empty hash":   {hash: "", pods: []PodObservation{{Ready: true}}},
		"a Ready pod counts beside one that is not": {hash: "a", pods: []PodObservation{{Hash: "a"}, {Ready: true, Hash: "a"}}, want: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := IsCarried(tc.hash, tc.pods); got != tc.want {
				t.Errorf("carried = %t, want %t", got, tc.want)
			}
		})
	}
}

// Both the tracker and the logger's memory are gone after a restart: each unit is told once more, and then no more often
// than before.
func TestARestartRepeatsEachExposureOnce(t *testing.T) {
	const units, observations = 10, 5
	for process := range 2 {
		now := testEpoch.Add(time.Duration(process) * time.Hour)
		due := 0
		events, stats := capture(t, Options{}, func(t *testing.T, l *Logger) {
			tracker, err := NewDueTracker(100)
			if err != nil {
				t.Fatal(err)
			}
			for i := range units * observations {
				unit := fmt.Sprintf("shop/checkout-%d", i%units)
				if tracker.Observe(UnitObservation{Unit: unit, Hash: "a", InPlace: true}, now).State != DueNot {
					due++
					l.Expose(Exposure{Result: gateResult(), Unit: unit, Time: now})
				}
			}
		})
		if due != units || len(events) != units || stats.Repeated != 0 {
			t.Errorf("process %d: %d due, %d sent, %d repeated; want %d, %d, 0", process, due, len(events), stats.Repeated, units, units)
		}
	}
}

func TestATrackerHasABound(t *testing.T) {
	for _, size := range []int{-1, 0, maxDedupeSize + 1} {
		if _, err := NewDueTracker(size); err == nil {
			t.Errorf("a tracker of size %d was made", size)
		}
	}
}
