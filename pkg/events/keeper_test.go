package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/events/internal/faultfs"
	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

var errDown = &StatusError{Status: 503}

// down answers every request as a server in trouble does.
func down(context.Context, int) error { return errDown }

// namesOf returns the events of all attempts, in order.
func namesOf(attempts []attempt) (names []string) {
	for _, a := range attempts {
		names = append(names, a.Names...)
	}
	return names
}

func numbers(from, to int) (names []string) {
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprint(i))
	}
	return names
}

func TestWhatMemoryCannotHoldWaitsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var isUp atomic.Bool
		s := &fakeSender{answer: func(context.Context, int) error {
			if isUp.Load() {
				return nil
			}
			return errDown
		}}
		l, stop := start(t, Options{
			BatchSize: 5, MaxPendingBatches: 4, FlushInterval: time.Minute, Spool: SpoolOptions{Dir: t.TempDir()},
		}, s)
		for i := range 200 {
			logNames(l, fmt.Sprint(i))
			synctest.Wait()
		}
		time.Sleep(1500 * time.Millisecond)
		got := l.Stats()
		if got.Pending > 25 || got.Pending+got.Spool.Events != 200 || got.Spool.Events == 0 || len(got.Dropped) != 0 {
			t.Errorf("during the outage: %d pending, %d on disk, %v dropped", got.Pending, got.Spool.Events, got.Dropped)
		}
		if got.Circuit != CircuitOpen || got.Spool.State != SpoolActive {
			t.Errorf("circuit is %s, spool %s", got.Circuit, got.Spool.State)
		}
		attempts := len(s.seen())
		isUp.Store(true)
		time.Sleep(3 * time.Minute)
		stop()
		arrived := map[string]int{}
		for _, name := range namesOf(s.seen()[attempts:]) {
			arrived[name]++
		}
		for _, name := range numbers(0, 200) {
			if arrived[name] != 1 {
				t.Errorf("event %s arrived %d times after the outage", name, arrived[name])
			}
		}
		if got := l.Stats(); got.Delivered != 200 || got.Spool.Events != 0 || got.Spool.Records != 0 || got.Circuit != CircuitClosed {
			t.Errorf("stats after the outage: %+v", got)
		}
	})
}

func TestTheNextStartSendsWhatIsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{BatchSize: 10, Spool: SpoolOptions{Dir: t.TempDir()}}
		l, stop := start(t, o, &fakeSender{answer: down})
		logNames(l, numbers(0, 25)...)
		flushed := make(chan error, 1)
		go func() { flushed <- l.Flush(t.Context()) }()
		synctest.Wait()
		stop()
		if err := <-flushed; !errors.Is(err, ErrSpooled) || !errors.Is(err, errDown) {
			t.Errorf("Flush = %v, want %v because of %v", err, ErrSpooled, errDown)
		}
		if got := l.Stats(); len(got.Dropped) != 0 || got.Pending != 0 || got.Spool.Events != 25 {
			t.Errorf("stats after the end: %+v", got)
		}

		s := &fakeSender{}
		l, stop = start(t, o, s)
		synctest.Wait()
		stop()
		arrived := namesOf(s.seen())
		slices.SortFunc(arrived, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
		if diff := gocmp.Diff(numbers(0, 25), arrived); diff != "" {
			t.Errorf("events differ (-want +got):\n%s", diff)
		}
		if got := l.Stats(); got.Delivered != 25 || got.Spool.Recovered != 25 || got.Spool.Records != 0 {
			t.Errorf("stats of the second run: %+v", got)
		}
	})
}

func TestSyncMakesEventsSafe(t *testing.T) {
	tests := map[string]struct {
		spool bool
		fault faultfs.Fault
		// wantWait says that Sync can only wait for delivery.
		wantWait bool
	}{
		"with a spool, on disk":                {spool: true},
		"with a full disk, by delivery":        {spool: true, fault: faultfs.Full, wantWait: true},
		"with a disk that won't sync, by that": {spool: true, fault: faultfs.Unsynced, wantWait: true},
		"without a spool, by delivery":         {wantWait: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := &faultfs.FS{}
				o := Options{}
				if tc.spool {
					o.Spool = SpoolOptions{Dir: t.TempDir(), FS: disk}
				}
				s := &fakeSender{answer: func(context.Context, int) error {
					time.Sleep(10 * time.Second)
					return nil
				}}
				l, stop := start(t, o, s)
				disk.Set(tc.fault)
				logNames(l, "a", "b")
				if err := l.Sync(t.Context()); err != nil {
					t.Errorf("Sync: %v", err)
				}
				waited := time.Since(testEpoch)
				if got := l.Stats(); (waited == 10*time.Second) != tc.wantWait || (got.Spool.Records == 1) == tc.wantWait && tc.fault != faultfs.Unsynced {
					t.Errorf("Sync took %s, %d records are on disk", waited, got.Spool.Records)
				}
				disk.Set(faultfs.None)
				stop()
				if err := l.Sync(t.Context()); err != nil {
					t.Errorf("Sync after the end, of nothing: %v", err)
				}
			})
		})
	}
}

