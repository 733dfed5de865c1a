package spool_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/events/internal/faultfs"
	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

// segmentOf returns the name of the only segment, and its contents.
func segmentOf(t *testing.T, dir string) (name string, data []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(names) != 1 {
		t.Fatalf("segments: %v, %v", names, err)
	}
	data, err = os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	return names[0], data
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestATornEndIsSkippedWhereverItTears(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	mustAppend(t, s, "first")
	end := s.Stats().Bytes
	mustAppend(t, s, "second, which is torn")
	mustClose(t, s)
	name, data := segmentOf(t, dir)
	for size := end; size < int64(len(data)); size++ {
		for filler, torn := range map[string][]byte{
			"cut":   data[:size],
			"zeros": append(data[:size:size], make([]byte, 1000)...),
		} {
			writeFile(t, name, torn)
			s, err := spool.Open(spool.Options{Dir: dir})
			if err != nil {
				t.Fatalf("%s at %d: %v", filler, size, err)
			}
			if diff := cmp.Diff([]string{"first"}, waiting(t, s)); diff != "" {
				t.Errorf("%s at %d: records differ (-want +got):\n%s", filler, size, diff)
			}
			wantTorn := int64(1)
			if filler == "cut" && size == end {
				wantTorn = 0
			}
			if got := s.Stats(); got.Torn != wantTorn || got.Corrupted != 0 {
				t.Errorf("%s at %d: %d torn, %d corrupted", filler, size, got.Torn, got.Corrupted)
			}
			mustClose(t, s)
		}
	}
}

func TestADamagedRecordCostsNoOther(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	var ends []int64
	for _, data := range []string{"first", "second", "third"} {
		mustAppend(t, s, data)
		ends = append(ends, s.Stats().Bytes)
	}
	mustClose(t, s)
	name, data := segmentOf(t, dir)
	for at := ends[0]; at < ends[1]; at++ {
		for _, flip := range []byte{0x01, 0xff} {
			broken := append([]byte(nil), data...)
			broken[at] ^= flip
			writeFile(t, name, broken)
			s, err := spool.Open(spool.Options{Dir: dir})
			if err != nil {
				t.Fatalf("byte %d: %v", at, err)
			}
			if diff := cmp.Diff([]string{"first", "third"}, waiting(t, s)); diff != "" {
				t.Errorf("byte %d: records differ (-want +got):\n%s", at, diff)
			}
			if got := s.Stats(); got.Corrupted != 1 || got.Torn != 0 {
				t.Errorf("byte %d: %d corrupted, %d torn, want 1 and 0", at, got.Corrupted, got.Torn)
			}
			mustClose(t, s)
		}
	}
}

func TestARecordThatRotsBeforeItIsClaimedIsCounted(t *testing.T) {
	dir, dropped := t.TempDir(), 0
	s := open(t, spool.Options{Dir: dir, Dropped: func(why spool.Drop, events int) {
		if why == spool.DropDamaged {
			dropped += events
		}
	}})
	s.Release(mustAppend(t, s, "rotten"), mustAppend(t, s, "good"))
	name, data := segmentOf(t, dir)
	data[40] ^= 1
	writeFile(t, name, data)
	if diff := cmp.Diff([]string{"good"}, waiting(t, s)); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
	if got := s.Stats(); dropped != 1 || got.Corrupted != 1 || got.Records != 1 {
		t.Errorf("%d events dropped, stats %+v", dropped, got)
	}
}

func TestARecordWrittenTwiceIsThereOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	mustAppend(t, s, "a")
	mustClose(t, s)
	name, data := segmentOf(t, dir)
	writeFile(t, name, append(data, data...))
	writeFile(t, filepath.Join(dir, "00000000000000000009.seg"), data)
	s = open(t, spool.Options{Dir: dir})
	if diff := cmp.Diff([]string{"a"}, waiting(t, s)); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
	if err := s.Ack(1); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Segments != 0 {
		t.Errorf("%d segments are left", got.Segments)
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"lost+found", "1.seg", "notes.txt", strings.Repeat("x", 20) + ".seg"} {
		writeFile(t, filepath.Join(dir, name), []byte("not ours"))
	}
	s := open(t, spool.Options{Dir: dir})
	if err := s.Ack(mustAppend(t, s, "a")); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Corrupted != 0 || got.Torn != 0 {
		t.Errorf("stats: %+v", got)
	}
	if got := len(files(t, dir)); got != 6 { // those, the lock and a segment
		t.Errorf("%d files are there, want 6", got)
	}
}

