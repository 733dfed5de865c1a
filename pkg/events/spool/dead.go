package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	deadName   = "dead"
	deadSuffix = ".dead"
)

// SetAside keeps data that nobody wants in a file of its own, for people to look at, uncompressed and as it is. The
// oldest of these files go when there are too many. It is not part of the spool: nobody claims it.
func (s *Spool) SetAside(data []byte, now time.Time) error {
	s.io.Lock()
	defer s.io.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.graveyard.bury(data, now); err != nil {
		return fmt.Errorf("setting a batch aside: %w", err)
	}
	return nil
}

// graveyard is a folder of files that are only ever added and, at the oldest end, removed. Changes expect the spool's io
// to be held.
type graveyard struct {
	fs       FS
	dir      string
	maxBytes int64

	mu    sync.Mutex
	files []deadFile // oldest first
	bytes int64
	next  int
}

type deadFile struct {
	name string
	size int64
}

// open counts what is there. Sizes are found by reading, which the bound keeps cheap.
func (g *graveyard) open() error {
	names, err := g.fs.List(g.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, deadSuffix) {
			continue
		}
		data, err := readFile(g.fs, filepath.Join(g.dir, name), maxFrameBytes)
		if err != nil {
			return err
		}
		g.files = append(g.files, deadFile{name: name, size: int64(len(data))})
		g.bytes += int64(len(data))
	}
	return nil
}

// bury names files by time and number, so that they sort by age over restarts.
func (g *graveyard) bury(data []byte, now time.Time) error {
	size := int64(len(data))
	if size > g.maxBytes {
		return ErrTooLarge
	}
	if err := g.fs.MkdirAll(g.dir); err != nil {
		return err
	}
	for g.bytes+size > g.maxBytes {
		if err := g.removeOldest(); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s-%06d%s", now.UTC().Format("20060102T150405.000Z"), g.next, deadSuffix)
	g.next++
	f, err := g.fs.OpenFile(filepath.Join(g.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, g.fs.Remove(filepath.Join(g.dir, name)))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.files = append(g.files, deadFile{name: name, size: size})
	g.bytes += size
	return nil
}

func (g *graveyard) removeOldest() error {
	err := g.fs.Remove(filepath.Join(g.dir, g.files[0].name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes -= g.files[0].size
	g.files = slices.Delete(g.files, 0, 1)
	return nil
}

func (g *graveyard) size() (files int, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.files), g.bytes
}