func TestSyncEndsWithItsContext(t *testing.T) {
	l := newLogger(mustOptions(t, Options{Spool: SpoolOptions{Dir: t.TempDir()}}), &fakeSender{})
	logNames(l, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Sync(ctx); !errors.Is(err, context.Canceled) { // nobody runs the logger
		t.Errorf("Sync = %v, want %v", err, context.Canceled)
	}
}

func TestWhatIsDeliveredAtOnceIsNeverWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l, stop := start(t, Options{BatchSize: 2, Spool: SpoolOptions{Dir: dir}}, &fakeSender{})
		logNames(l, numbers(0, 100)...)
		synctest.Wait()
		stop()
		if got := l.Stats(); got.Delivered != 100 || got.Spool.Bytes != 0 {
			t.Errorf("delivered %d, %d bytes on disk", got.Delivered, got.Spool.Bytes)
		}
	})
}

func TestALoggerWorksWithoutItsDisk(t *testing.T) {
	for _, fault := range []faultfs.Fault{faultfs.Full, faultfs.ReadOnly, faultfs.Unsynced} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk, observer, s := &faultfs.FS{}, &recordingObserver{}, &fakeSender{answer: down}
				disk.Set(fault)
				o := Options{
					BatchSize: 5, MaxPendingBatches: 2, Observer: observer,
					Spool: SpoolOptions{Dir: filepath.Join(t.TempDir(), "spool"), FS: disk},
				}
				l, stop := start(t, o, s)
				logNames(l, numbers(0, 8)...)
				time.Sleep(10*time.Second + 100*time.Millisecond)
				got := l.Stats()
				if got.Spool.State != SpoolDegraded || got.Pending != 8 || len(got.Dropped) != 0 {
					t.Errorf("while the disk refuses: spool %s, %d pending, dropped %v", got.Spool.State, got.Pending, got.Dropped)
				}
				if got.Spool.Failed < 10 || got.Spool.LastError == nil || observer.failures() != got.Spool.Failed {
					t.Errorf("%d failures are counted, %d observed, the last is %v", got.Spool.Failed, observer.failures(), got.Spool.LastError)
				}
				disk.Set(faultfs.None)
				time.Sleep(time.Second)
				if got := l.Stats(); got.Spool.State != SpoolActive {
					t.Errorf("with the disk back the spool is %s: %v", got.Spool.State, got.Spool.LastError)
				}
				logNames(l, numbers(8, 40)...)
				stop()
				if got := l.Stats(); got.Spool.Events+int(got.Dropped[ReasonOverflow]) != 40 || got.Dropped[ReasonShutdown] != 0 {
					t.Errorf("after the end: %d on disk, dropped %v", got.Spool.Events, got.Dropped)
				}
			})
		})
	}
}

func TestWithoutItsDiskAFullQueueDropsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &faultfs.FS{}
		l, stop := start(t, Options{
			BatchSize: 5, MaxPendingBatches: 2, Spool: SpoolOptions{Dir: t.TempDir(), FS: disk},
		}, &fakeSender{answer: down})
		disk.Set(faultfs.Full)
		for i := range 40 {
			logNames(l, fmt.Sprint(i))
			synctest.Wait()
		}
		if got := l.Stats(); got.Pending != 10 || got.Dropped[ReasonOverflow] != 30 {
			t.Errorf("%d pending, dropped %v", got.Pending, got.Dropped)
		}
		stop()
		if got := l.Stats(); got.Dropped[ReasonShutdown] != 10 || got.Spool.Events != 0 {
			t.Errorf("after the end: %d on disk, dropped %v", got.Spool.Events, got.Dropped)
		}
	})
}

func TestASpoolThatIsInUseIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Spool: SpoolOptions{Dir: t.TempDir()}}
		first, stopFirst := start(t, o, &fakeSender{answer: down})
		logNames(first, "first")
		s := &fakeSender{}
		second, stopSecond := start(t, o, s)
		logNames(second, "second")
		time.Sleep(5 * time.Second)
		if got := second.Stats().Spool; got.State != SpoolDegraded || !errors.Is(got.LastError, spool.ErrLocked) {
			t.Errorf("spool of the second logger: %+v", got)
		}
		stopFirst()
		time.Sleep(5 * time.Second)
		if got := second.Stats(); got.Spool.State != SpoolActive || got.Delivered != 1 {
			t.Errorf("stats of the second logger: %+v", got)
		}
		stopSecond()
		if diff := gocmp.Diff([]string{"first", "second"}, namesOf(s.seen())); diff != "" {
			t.Errorf("events differ (-want +got):\n%s", diff)
		}
	})
}

func TestEventsOfLostReplicasAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := t.TempDir()
		options := func(replica string) Options {
			return Options{Spool: SpoolOptions{Dir: filepath.Join(parent, replica), AdoptFrom: parent}}
		}
		lost, stopLost := start(t, options("a"), &fakeSender{answer: down})
		logNames(lost, "left behind")
		s := &fakeSender{}
		l, stop := start(t, options("b"), s)
		time.Sleep(time.Second)
		stopLost()
		time.Sleep(2 * adoptInterval)
		if got := l.Stats(); got.Delivered != 1 || got.Spool.Recovered != 1 {
			t.Errorf("stats: %+v", got)
		}
		stop()
		if diff := gocmp.Diff([]string{"left behind"}, namesOf(s.seen())); diff != "" {
			t.Errorf("events differ (-want +got):\n%s", diff)
		}
	})
}

func TestFewEventsOverALongTimeAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := start(t, Options{FlushInterval: time.Minute, Spool: SpoolOptions{Dir: t.TempDir()}}, &fakeSender{answer: down})
		for i := range 600 {
			logNames(l, fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		if got := l.Stats().Spool; got.Records > 11*maxRecordsPerBatch {
			t.Errorf("600 events are in %d records", got.Records)
		}
		stop()
		if got := l.Stats(); got.Spool.Events != 600 {
			t.Errorf("%d events are on disk, want 600", got.Spool.Events)
		}
	})
}

func TestADisabledNetworkSendsAndKeepsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, s := filepath.Join(t.TempDir(), "spool"), &fakeSender{}
		l, stop := start(t, Options{BatchSize: 2, DisableNetwork: true, Spool: SpoolOptions{Dir: dir}}, s)
		if !l.Expose(Exposure{Result: gateResult()}) || l.Expose(Exposure{Result: gateResult()}) {
			t.Error("exposures are not told apart as ever")
		}
		logNames(l, "a", "b")
		if err := l.Flush(t.Context()); !errors.Is(err, ErrDropped) {
			t.Errorf("Flush = %v, want %v", err, ErrDropped)
		}
		stop()
		got := l.Stats()
		if got.State != StateNetworkDisabled || got.Dropped[ReasonNetworkDisabled] != 3 || got.Spool.State != SpoolOff {
			t.Errorf("stats: %+v", got)
		}
		if _, err := os.Stat(dir); !errors.Is(err, syscall.ENOENT) || len(s.seen()) != 0 {
			t.Errorf("spool directory: %v; %d requests", err, len(s.seen()))
		}
	})
}

func TestADamagedSpoolCostsOnlyWhatIsDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		o := Options{BatchSize: 1, Spool: SpoolOptions{Dir: dir}}
		l, stop := start(t, o, &fakeSender{answer: down})
		var ends []int64
		for _, name := range []string{"sound", "flipped", "fine", "cut"} {
			logNames(l, name)
			if err := l.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			ends = append(ends, l.Stats().Spool.Bytes)
		}
		stop()
		segments, err := filepath.Glob(filepath.Join(dir, "*.seg"))
		if err != nil || len(segments) != 1 {
			t.Fatalf("segments: %v, %v", segments, err)
		}
		data, err := os.ReadFile(segments[0])
		if err != nil {
			t.Fatal(err)
		}
		data[(ends[0]+ends[1])/2] ^= 0x40
		if err := os.WriteFile(segments[0], data[:ends[3]-5], 0o600); err != nil {
			t.Fatal(err)
		}
		s := &fakeSender{}
		l, stop = start(t, o, s)
		logNames(l, "next")
		stop()
		if diff := gocmp.Diff([]string{"sound", "fine", "next"}, namesOf(s.seen())); diff != "" {
			t.Errorf("events differ (-want +got):\n%s", diff)
		}
		if got := l.Stats().Spool; got.Corrupted != 1 || got.Torn != 1 || got.Recovered != 2 {
			t.Errorf("stats: %+v", got)
		}
	})
}

func TestSyncsShareAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &faultfs.FS{}
		l := newLogger(mustOptions(t, Options{Spool: SpoolOptions{Dir: t.TempDir(), FS: disk}}), &fakeSender{answer: down})
		const callers = 3 * maxSyncs
		outcome := make(chan error, callers)
		for i := range callers {
			go func() {
				logNames(l, fmt.Sprint(i))
				outcome <- l.Sync(t.Context())
			}()
		}
		synctest.Wait() // all of them wait for the logger to run
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		for range callers {
			if err := <-outcome; err != nil {
				t.Errorf("Sync: %v", err)
			}
		}
		if got := l.Stats().Spool.Records; got != 1 || disk.Syncs() != 2 { // the file and its name
			t.Errorf("%d callers cost %d records, and forced the disk %d times", callers, got, disk.Syncs())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
