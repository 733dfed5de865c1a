package events

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestARejectedBatchIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, observer := t.TempDir(), &recordingObserver{}
		l, stop := start(t, Options{BatchSize: 2, Observer: observer, Spool: SpoolOptions{Dir: dir}},
			&fakeSender{answer: func(_ context.Context, n int) error {
				if n == 0 {
					return &StatusError{Status: 400}
				}
				return nil
			}})
		logNames(l, "bad", "too")
		if err := l.Flush(t.Context()); !errors.Is(err, ErrSetAside) {
			t.Errorf("Flush = %v, want %v", err, ErrSetAside)
		}
		logNames(l, "good", "good")
		stop()
		got := l.Stats()
		if got.Delivered != 2 || got.SetAside[ReasonRejected] != 2 || len(got.Dropped) != 0 || observer.setAside != 2 {
			t.Errorf("stats: %+v, observed %d", got, observer.setAside)
		}
		if got.Spool.DeadFiles != 1 || got.Spool.Records != 0 {
			t.Errorf("spool: %+v", got.Spool)
		}
		names, _ := filepath.Glob(filepath.Join(dir, "dead", "*"))
		if len(names) != 1 {
			t.Fatalf("set aside: %v", names)
		}
		data, err := os.ReadFile(names[0])
		if text := string(data); err != nil || !strings.HasPrefix(text, `[{"eventName":"bad"`) || !strings.HasSuffix(text, "}]\n") {
			t.Errorf("set aside is %q, %v", text, err)
		}
	})
}

func TestOnlyTheBatchAtFaultIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{}
		s.answer = func(_ context.Context, n int) error {
			if isDown := time.Since(testEpoch) < time.Hour; isDown || s.seen()[n].Names[0] == "poison" {
				return &StatusError{Status: 500}
			}
			return nil
		}
		l, stop := start(t, Options{BatchSize: 1, Spool: SpoolOptions{Dir: t.TempDir()}}, s)
		logNames(l, "poison", "a", "b")
		time.Sleep(time.Hour)
		if got := l.Stats(); got.Pending != 3 || len(got.SetAside) != 0 || len(got.Dropped) != 0 {
			t.Errorf("while nothing gets through: %d pending, set aside %v, dropped %v", got.Pending, got.SetAside, got.Dropped)
		}
		time.Sleep(time.Hour)
		logNames(l, "c")
		time.Sleep(time.Hour)
		stop()
		if got := l.Stats(); got.Delivered != 3 || got.SetAside[ReasonExhausted] != 1 || got.Spool.DeadFiles != 1 {
			t.Errorf("stats: %+v", got)
		}
	})
}

func TestARefusedKeyKeepsEventsForTheNextOne(t *testing.T) {
	for _, status := range []int{401, 403, 429} {
		synctest.Test(t, func(t *testing.T) {
			o := Options{Spool: SpoolOptions{Dir: t.TempDir()}}
			l, stop := start(t, o, &fakeSender{answer: func(context.Context, int) error { return &StatusError{Status: status} }})
			logNames(l, "a")
			time.Sleep(24 * time.Hour)
			stop()
			if got := l.Stats(); got.Spool.Events != 1 || len(got.Dropped) != 0 {
				t.Errorf("after a day of %d: %d on disk, dropped %v", status, got.Spool.Events, got.Dropped)
			}
		})
	}
}
