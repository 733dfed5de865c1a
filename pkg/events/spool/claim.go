package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Claim takes the oldest waiting records whose events and bytes together stay within the bounds, and at least one if
// any waits. The caller holds them until it acknowledges or releases them. A record whose contents are damaged is given
// up and counted; so there may be none in the answer although some wait. After an error, those not in the answer wait on.
func (s *Spool) Claim(maxEvents, maxBytes int) ([]Record, error) {
	s.io.Lock()
	defer s.io.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	var records []Record
	var errs []error
	for _, e := range s.take(maxEvents, maxBytes) {
		data, err := s.read(e)
		switch {
		case errors.Is(err, errDamaged):
			s.giveUp(e)
		case err != nil:
			s.Release(e.id)
			errs = append(errs, err)
		default:
			records = append(records, Record{
				ID: e.id, Events: e.events, Created: time.UnixMilli(e.created), Data: data,
			})
		}
	}
	return records, errors.Join(errs...)
}

// take marks the records that are to be claimed as held.
func (s *Spool) take(maxEvents, maxBytes int) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var taken []*entry
	for _, id := range s.waiting {
		e := s.index[id]
		if len(taken) > 0 && (e.events > maxEvents || e.size > maxBytes) {
			break
		}
		maxEvents -= e.events
		maxBytes -= e.size
		e.held = true
		s.stats.WaitingEvents -= e.events
		taken = append(taken, e)
	}
	s.waiting = s.waiting[len(taken):]
	return taken
}

// read checks the record once more: the disk may have changed since it was written.
func (s *Spool) read(e *entry) ([]byte, error) {
	f, err := s.fs.OpenFile(s.segmentName(e.segment.seq), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: its segment is gone", errDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("reading from the spool: %w", err)
	}
	defer func() { _ = f.Close() }()
	frame := make([]byte, e.length)
	if _, err := f.ReadAt(frame, e.offset); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	body, isSound := frameBody(frame)
	if !isSound {
		return nil, errDamaged
	}
	h, block, err := parseRecord(body)
	if err != nil {
		return nil, err
	}
	if h != e.recordHeader {
		return nil, errDamaged
	}
	return unpack(h, block)
}

// giveUp forgets a record that cannot be read.
func (s *Spool) giveUp(e *entry) {
	s.mu.Lock()
	s.forget(e)
	s.stats.Corrupted++
	s.mu.Unlock()
	s.options.Dropped(DropDamaged, e.events)
}

// Waiting returns the number of records that can be claimed.
func (s *Spool) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}
