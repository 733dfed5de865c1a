package events

import (
	"math"
	"sync"
	"time"
)

// dedupe remembers when each exposure was last logged. It holds a bounded number of keys and forgets the least recently
// asked first; a forgotten exposure is logged once more than asked for, never once less.
type dedupe struct {
	mu       sync.Mutex
	max      int
	index    map[uint64]int32
	entries  []dedupeEntry
	newest   int32
	oldest   int32
	repeated int64
}

// dedupeEntry is an element of the list from newest to oldest; links are positions in entries.
type dedupeEntry struct {
	key          uint64
	loggedAt     int64 // Unix nanoseconds, or neverLogged
	newer, older int32
}

const (
	noEntry     int32 = -1
	neverLogged int64 = math.MinInt64
)

// newDedupe returns a set of at most limit keys; limit itself is at most maxDedupeSize, which positions can hold.
func newDedupe(limit int) *dedupe {
	return &dedupe{max: limit, index: map[uint64]int32{}, newest: noEntry, oldest: noEntry}
}

// admit reports whether the exposure is due: not logged within the last repeatEvery. If so, it counts as logged at now.
func (d *dedupe) admit(key uint64, now time.Time, repeatEvery time.Duration) bool {
	at := now.UnixNano()
	d.mu.Lock()
	defer d.mu.Unlock()
	i, known := d.index[key]
	if !known {
		d.insert(key, at)
		return true
	}
	d.unlink(i)
	d.linkNewest(i)
	e := &d.entries[i]
	// The distance is taken both ways: callers on several goroutines may arrive out of order, and a clock set back must
	// neither repeat everything nor silence a unit for longer than repeatEvery.
	if e.loggedAt != neverLogged && time.Duration(at-e.loggedAt).Abs() < repeatEvery {
		d.repeated++
		return false
	}
	e.loggedAt = at
	return true
}

// forget makes the exposures due again, after the events that carried them were dropped.
func (d *dedupe) forget(keys []uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		if i, known := d.index[key]; known {
			d.entries[i].loggedAt = neverLogged
		}
	}
}

func (d *dedupe) stats() (keys int, repeated int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.index), d.repeated
}

func (d *dedupe) insert(key uint64, at int64) {
	i := d.oldest
	if len(d.entries) < d.max {
		i = int32(len(d.entries)) //nolint:gosec // max is bounded
		d.entries = append(d.entries, dedupeEntry{})
	} else {
		d.unlink(i)
		delete(d.index, d.entries[i].key)
	}
	d.entries[i] = dedupeEntry{key: key, loggedAt: at}
	d.index[key] = i
	d.linkNewest(i)
}

func (d *dedupe) unlink(i int32) {
	e := d.entries[i]
	if e.newer == noEntry {
		d.newest = e.older
	} else {
		d.entries[e.newer].older = e.older
	}
	if e.older == noEntry {
		d.oldest = e.newer
	} else {
		d.entries[e.older].newer = e.newer
	}
}

func (d *dedupe) linkNewest(i int32) {
	d.entries[i].newer, d.entries[i].older = noEntry, d.newest
	if d.newest != noEntry {
		d.entries[d.newest].newer = i
	} else {
		d.oldest = i
	}
	d.newest = i
}
