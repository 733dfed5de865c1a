package spool_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// open opens a spool that the test closes.
func open(t *testing.T, o spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// mustClose ends a spool as its owner would.
func mustClose(t *testing.T, s *spool.Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func mustAppend(t *testing.T, s *spool.Spool, data string) uint64 {
	t.Helper()
	id, err := s.Append([]byte(data), 1, now)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return id
}

// waiting claims everything and returns the data, in order.
func waiting(t *testing.T, s *spool.Spool) []string {
	t.Helper()
	var all []string
	for s.Waiting() > 0 {
		records, err := s.Claim(1000, 1<<20)
		if err != nil {
			t.Fatalf("Claim: %v", err)
		}
		for _, r := range records {
			all = append(all, string(r.Data))
		}
	}
	return all
}

func TestWhatIsNotAcknowledgedIsThereAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, spool.Options{Dir: dir})
	ids := []uint64{mustAppend(t, s, "a"), mustAppend(t, s, "b"), mustAppend(t, s, "c"), mustAppend(t, s, "d")}
	if err := s.Ack(ids[1], ids[3]); err != nil {
		t.Fatalf("Ack: %v", err)
	}
	if got := s.Waiting(); got != 0 {
		t.Errorf("%d records wait that are held", got)
	}
	mustClose(t, s)

	s = open(t, spool.Options{Dir: dir})
	if got := s.Stats(); got.Recovered != 2 || got.WaitingEvents != 2 || !got.Oldest.Equal(now) {
		t.Errorf("stats after opening: %+v", got)
	}
	if diff := cmp.Diff([]string{"a", "c"}, waiting(t, s)); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
	if id := mustAppend(t, s, "e"); slices.Contains(ids, id) {
		t.Errorf("the number %d was given twice", id)
	}
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	long := strings.Repeat(`{"eventName":"x"},`, 50_000)
	for i, data := range []string{"", long} {
		if _, err := s.Append([]byte(data), i*50_000, now); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
	mustClose(t, s)
	s = open(t, spool.Options{Dir: dir})
	got, err := s.Claim(1<<30, 1<<30)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	if len(got) != 2 || len(got[0].Data) != 0 || string(got[1].Data) != long {
		t.Error("the data is not what it was")
	}
	want := []spool.Record{{Created: now}, {Created: now, Events: 50_000}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(spool.Record{}, "ID", "Data")); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
	if got := s.Stats().Bytes; got > int64(len(long)/10) {
		t.Errorf("spool takes %d bytes for %d repetitive ones", got, len(long))
	}
}

func TestClaimKeepsWithinItsBounds(t *testing.T) {
	s := open(t, spool.Options{Dir: t.TempDir()})
	var ids []uint64
	for _, events := range []int{5, 5, 1, 20, 1} {
		id, err := s.Append(make([]byte, 100), events, now)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	s.Release(ids[4], ids[0], ids[2], ids[1], ids[3])
	for i, want := range []struct {
		maxEvents, maxBytes int
		ids                 []uint64
	}{
		{maxEvents: 10, maxBytes: 1000, ids: ids[:2]},
		{maxEvents: 1000, maxBytes: 150, ids: ids[2:3]},
		{maxEvents: 10, maxBytes: 10, ids: ids[3:4]},
		{maxEvents: 10, maxBytes: 10, ids: ids[4:]},
	} {
		records, err := s.Claim(want.maxEvents, want.maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, r := range records {
			got = append(got, r.ID)
		}
		if diff := cmp.Diff(want.ids, got); diff != "" {
			t.Errorf("claim %d differs (-want +got):\n%s", i, diff)
		}
	}
}

func TestSegmentsGoWhenNobodyNeedsThem(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir, MaxBytes: 1 << 20}) // segments of 64 KiB
	data := randomText(10_000)
	var ids []uint64
	for range 60 {
		ids = append(ids, mustAppend(t, s, data))
	}
	before := s.Stats()
	if err := s.Ack(ids[1:]...); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Segments < before.Segments {
		t.Errorf("%d of %d segments are left although the first has a record", got.Segments, before.Segments)
	}
	if err := s.Ack(ids[0]); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Segments != 1 || got.Records != 0 || got.Bytes > 100_000 {
		t.Errorf("stats of an empty spool: %+v", got)
	}
	mustClose(t, s)
	s = open(t, spool.Options{Dir: dir})
	if got := files(t, dir); !slices.Equal(got, []string{"lock"}) {
		t.Errorf("an empty spool keeps %v", got)
	}
	if got := s.Stats(); got.Bytes != 0 || got.Recovered != 0 {
		t.Errorf("stats of an empty spool opened again: %+v", got)
	}
}

func TestAFullSpoolDropsTheOldestAndCountsThem(t *testing.T) {
	for name, o := range map[string]spool.Options{
		"too many bytes":   {MaxBytes: 1 << 20},
		"too many records": {MaxRecords: 50},
	} {
		t.Run(name, func(t *testing.T) {
			dropped := 0
			o.Dir, o.Sync = t.TempDir(), spool.SyncNever
			o.Dropped = func(why spool.Drop, events int) {
				if why == spool.DropFull {
					dropped += events
				}
			}
			s := open(t, o)
			held := mustAppend(t, s, "held")
			data := randomText(8000)
			for i := range 1000 {
				s.Release(mustAppend(t, s, fmt.Sprint(i, data)))
				if got := s.Stats(); o.MaxBytes > 0 && got.Bytes > o.MaxBytes || o.MaxRecords > 0 && got.Records > o.MaxRecords {
					t.Fatalf("spool has %d bytes, %d records", got.Bytes, got.Records)
				}
			}
			if lost := s.Release(held); lost != 1 {
				t.Errorf("release says that %d events of the held record are lost, want 1", lost)
			}
			got := waiting(t, s)
			if len(got)+dropped != 1000 || dropped == 0 || len(got) == 0 {
				t.Errorf("%d records wait, %d were dropped, want 1000 together", len(got), dropped)
			}
			if want := fmt.Sprint(999, data); got[len(got)-1] != want {
				t.Error("the newest record is not the last")
			}
		})
	}
}

func TestASpoolHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	if _, err := spool.Open(spool.Options{Dir: dir}); !errors.Is(err, spool.ErrLocked) {
		t.Errorf("second Open = %v, want %v", err, spool.ErrLocked)
	}
	mustClose(t, s)
	mustClose(t, s)
	open(t, spool.Options{Dir: dir})
	if _, err := s.Append([]byte("x"), 1, now); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Append after Close = %v", err)
	}
	if err := s.Ack(1); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Ack after Close = %v", err)
	}
	if _, err := s.Claim(1, 1); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("Claim after Close = %v", err)
	}
}

func TestOnlyTheOwnerMayRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "above", "spool")
	s := open(t, spool.Options{Dir: dir})
	mustAppend(t, s, "a")
	if err := s.SetAside([]byte("b"), now); err != nil {
		t.Fatal(err)
	}
	err := filepath.Walk(filepath.Dir(dir), func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]spool.Options{
		"directory":    {},
		"sync policy":  {Dir: "x", Sync: "Sometimes"},
		"MaxBytes":     {Dir: "x", MaxBytes: 1000},
		"MaxRecords":   {Dir: "x", MaxRecords: -1},
		"MaxDeadBytes": {Dir: "x", MaxDeadBytes: -1},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want an error about %s", err, want)
		}
	}
	s := open(t, spool.Options{Dir: t.TempDir()})
	if _, err := s.Append(make([]byte, spool.MaxRecordBytes+1), 1, now); !errors.Is(err, spool.ErrTooLarge) {
		t.Errorf("Append of a huge record = %v, want %v", err, spool.ErrTooLarge)
	}
}

func TestWhatIsSetAsideIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir, MaxDeadBytes: 100})
	for i := range 10 {
		if err := s.SetAside(fmt.Appendf(nil, "%040d", i), now.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetAside(make([]byte, 101), now); !errors.Is(err, spool.ErrTooLarge) {
		t.Errorf("SetAside of too much = %v, want %v", err, spool.ErrTooLarge)
	}
	mustClose(t, s)
	s = open(t, spool.Options{Dir: dir, MaxDeadBytes: 100})
	if got := s.Stats(); got.DeadFiles != 2 || got.DeadBytes != 80 {
		t.Errorf("set aside are %d files of %d bytes, want 2 of 80", got.DeadFiles, got.DeadBytes)
	}
	names := files(t, filepath.Join(dir, "dead"))
	last, err := os.ReadFile(filepath.Join(dir, "dead", names[len(names)-1]))
	if err != nil || string(last) != fmt.Sprintf("%040d", 9) {
		t.Errorf("last file holds %q, %v", last, err)
	}
}

func TestSpoolIsSafeForConcurrentUse(t *testing.T) {
	s := open(t, spool.Options{Dir: t.TempDir(), MaxBytes: 1 << 20})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 200 {
				id, err := s.Append([]byte("data"), 1, now)
				if err != nil {
					t.Errorf("Append: %v", err)
				}
				if i%2 == 0 {
					s.Release(id)
				}
				records, err := s.Claim(1, 100)
				if err != nil {
					t.Errorf("Claim: %v", err)
				}
				for _, r := range records {
					_ = s.Ack(r.ID)
				}
				if i%2 == 1 {
					_ = s.Ack(id)
				}
				_ = s.Stats()
				_ = s.Sync()
			}
		})
	}
	group.Wait()
	for range waiting(t, s) {
		t.Error("a record was left over")
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// randomText does not compress.
func randomText(n int) string {
	random := rand.New(rand.NewPCG(3, uint64(n)))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return string(data)
}
