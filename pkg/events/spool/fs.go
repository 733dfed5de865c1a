package spool

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// FS is what a spool needs of a file system. Tests replace it to make disks fail.
type FS interface {
	// MkdirAll makes a directory that only its owner may enter, and those above it.
	MkdirAll(dir string) error
	// List returns the names in a directory, sorted.
	List(dir string) ([]string, error)
	// OpenFile opens a file by the flags of package os; a file it makes is readable by its owner only.
	OpenFile(name string, flag int) (File, error)
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// Lock takes the lock file of that name, without waiting, until the result is closed. The error matches
	// [ErrLocked] when somebody else has it.
	Lock(name string) (io.Closer, error)
}

// File is an open file. Writes go to its end.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// OS is the file system of the operating system.
type OS struct{}

// MkdirAll implements [FS].
func (OS) MkdirAll(dir string) error { return os.MkdirAll(dir, dirMode) }

// List implements [FS].
func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// OpenFile implements [FS].
func (OS) OpenFile(name string, flag int) (File, error) {
	f, err := os.OpenFile(filepath.Clean(name), flag, fileMode)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Remove implements [FS].
func (OS) Remove(name string) error { return os.Remove(name) }

// Lock implements [FS]. It checks that the file it locked is still the one of that name: an adopter may have removed the directory between
// opening and locking.
func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Clean(name), os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	locked, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	named, err := os.Stat(name)
	if err != nil || !os.SameFile(locked, named) {
		_ = f.Close()
		return nil, fmt.Errorf("%w: its directory is being removed", ErrLocked)
	}
	return f, nil
}

// readFile returns at most limit bytes of a file.
func readFile(fs FS, name string, limit int64) ([]byte, error) {
	f, err := fs.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.NewSectionReader(f, 0, limit))
}
