package specsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// settleTime is the age from which a file's modification time is trusted to tell its states apart: a younger one may
// have been written twice within the clock's tick.
const settleTime = 2 * time.Second

// FileSource reads a config specs document from a file, such as a mounted ConfigMap or Secret. Writers should replace
// the file by renaming; one caught half-written is refused and read again.
type FileSource struct{ path string }

// NewFileSource returns a source that reads path.
func NewFileSource(path string) (*FileSource, error) {
	if path == "" {
		return nil, errors.New("the path is empty")
	}
	return &FileSource{path: filepath.Clean(path)}, nil
}

// Name implements [Source].
func (s *FileSource) Name() string { return "File" }

// Identity implements [Source].
func (s *FileSource) Identity() string { return "file:" + s.path }

// Fetch implements [Source]. A file that has not changed since have.Version is not read.
func (s *FileSource) Fetch(_ context.Context, have Have) (Answer, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return Answer{}, fmt.Errorf("reading the file: %w", err)
	}
	// Opening a pipe would block until somebody writes to it.
	if !info.Mode().IsRegular() {
		return Answer{}, fmt.Errorf("reading the file: %s is not a regular file", s.path)
	}
	if info.Size() > MaxDocumentBytes {
		return Answer{}, fmt.Errorf("reading the file: %w: more than %d bytes", ErrTooLarge, MaxDocumentBytes)
	}
	version := fileVersion(info, now())
	if version != "" && version == have.Version {
		return Answer{NotModified: true, Version: version, Origin: OriginFile}, nil
	}
	document, err := s.read(info.Size())
	if err != nil {
		return Answer{}, fmt.Errorf("reading the file: %w", err)
	}
	return Answer{Document: document, Version: version, Origin: OriginFile}, nil
}

func (s *FileSource) read(size int64) ([]byte, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var buf bytes.Buffer
	buf.Grow(int(size) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(f, MaxDocumentBytes+1))
	if err != nil {
		return nil, err
	}
	if n > MaxDocumentBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxDocumentBytes)
	}
	return buf.Bytes(), nil
}

// fileVersion returns "" for a file too young to be named.
func fileVersion(info fs.FileInfo, now time.Time) string {
	if now.Sub(info.ModTime()) < settleTime {
		return ""
	}
	return strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36)
}
