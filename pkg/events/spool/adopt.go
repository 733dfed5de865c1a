package spool

import (
	"errors"
	"path/filepath"
	"slices"
	"time"
)

// adoptBatch is how many events are copied before they are made safe and the other spool forgets them.
const adoptBatch = 10_000

// Adopt moves the records of the other spools in the directory parent into this one, of those whose owner is gone, and
// lets them wait. It stops, without error, when this spool is half full. A crash while it runs may leave records in both.
func (s *Spool) Adopt(parent string, now time.Time) (events int, err error) {
	names, err := s.fs.List(parent)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, name := range names {
		dir := filepath.Join(parent, name)
		if dir == filepath.Clean(s.options.Dir) || !s.isSpool(dir) {
			continue
		}
		n, err := s.adopt(dir, now)
		events += n
		if err != nil && !errors.Is(err, ErrLocked) {
			errs = append(errs, err)
		}
	}
	return events, errors.Join(errs...)
}

// isSpool keeps from making lock files in directories of others.
func (s *Spool) isSpool(dir string) bool {
	names, err := s.fs.List(dir)
	return err == nil && slices.Contains(names, lockName)
}

func (s *Spool) adopt(dir string, now time.Time) (events int, err error) {
	o := s.options
	o.Dir = dir
	other, err := Open(o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	for other.Stats().WaitingRecords > 0 {
		if !s.hasRoomToAdopt() {
			return events, nil
		}
		n, err := s.copyFrom(other, now)
		events += n
		if err != nil {
			return events, err
		}
	}
	other.removeDir()
	return events, nil
}

func (s *Spool) hasRoomToAdopt() bool {
	stats := s.Stats()
	return stats.Bytes < s.options.MaxBytes/2 && stats.Records < s.options.MaxRecords/2
}

// copyFrom copies some records, makes them safe here, and only then has the other spool forget them.
func (s *Spool) copyFrom(other *Spool, now time.Time) (events int, err error) {
	records, err := other.Claim(adoptBatch, MaxRecordBytes)
	if err != nil {
		return 0, err
	}
	var theirs, ours []uint64
	for _, r := range records {
		id, err := s.Append(r.Data, r.Events, now)
		if err != nil {
			s.Release(ours...)
			return events, err
		}
		theirs, ours = append(theirs, r.ID), append(ours, id)
		events += r.Events
	}
	err = s.Sync()
	s.Release(ours...)
	s.mu.Lock()
	s.stats.Recovered += int64(events)
	s.mu.Unlock()
	if err != nil {
		return events, err
	}
	return events, other.Ack(theirs...)
}

// removeDir removes the directory of a spool that is empty, while its lock is held. What was set aside stays, and then
// the directory too.
func (s *Spool) removeDir() {
	s.io.Lock()
	defer s.io.Unlock()
	_ = s.finishActive()
	_ = s.removeFinished()
	if files, _ := s.graveyard.size(); files > 0 || len(s.segments) > 0 {
		return
	}
	_ = s.fs.Remove(s.graveyard.dir)
	// The order matters: whoever finds the directory without a lock file takes it for no spool.
	_ = s.fs.Remove(filepath.Join(s.options.Dir, lockName))
	_ = s.fs.Remove(s.options.Dir)
}
