package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	lockName      = "lock"
	segmentSuffix = ".seg"
	// keptBufferBytes is how large a write buffer may be to be used again.
	keptBufferBytes = 1 << 20
)

// Record is a batch of events as it was appended.
type Record struct {
	// ID names the record in this spool.
	ID uint64
	// Events is the number of events in Data.
	Events int
	// Created is when the record was appended, in whole milliseconds.
	Created time.Time
	// Data is the caller's own.
	Data []byte
}

// Spool is an open spool directory. Make one with [Open] and end it with [Spool.Close]. A record is held by whoever
// appended or claimed it until it is acknowledged or released; released records wait to be claimed.
type Spool struct {
	options   Options
	fs        FS
	lock      io.Closer
	graveyard graveyard

	// io guards the files, and is held while the disk is waited for. It is taken before mu.
	io       sync.Mutex
	active   File     // of the last segment; nil when the next record begins another one
	unsynced bool     // active has bytes that were not forced to the disk
	unlisted bool     // active's name was not forced to the disk
	owed     []uint64 // acknowledgements that could not be written
	buffer   []byte
	closed   bool

	// mu guards the index. It is never held while the disk is waited for.
	mu       sync.Mutex
	index    map[uint64]*entry
	waiting  []uint64       // sorted
	lost     map[uint64]int // events of records that were held when they had to make room
	segments []*segment     // oldest first
	nextID   uint64
	nextSeq  uint64
	stats    Stats // counters, and the sums kept up to date with the index
}

// entry is where a record is.
type entry struct {
	recordHeader
	segment *segment
	offset  int64
	length  int64 // of the frame
	held    bool
}

// segment is a file of frames. It is removed once its records and those of all older segments are gone, because it
// holds acknowledgements of older ones.
type segment struct {
	seq  uint64
	size int64
	ids  []uint64 // of its records, some of those gone included
	live int
}

// Open opens the spool in a directory, reads what is there, and lets all of it wait to be claimed. The error matches
// [ErrLocked] when somebody else owns the directory.
func Open(o Options) (*Spool, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("checking spool options: %w", err)
	}
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("making the spool directory: %w", err)
	}
	lock, err := o.FS.Lock(filepath.Join(o.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("locking the spool directory: %w", err)
	}
	s := &Spool{
		options: o,
		fs:      o.FS,
		lock:    lock,
		index:   map[uint64]*entry{},
		lost:    map[uint64]int{},
		nextID:  1,
		nextSeq: 1,
	}
	s.graveyard = graveyard{fs: o.FS, dir: filepath.Join(o.Dir, deadName), maxBytes: o.MaxDeadBytes}
	if err := s.recover(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("reading the spool: %w", err)
	}
	return s, nil
}

