package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// write appends a frame to the active segment, or to a new one where that is full. It expects io to be held, like all
// functions of this file.
func (s *Spool) write(frame []byte) (seg *segment, offset int64, err error) {
	if s.active != nil {
		if size := s.lastSegment().size; size > 0 && size+int64(len(frame)) > s.options.segmentBytes() {
			if err := s.finishActive(); err != nil {
				return nil, 0, err
			}
		}
	}
	if s.active == nil {
		if err := s.openSegment(); err != nil {
			return nil, 0, err
		}
	}
	seg = s.lastSegment()
	offset = seg.size
	_, err = s.active.Write(frame)
	if err == nil && s.options.Sync == SyncAlways {
		err = s.force()
	}
	if err != nil {
		s.undo(offset)
		return nil, 0, err
	}
	s.unsynced = s.options.Sync == SyncInterval
	s.mu.Lock()
	seg.size += int64(len(frame))
	s.stats.Bytes += int64(len(frame))
	s.mu.Unlock()
	return seg, offset, nil
}

// undo takes back a frame that was written in part. Where that fails too, the segment is left as it is, to be skipped
// by whoever reads it, and the next frame begins another.
func (s *Spool) undo(size int64) {
	if s.active.Truncate(size) == nil && size > 0 {
		return
	}
	_ = s.active.Close() // its contents are given up already
	s.active = nil
	if size == 0 {
		s.dropEmptyLast()
	}
}

// dropEmptyLast keeps a full disk from collecting a file with each attempt to write.
func (s *Spool) dropEmptyLast() {
	if s.remove(s.lastSegment()) != nil {
		return
	}
	s.mu.Lock()
	s.segments = s.segments[:len(s.segments)-1]
	s.mu.Unlock()
}

// lastSegment is the active one while there is one. Only holders of io change it.
func (s *Spool) lastSegment() *segment { return s.segments[len(s.segments)-1] }

// finishActive closes the active segment.
func (s *Spool) finishActive() error {
	if s.active == nil {
		return nil
	}
	return errors.Join(s.syncActive(), s.closeActive())
}

func (s *Spool) closeActive() error {
	if s.active == nil {
		return nil
	}
	err := s.active.Close()
	s.active = nil
	return err
}

// syncActive gives the segment up when the disk refuses: the kernel may have thrown away what it could not write, and
// says so only once.
func (s *Spool) syncActive() error {
	if s.active == nil || !s.unsynced {
		return nil
	}
	s.unsynced = false
	err := s.force()
	if err != nil {
		err = errors.Join(err, s.closeActive())
	}
	return err
}

// force waits until the disk has the active segment, and the directory its name.
func (s *Spool) force() error {
	if err := s.active.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsynced, err)
	}
	if !s.unlisted {
		return nil
	}
	dir, err := s.fs.OpenFile(s.options.Dir, os.O_RDONLY)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsynced, err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsynced, err)
	}
	s.unlisted = false
	return nil
}

// makeRoom drops the oldest segments until size more bytes fit, and one more record.
func (s *Spool) makeRoom(size int64) error {
	for {
		s.mu.Lock()
		isFull := len(s.segments) > 0 &&
			(s.stats.Bytes+size > s.options.MaxBytes || len(s.index) >= s.options.MaxRecords)
		isLast := len(s.segments) == 1
		s.mu.Unlock()
		if !isFull {
			return nil
		}
		if isLast {
			if err := s.closeActive(); err != nil {
				return err
			}
		}
		if err := s.removeOldest(); err != nil {
			return err
		}
	}
}

// removeOldest removes the oldest segment with whatever it holds. Records that somebody holds are not lost yet.
func (s *Spool) removeOldest() error {
	seg := s.segments[0]
	if err := s.remove(seg); err != nil {
		return err
	}
	dropped := 0
	s.mu.Lock()
	for _, id := range seg.ids {
		e, ok := s.index[id]
		if !ok || e.segment != seg {
			continue
		}
		if e.held {
			s.lost[id] = e.events
		} else {
			dropped += e.events
		}
		s.forget(e)
	}
	s.dropFirstSegment()
	s.mu.Unlock()
	if dropped > 0 {
		s.options.Dropped(DropFull, dropped)
	}
	return nil
}

// removeFinished removes the oldest segments while nobody needs them. The active one stays.
func (s *Spool) removeFinished() error {
	for len(s.segments) > 0 {
		seg := s.segments[0]
		s.mu.Lock()
		isNeeded := seg.live > 0 || (s.active != nil && len(s.segments) == 1)
		s.mu.Unlock()
		if isNeeded {
			return nil
		}
		if err := s.remove(seg); err != nil {
			return err
		}
		s.mu.Lock()
		s.dropFirstSegment()
		s.mu.Unlock()
	}
	return nil
}

// remove takes a file that somebody else removed for removed.
func (s *Spool) remove(seg *segment) error {
	err := s.fs.Remove(s.segmentName(seg.seq))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// dropFirstSegment expects mu to be held.
func (s *Spool) dropFirstSegment() {
	s.stats.Bytes -= s.segments[0].size
	s.segments[0] = nil
	s.segments = s.segments[1:]
}

// writeOwed writes the acknowledgements that are not written yet. They are not needed where all segments are gone.
func (s *Spool) writeOwed() error {
	if len(s.owed) == 0 {
		return nil
	}
	if len(s.segments) > 0 {
		frame := s.encode(func(dst []byte) []byte { return appendAckFrame(dst, s.owed) })
		if _, _, err := s.write(frame); err != nil {
			return err
		}
	}
	s.owed = s.owed[:0]
	return nil
}
