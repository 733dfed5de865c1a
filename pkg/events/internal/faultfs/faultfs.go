// Package faultfs is a file system for tests whose disk fills up, turns read-only or fails to sync. It is not a disk of
// its own: what gets through is in real files. It is safe for concurrent use.
package faultfs

import (
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

// FS passes everything on to the operating system until told otherwise.
type FS struct {
	spool.OS

	mu    sync.Mutex
	fault Fault
	syncs int
}

// Fault is what is wrong with the disk.
type Fault string

// The faults.
const (
	// None is a disk that works.
	None Fault = ""
	// Full is a disk where files can be made, and a write stops halfway.
	Full Fault = "full"
	// ReadOnly is a disk that refuses every change.
	ReadOnly Fault = "read-only"
	// Unsynced is a disk that takes writes and then fails to keep them.
	Unsynced Fault = "unsynced"
)

// Set changes what is wrong.
func (f *FS) Set(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Syncs returns how often files and directories were forced to the disk.
func (f *FS) Syncs() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.syncs
}

func (f *FS) is(fault Fault) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault == fault
}

// refusal is the error of a change.
func (f *FS) refusal() error {
	if f.is(ReadOnly) {
		return syscall.EROFS
	}
	return nil
}

// MkdirAll implements [spool.FS].
func (f *FS) MkdirAll(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := f.refusal(); err != nil {
		return err
	}
	return f.OS.MkdirAll(dir)
}

// OpenFile implements [spool.FS].
func (f *FS) OpenFile(name string, flag int) (spool.File, error) {
	if flag != os.O_RDONLY {
		if err := f.refusal(); err != nil {
			return nil, err
		}
	}
	opened, err := f.OS.OpenFile(name, flag)
	if err != nil {
		return nil, err
	}
	return &file{File: opened, fs: f}, nil
}

// Remove implements [spool.FS].
func (f *FS) Remove(name string) error {
	if err := f.refusal(); err != nil {
		return err
	}
	return f.OS.Remove(name)
}

// Lock implements [spool.FS].
func (f *FS) Lock(name string) (io.Closer, error) {
	if err := f.refusal(); err != nil {
		return nil, err
	}
	return f.OS.Lock(name)
}

type file struct {
	spool.File
	fs *FS
}

func (f *file) Write(data []byte) (int, error) {
	if err := f.fs.refusal(); err != nil {
		return 0, err
	}
	if f.fs.is(Full) {
		n, _ := f.File.Write(data[:len(data)/2])
		return n, syscall.ENOSPC
	}
	return f.File.Write(data)
}

func (f *file) Truncate(size int64) error {
	if err := f.fs.refusal(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *file) Sync() error {
	f.fs.mu.Lock()
	f.fs.syncs++
	f.fs.mu.Unlock()
	if f.fs.is(Unsynced) {
		return syscall.EIO
	}
	return f.File.Sync()
}
