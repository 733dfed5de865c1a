package events

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

// An hour without endpoint, at 5,000 events a second: memory and disk stay within their bounds, every event is accounted
// for, and what fits the spool is delivered afterwards.
func TestAnHourWithoutEndpointStaysWithinBounds(t *testing.T) {
	const perSecond = 5000
	seconds := outageSeconds
	if testing.Short() {
		seconds = 60
	}
	for name, options := range map[string]SpoolOptions{
		"without a spool": {},
		"with a spool":    {Dir: t.TempDir(), MaxBytes: minSpoolBytes, Fsync: spool.SyncNever},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &outageSender{}
				l, stop := start(t, Options{MaxQueueBytes: 16 << 20, Spool: options}, s)
				before := liveBytes()
				most, mostLive := 0, int64(0)
				for second := range seconds {
					for range perSecond {
						l.Log(CustomEvent{Name: "rollout_finished", User: benchmarkUser})
					}
					time.Sleep(time.Second)
					stats := l.Stats()
					most = max(most, stats.PendingBytes)
					if stats.Spool.Bytes > minSpoolBytes {
						t.Fatalf("spool takes %d bytes", stats.Spool.Bytes)
					}
					if second%600 == 599 {
						mostLive = max(mostLive, liveBytes()-before)
					}
				}
				// Twice the queue: a batch's memory grows ahead of its content, and some of it waits to be used again.
				if most > 16<<20 || mostLive > 40<<20 {
					t.Errorf("queue grew to %d bytes, live memory by %d", most, mostLive)
				}
				checkAccounts(t, l.Stats(), seconds*perSecond)
				held := l.Stats().Pending + l.Stats().Spool.Events
				if isKept := held > 200_000; isKept != (options.Dir != "") && seconds > 60 {
					t.Errorf("%d events are held", held)
				}
				s.isUp.Store(true)
				time.Sleep(time.Hour)
				if got := l.Stats(); got.Delivered < int64(held) || got.Spool.Records != 0 {
					t.Errorf("delivered %d of %d after the outage: %+v", got.Delivered, held, got)
				}
				stop()
				checkAccounts(t, l.Stats(), seconds*perSecond)
				t.Logf("of %d events %d were delivered; the queue had %d bytes at most, live memory grew by %d",
					seconds*perSecond, l.Stats().Delivered, most, mostLive)
			})
		})
	}
}

func checkAccounts(t *testing.T, s Stats, want int) {
	t.Helper()
	got := s.Delivered + int64(s.Pending+s.Spool.Events)
	for _, n := range s.Dropped {
		got += n
	}
	if got != int64(want) {
		t.Errorf("of %d events %d are accounted for: %+v", want, got, s)
	}
}

func liveBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
