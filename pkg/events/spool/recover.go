package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// recover reads the segments of an earlier owner, oldest first, and lets their records wait. It never writes to them:
// the next record begins a segment of its own, so that a torn end stays an end.
func (s *Spool) recover() error {
	names, err := s.fs.List(s.options.Dir)
	if err != nil {
		return err
	}
	for _, seq := range segmentSeqs(names) {
		if err := s.recoverSegment(seq); err != nil {
			return err
		}
	}
	s.stats.Recovered = int64(s.stats.Events)
	s.stats.WaitingEvents = s.stats.Events
	for id := range s.index {
		s.waiting = append(s.waiting, id)
	}
	slices.Sort(s.waiting)
	if err := s.graveyard.open(); err != nil {
		return err
	}
	return s.removeFinished()
}

func (s *Spool) recoverSegment(seq uint64) error {
	name := s.segmentName(seq)
	// A segment is over its size by one frame at most; what is beyond that is not ours.
	data, err := readFile(s.fs, name, maxSegmentBytes+maxFrameBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading segment %d: %w", seq, err)
	}
	seg := &segment{seq: seq, size: int64(len(data))}
	s.segments = append(s.segments, seg)
	s.stats.Bytes += seg.size
	s.nextSeq = max(s.nextSeq, seq+1)
	damaged, torn := scanFrames(data, func(offset int, body []byte) { s.recoverFrame(seg, offset, body) })
	if torn {
		s.stats.Torn++
		damaged--
	}
	s.stats.Corrupted += int64(damaged)
	return nil
}

func (s *Spool) recoverFrame(seg *segment, offset int, body []byte) {
	switch {
	case len(body) > 0 && body[0] == kindAck:
		forEachAck(body, func(id uint64) {
			s.reserve(id)
			if e, ok := s.index[id]; ok {
				s.forget(e)
			}
		})
	default:
		h, _, err := parseRecord(body)
		if err != nil || len(s.index) >= maxMaxRecords {
			s.stats.Corrupted++
			return
		}
		s.reserve(h.id)
		// The same record twice is one that was written again after an error that it had outlived.
		if _, known := s.index[h.id]; !known {
			s.add(&entry{recordHeader: h, segment: seg, offset: int64(offset), length: int64(headerBytes + len(body))})
		}
	}
}

// reserve keeps new IDs apart from those that were read.
func (s *Spool) reserve(id uint64) {
	if id < 1<<63 { // a forged ID must not use the numbers up
		s.nextID = max(s.nextID, id+1)
	}
}

// segmentSeqs returns the numbers of the segments among the names of a directory, in order.
func segmentSeqs(names []string) []uint64 {
	var seqs []uint64
	for _, name := range names {
		digits, isSegment := strings.CutSuffix(filepath.Base(name), segmentSuffix)
		if !isSegment || len(digits) != 20 {
			continue
		}
		if seq, err := strconv.ParseUint(digits, 10, 63); err == nil {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}
