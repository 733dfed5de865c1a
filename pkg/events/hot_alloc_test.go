//go:build !race

package events

import (
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func TestSampledExposuresHardlyAllocate(t *testing.T) {
	units := unitNames()
	tests := map[string]struct {
		rate int64
		most float64
	}{
		"an exposure in the sample":     {rate: 1, most: 1},
		"an exposure out of the sample": {rate: 1 << 62},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLogger(mustOptions(t, Options{DedupeSize: 1000, MaxPendingBatches: 1}), discardSender{})
			l.SetSampling(Sampling{Mode: SamplingOn, FirstExposureWindow: 1 << 62})
			e := benchmarkExposure()
			e.Result.SamplingRate = tc.rate
			i := 0
			logOne := func() {
				e.Unit = units[i%len(units)]
				i++
				l.Expose(e)
			}
			for range 5000 { // fills the queue and the sets, which then reuse their memory
				logOne()
			}
			if got := testing.AllocsPerRun(10_000, logOne); got > tc.most {
				t.Errorf("Expose allocates %v times, want at most %v", got, tc.most)
			}
		})
	}
}

func TestAskingForWhatIsKnownDoesNotAllocate(t *testing.T) {
	l := newLogger(mustOptions(t, Options{}), discardSender{})
	exposure := Exposure{Result: gateResult(), User: benchmarkUser}
	l.Expose(exposure)
	layer := exposure
	layer.Result.Kind, layer.Result.Value, layer.Parameter = eval.KindLayer, `{"model":"b","depth":3}`, "depth"
	l.Expose(layer)
	l.CountCheck("new_checkout")
	state, _ := RolloutState{}.Observe(deployment("1", "a", 3, 3, 3), testEpoch)
	for name, call := range map[string]func(){
		"a repeated exposure of a unit known by its IDs": func() { l.Expose(exposure) },
		"a repeated exposure of a layer parameter":       func() { l.Expose(layer) },
		"a check that was counted before":                func() { l.CountCheck("new_checkout") },
		"asking when a repeated exposure is due":         func() { l.NextExposure(exposure) },
		"a workload that stands still":                   func() { state, _ = state.Observe(deployment("1", "a", 3, 3, 3), testEpoch) },
	} {
		if got := testing.AllocsPerRun(1000, call); got != 0 {
			t.Errorf("%s allocates %v times, want 0", name, got)
		}
	}
}
