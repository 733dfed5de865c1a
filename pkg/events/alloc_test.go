//go:build !race

package events

import (
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func TestExposeHardlyAllocates(t *testing.T) {
	gate := benchmarkExposure()
	layer := benchmarkExposure()
	layer.Result.Kind, layer.Result.Value, layer.Parameter = eval.KindLayer, `{"model":"b","depth":3}`, "depth"
	units := unitNames()
	for name, tc := range map[string]struct {
		exposure Exposure
		isRepeat bool
		most     float64
	}{
		"a gate that is queued":      {exposure: gate, most: 1},
		"a parameter that is queued": {exposure: layer, most: 1},
		"a gate that is a repeat":    {exposure: gate, isRepeat: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLogger(mustOptions(t, Options{DedupeSize: 1000, MaxPendingBatches: 1}), discardSender{})
			i := 0
			logOne := func() {
				if !tc.isRepeat {
					i++
				}
				tc.exposure.Unit = units[i%len(units)]
				l.Expose(tc.exposure)
			}
			for range 5000 { // fills the queue and the set of exposures seen, which then reuse their memory
				logOne()
			}
			if got := testing.AllocsPerRun(10_000, logOne); got > tc.most {
				t.Errorf("Expose allocates %v times, want at most %v", got, tc.most)
			}
		})
	}
}
