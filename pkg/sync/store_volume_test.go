package specsync

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func volumeStore(t *testing.T, directory string) *VolumeStore {
	t.Helper()
	v, err := NewVolumeStore(directory, "uid-1")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAVolumeStoreKeepsWhatItIsGiven(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "not", "there", "yet")
	v := volumeStore(t, directory)
	if _, err := v.Load(t.Context()); !errors.Is(err, ErrNothingStored) {
		t.Errorf("an empty store: want ErrNothingStored, got %v", err)
	}
	want := storedFixture(t, 1000)
	for range 2 {
		if err := v.Save(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		want.ConfirmedAt = want.ConfirmedAt.Add(time.Hour)
	}
	want.ConfirmedAt = want.ConfirmedAt.Add(-time.Hour)
	got, err := volumeStore(t, directory).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantStored(t, want, got)
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) != 1 {
		t.Errorf("want one file, got %v (%v)", entries, err)
	}
	info, err := os.Stat(v.path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("want mode 0600, got %v (%v)", info.Mode(), err)
	}
}

// TestATornFileIsRefused cuts the file at every length, and then changes each of its bytes.
func TestATornFileIsRefused(t *testing.T) {
	file, err := encodeFile(storedFixture(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	for length := range len(file) {
		if _, err := decodeFile(file[:length]); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut after %d bytes: want ErrMalformed, got %v", length, err)
		}
	}
	for i := range file {
		file[i] ^= 0x40
		if _, err := decodeFile(file); !errors.Is(err, ErrMalformed) {
			t.Errorf("byte %d changed: want ErrMalformed, got %v", i, err)
		}
		file[i] ^= 0x40
	}
}

// TestAProjectStartsBesideABrokenStore leaves something in the file's place before the start.
func TestAProjectStartsBesideABrokenStore(t *testing.T) {
	for name, tc := range map[string]struct {
		put func(path string) error
		// wantSaved says that the file is good after the first poll.
		wantSaved bool
	}{
		"garbage":     {put: func(path string) error { return os.WriteFile(path, []byte("garbage"), 0o600) }, wantSaved: true},
		"nothing":     {put: func(path string) error { return os.WriteFile(path, nil, 0o600) }, wantSaved: true},
		"a directory": {put: func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o700) }},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			v := volumeStore(t, directory)
			if err := tc.put(v.path()); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				o := (&stub{handler: body(specs(100, "a", "first"))}).options(t)
				o.Store = v
				s := newSyncer(t, o)
				s.restore(t.Context())
				wantError(t, s.State().StoreErr, ErrMalformed)
				stop := runUntilStopped(t, s)
				if got := s.State(); gateOf(t, got) != "first" || got.Err != nil || (got.StoreErr == nil) != tc.wantSaved {
					t.Errorf("got %+v", got)
				}
				stop()
			})
			if _, err := v.Load(t.Context()); (err == nil) != tc.wantSaved {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestLeftoversOfACrashAreRemoved(t *testing.T) {
	directory := t.TempDir()
	v := volumeStore(t, directory)
	others := filepath.Join(directory, "uid-10.1.tmp")
	for _, path := range []string{filepath.Join(directory, "uid-1.123.tmp"), others} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Load(t.Context()); !errors.Is(err, ErrNothingStored) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(others) {
		t.Errorf("want only another store's file left, got %v (%v)", entries, err)
	}
}

func TestADeletedVolumeStoreStaysEmpty(t *testing.T) {
	v := volumeStore(t, t.TempDir())
	if err := v.Save(t.Context(), storedFixture(t, 1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := v.Delete(t.Context()); err != nil {
			t.Errorf("deleting: %v", err)
		}
	}
	if err := v.Save(t.Context(), storedFixture(t, 1)); !errors.Is(err, errDeleted) {
		t.Errorf("saving afterwards: want errDeleted, got %v", err)
	}
	if _, err := v.Load(t.Context()); !errors.Is(err, ErrNothingStored) {
		t.Errorf("loading afterwards: got %v", err)
	}
}

func TestNamesOfVolumeStores(t *testing.T) {
	for name, wantErr := range map[string]bool{
		"0b0c7d0e-7f0c-4d5e-8d0a-1f2e3d4c5b6a": false, "": true, ".": true, "..": true, "a/b": true, "a*": true, "a.b": true,
	} {
		if _, err := NewVolumeStore("x", name); (err != nil) != wantErr {
			t.Errorf("%q: got %v", name, err)
		}
	}
	if _, err := NewVolumeStore("", "a"); err == nil {
		t.Error("no directory: want an error")
	}
}
