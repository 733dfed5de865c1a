package eval

import (
	"math"
	"slices"
	"time"
)

// maxInstant is the last instant a boundary is reported for: the end of the year 9999, in Unix milliseconds.
const maxInstant = 253_402_300_799_999

// NextBoundary returns the first instant after now at which the clock alone can change the answer for r; false when
// there is none. The clock counts in the operators before, after and on of current_time conditions (all others are
// constant there) and in the start times of mappings. A user's own times are fixed.
func (s *Snapshot) NextBoundary(r Ref, now time.Time) (time.Time, bool) {
	w := newWalk(s)
	w.add(r)
	return w.nextBoundary(now)
}

// FirstBoundary is [Snapshot.NextBoundary] over all entities of the document.
func (s *Snapshot) FirstBoundary(now time.Time) (time.Time, bool) {
	w := newWalk(s)
	for _, r := range s.Refs() {
		w.add(r)
	}
	return w.nextBoundary(now)
}

// nextBoundary is the first boundary of what was added.
func (w *walk) nextBoundary(now time.Time) (time.Time, bool) {
	w.run()
	ms := now.UnixMilli()
	next := int64(math.MaxInt64)
	for _, start := range w.starts {
		if start > ms {
			next = min(next, start)
		}
	}
	for _, c := range w.times {
		if b, ok := c.nextBoundary(ms); ok {
			next = min(next, b)
		}
	}
	if next > maxInstant {
		return time.Time{}, false
	}
	return time.UnixMilli(next).UTC(), true
}

// nextBoundary is the first instant after now with another outcome than now's.
func (c *condition) nextBoundary(now int64) (ms int64, ok bool) {
	right, timed := c.target.instant()
	if c.match == nil || !timed {
		return 0, false
	}
	outcome := c.holdsAt(now)
	for _, candidate := range candidates(right) {
		if candidate > now && candidate <= maxInstant && c.holdsAt(candidate) != outcome {
			return candidate, true
		}
	}
	return 0, false
}

func (c *condition) holdsAt(ms int64) bool { return c.match(&c.target, &newInstantValue(ms).value) }

// candidates are the instants, in order, at which a comparison of the clock with an instant can change: at the instant
// itself, and where its UTC day begins and ends. Days are cut towards zero. Before maxSeconds, which is in April 1970,
// the clock's milliseconds are taken for seconds.
func candidates(right int64) []int64 {
	if right < -maxInstant || right > maxInstant {
		return []int64{-maxSeconds + 1, maxSeconds}
	}
	day := right / dayMilliseconds
	list := []int64{
		right, right + 1, (day-1)*dayMilliseconds + 1, day * dayMilliseconds, day*dayMilliseconds + 1,
		(day + 1) * dayMilliseconds,
	}
	for _, ms := range list[:6] {
		list = append(list, ms/1000-1, ms/1000, ms/1000+1)
	}
	list = append(list, -maxSeconds+1, maxSeconds)
	slices.Sort(list)
	return list
}