// Append writes a record and returns its ID. The caller holds the record. When the spool is full, its oldest segment
// goes first. After an error nothing was appended, and another call may succeed.
func (s *Spool) Append(data []byte, events int, now time.Time) (id uint64, err error) {
	if len(data) > MaxRecordBytes || events < 0 || events > len(data) {
		return 0, ErrTooLarge
	}
	s.io.Lock()
	defer s.io.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	h := recordHeader{id: s.takeID(), events: events, size: len(data), created: now.UnixMilli()}
	frame := s.encode(func(dst []byte) []byte { return appendRecordFrame(dst, h, data) })
	if int64(len(frame)) > s.options.MaxBytes {
		return 0, ErrTooLarge
	}
	if err := s.makeRoom(int64(len(frame))); err != nil {
		return 0, fmt.Errorf("making room in the spool: %w", err)
	}
	seg, offset, err := s.write(frame)
	if err != nil {
		return 0, fmt.Errorf("writing to the spool: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(&entry{recordHeader: h, segment: seg, offset: offset, length: int64(len(frame)), held: true})
	return h.id, nil
}

// Ack forgets records, whether held or waiting, and removes the segments that nobody needs any longer. After an error
// they are forgotten all the same, but may be back when the spool is opened again.
func (s *Spool) Ack(ids ...uint64) error {
	s.io.Lock()
	defer s.io.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.mu.Lock()
	for _, id := range ids {
		delete(s.lost, id)
		if e, ok := s.index[id]; ok {
			s.forget(e)
			s.owed = append(s.owed, id)
		}
	}
	s.mu.Unlock()
	err := s.removeFinished()
	return errors.Join(err, s.writeOwed())
}

// Release lets held records wait to be claimed again. It returns the number of events in those that had to make room
// meanwhile, which are lost.
func (s *Spool) Release(ids ...uint64) (lostEvents int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		lostEvents += s.lost[id]
		delete(s.lost, id)
		e, ok := s.index[id]
		if !ok || !e.held {
			continue
		}
		e.held = false
		at, _ := slices.BinarySearch(s.waiting, id)
		s.waiting = slices.Insert(s.waiting, at, id)
		s.stats.WaitingEvents += e.events
	}
	return lostEvents
}

// Sync forces what was written to the disk, unless the policy is [SyncNever]. The error matches [ErrUnsynced] when the
// disk refuses; whoever still has the records should append them again, because no later call will tell.
func (s *Spool) Sync() error {
	s.io.Lock()
	defer s.io.Unlock()
	if s.closed {
		return ErrClosed
	}
	return s.syncActive()
}

// Close gives the directory up; what waits or is held is there for the next owner. Closing twice does nothing.
func (s *Spool) Close() error {
	s.io.Lock()
	defer s.io.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := errors.Join(s.writeOwed(), s.finishActive())
	return errors.Join(err, s.lock.Close())
}

// Stats returns the numbers as they are now.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Segments = len(s.segments)
	stats.Records = len(s.index)
	stats.WaitingRecords = len(s.waiting)
	for _, seg := range s.segments {
		if e := s.firstOf(seg); e != nil {
			stats.Oldest = time.UnixMilli(e.created)
			break
		}
	}
	stats.DeadFiles, stats.DeadBytes = s.graveyard.size()
	return stats
}

// firstOf returns the oldest record of a segment that is not gone; nil when there is none. It forgets the IDs of those
// before it, so that each is passed once.
func (s *Spool) firstOf(seg *segment) *entry {
	if seg.live == 0 {
		return nil
	}
	for ; len(seg.ids) > 0; seg.ids = seg.ids[1:] {
		if e, ok := s.index[seg.ids[0]]; ok && e.segment == seg {
			return e
		}
	}
	return nil
}

// takeID never gives an ID twice, even if the record is then not written: a torn record may have been written whole.
func (s *Spool) takeID() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.nextID
	s.nextID++
	return id
}

// add and forget keep the index and its sums. Both expect mu to be held.
func (s *Spool) add(e *entry) {
	s.index[e.id] = e
	e.segment.ids = append(e.segment.ids, e.id)
	e.segment.live++
	s.stats.Events += e.events
}

func (s *Spool) forget(e *entry) {
	delete(s.index, e.id)
	e.segment.live--
	s.stats.Events -= e.events
	if e.held {
		return
	}
	if at, found := slices.BinarySearch(s.waiting, e.id); found {
		s.waiting = slices.Delete(s.waiting, at, at+1)
		s.stats.WaitingEvents -= e.events
	}
}

func (s *Spool) segmentName(seq uint64) string {
	return filepath.Join(s.options.Dir, fmt.Sprintf("%020d%s", seq, segmentSuffix))
}

// encode lends the write buffer, but does not keep a huge one.
func (s *Spool) encode(appendFrame func([]byte) []byte) []byte {
	frame := appendFrame(s.buffer[:0])
	if cap(frame) <= keptBufferBytes {
		s.buffer = frame
	}
	return frame
}

// openSegment begins another segment.
func (s *Spool) openSegment() error {
	s.mu.Lock()
	seq := s.nextSeq
	s.nextSeq++
	s.mu.Unlock()
	if err := s.fs.MkdirAll(s.options.Dir); err != nil { // somebody may have tidied up
		return err
	}
	f, err := s.fs.OpenFile(s.segmentName(seq), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	s.active, s.unlisted = f, true
	s.mu.Lock()
	s.segments = append(s.segments, &segment{seq: seq})
	s.mu.Unlock()
	return nil
}