func TestAFailingDiskCostsNothingThatWasWritten(t *testing.T) {
	tests := map[string]struct {
		fault faultfs.Fault
		sync  spool.SyncPolicy
		want  error
	}{
		"a full disk":             {fault: faultfs.Full, want: syscall.ENOSPC},
		"a disk made read-only":   {fault: faultfs.ReadOnly, want: syscall.EROFS},
		"a disk that won't sync":  {fault: faultfs.Unsynced, sync: spool.SyncAlways, want: syscall.EIO},
		"a full disk that syncs":  {fault: faultfs.Full, sync: spool.SyncAlways, want: syscall.ENOSPC},
		"a full disk, no syncing": {fault: faultfs.Full, sync: spool.SyncNever, want: syscall.ENOSPC},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			disk := &faultfs.FS{}
			o := spool.Options{Dir: t.TempDir(), FS: disk, Sync: tc.sync}
			s := open(t, o)
			acked := mustAppend(t, s, "acknowledged meanwhile")
			s.Release(mustAppend(t, s, "before"))
			disk.Set(tc.fault)
			for i := range 20 {
				if _, err := s.Append(fmt.Appendf(nil, "refused %d", i), 1, now); !errors.Is(err, tc.want) {
					t.Fatalf("Append = %v, want %v", err, tc.want)
				}
			}
			_ = s.Ack(acked) // may fail, and is made good
			if got := s.Stats(); got.Records != 1 || got.Segments > 2 {
				t.Errorf("stats while the disk fails: %+v", got)
			}
			disk.Set(faultfs.None)
			s.Release(mustAppend(t, s, "after"))
			if err := s.Ack(); err != nil {
				t.Errorf("Ack: %v", err)
			}
			mustClose(t, s)
			s = open(t, o)
			if diff := cmp.Diff([]string{"before", "after"}, waiting(t, s)); diff != "" {
				t.Errorf("records differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADiskThatFailsFromTheStart(t *testing.T) {
	disk := &faultfs.FS{}
	disk.Set(faultfs.ReadOnly)
	o := spool.Options{Dir: filepath.Join(t.TempDir(), "spool"), FS: disk}
	if _, err := spool.Open(o); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Open = %v, want %v", err, syscall.EROFS)
	}
	disk.Set(faultfs.Full)
	s := open(t, o)
	for range 20 {
		if _, err := s.Append([]byte("x"), 1, now); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("Append = %v, want %v", err, syscall.ENOSPC)
		}
	}
	if got := files(t, o.Dir); len(got) != 1 {
		t.Errorf("a full disk collects files: %v", got)
	}
}

func TestASpoolOutlivesItsDirectory(t *testing.T) {
	dir, dropped := filepath.Join(t.TempDir(), "spool"), 0
	o := spool.Options{Dir: dir, MaxBytes: 1 << 20, Sync: spool.SyncNever, Dropped: func(_ spool.Drop, events int) { dropped += events }}
	s := open(t, o)
	data := randomText(30_000)
	s.Release(mustAppend(t, s, data), mustAppend(t, s, data), mustAppend(t, s, data))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for range 100 { // enough to begin new segments and to drop old ones
		s.Release(mustAppend(t, s, data))
	}
	if got := len(waiting(t, s)); got == 0 || got+dropped != 103 {
		t.Errorf("%d records can be read, %d were dropped, want 103 together", got, dropped)
	}
}

func TestSyncPolicies(t *testing.T) {
	for policy, want := range map[spool.SyncPolicy]struct{ appended, synced, again int }{
		spool.SyncAlways:   {appended: 3, synced: 3, again: 3}, // two records and the new file's name
		spool.SyncInterval: {appended: 0, synced: 2, again: 2},
		spool.SyncNever:    {},
	} {
		disk := &faultfs.FS{}
		s := open(t, spool.Options{Dir: t.TempDir(), FS: disk, Sync: policy})
		mustAppend(t, s, "a")
		mustAppend(t, s, "b")
		var got struct{ appended, synced, again int }
		got.appended = disk.Syncs()
		_ = s.Sync()
		got.synced = disk.Syncs()
		_ = s.Sync()
		got.again = disk.Syncs()
		if got != want {
			t.Errorf("with policy %s the disk was forced %+v times, want %+v", policy, got, want)
		}
	}
}
