//go:build !race

package events

import "testing"

func TestAskingForTheNextExposureDoesNotAllocate(t *testing.T) {
	l := newLogger(mustOptions(t, Options{}), discardSender{})
	e := Exposure{Result: gateResult(), User: benchmarkUser}
	l.Expose(e)
	if got := testing.AllocsPerRun(1000, func() { l.NextExposure(e) }); got > 0 {
		t.Errorf("NextExposure allocates %v times, want 0", got)
	}
}
