package specsync

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func writeFile(t *testing.T, path, text string, modified time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, modified, modified); err != nil {
		t.Fatal(err)
	}
}

func fileSource(t *testing.T, path string) *FileSource {
	t.Helper()
	source, err := NewFileSource(path)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestFileSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "specs.json")
	source := fileSource(t, path)
	past := time.Now().Add(-time.Hour)

	writeFile(t, path, "first", past)
	first, err := source.Fetch(t.Context(), Have{})
	if err != nil || string(first.Document) != "first" || first.Origin != OriginFile || first.Version == "" {
		t.Fatalf("a first read: got %+v, %v", first, err)
	}
	again, err := source.Fetch(t.Context(), Have{Version: first.Version})
	if err != nil || !again.NotModified || again.Document != nil {
		t.Errorf("an untouched file: want not modified, got %+v, %v", again, err)
	}
	writeFile(t, path, "other", past.Add(time.Minute))
	changed, err := source.Fetch(t.Context(), Have{Version: first.Version})
	if err != nil || string(changed.Document) != "other" || changed.Version == first.Version {
		t.Errorf("a changed file: got %+v, %v", changed, err)
	}
	writeFile(t, path, "fresh", time.Now())
	fresh, err := source.Fetch(t.Context(), Have{Version: changed.Version})
	if err != nil || string(fresh.Document) != "fresh" || fresh.Version != "" {
		t.Errorf("a file written a moment ago: want no version, got %+v, %v", fresh, err)
	}
}

func TestFileSourceRefuses(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge")
	writeFile(t, huge, "", time.Now())
	if err := os.Truncate(huge, MaxDocumentBytes+1); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		path    string
		wantErr error
	}{
		"a missing file":         {path: filepath.Join(dir, "missing"), wantErr: fs.ErrNotExist},
		"a folder":               {path: dir},
		"a pipe, without a wait": {path: pipe},
		"a file too large":       {path: huge, wantErr: ErrTooLarge},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			answer, err := fileSource(t, tc.path).Fetch(t.Context(), Have{})
			if err == nil {
				t.Fatalf("want an error, got %+v", answer)
			}
			if tc.wantErr != nil && !errors.Is(err, tc.wantErr) {
				t.Errorf("want %v, got %v", tc.wantErr, err)
			}
		})
	}
}

func TestFileSourceNeedsAPath(t *testing.T) {
	if _, err := NewFileSource(""); err == nil {
		t.Error("want an error")
	}
}
