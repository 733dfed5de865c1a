package spool_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

func TestAdoptTakesOverWhatLostReplicasLeft(t *testing.T) {
	parent := t.TempDir()
	dir := func(name string) string { return filepath.Join(parent, name) }
	leave := func(name string, data ...string) *spool.Spool {
		s := open(t, spool.Options{Dir: dir(name)})
		for _, d := range data {
			s.Release(mustAppend(t, s, d))
		}
		return s
	}
	mustClose(t, leave("lost-1", "a", "b"))
	lost := leave("lost-2", "c")
	if err := lost.SetAside([]byte("refused"), now); err != nil {
		t.Fatal(err)
	}
	mustClose(t, lost)
	leave("alive", "mine")
	for _, foreign := range []string{"foreign", "ours"} {
		if err := os.Mkdir(dir(foreign), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(parent, "a file"), nil)

	s := leave("ours", "z")
	events, err := s.Adopt(parent, now)
	if err != nil || events != 3 {
		t.Errorf("Adopt = %d, %v, want 3 events", events, err)
	}
	if got := s.Stats().Recovered; got != 3 {
		t.Errorf("recovered = %d, want 3", got)
	}
	if diff := cmp.Diff([]string{"z", "a", "b", "c"}, waiting(t, s)); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
	// What was set aside stays where it was, and with it the directory.
	if diff := cmp.Diff([]string{"a file", "alive", "foreign", "lost-2", "ours"}, files(t, parent)); diff != "" {
		t.Errorf("files differ (-want +got):\n%s", diff)
	}
	if got := files(t, dir("foreign")); len(got) != 0 {
		t.Errorf("a directory of others has %v now", got)
	}
	if events, err := s.Adopt(parent, now); err != nil || events != 0 {
		t.Errorf("second Adopt = %d, %v, want nothing", events, err)
	}
}

func TestAdoptLeavesRoomForNewEvents(t *testing.T) {
	parent := t.TempDir()
	lost := open(t, spool.Options{Dir: filepath.Join(parent, "lost"), MaxBytes: 4 << 20})
	for range 200 {
		mustAppend(t, lost, randomText(10_000))
	}
	mustClose(t, lost)
	s := open(t, spool.Options{Dir: filepath.Join(parent, "ours"), MaxBytes: 1 << 20, Dropped: func(spool.Drop, int) {
		t.Error("adopting dropped events")
	}})
	adopted := 0
	for {
		events, err := s.Adopt(parent, now)
		if err != nil {
			t.Fatal(err)
		}
		if adopted += events; events == 0 {
			break
		}
		for s.Waiting() > 0 {
			records, err := s.Claim(100, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				if err := s.Ack(r.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if adopted != 200 {
		t.Errorf("adopted %d events, want 200", adopted)
	}
}
