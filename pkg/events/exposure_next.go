package events

import "time"

// NextExposure says when [Logger.Expose] would log an exposure: at the exposure's own time if that is due, later while an
// equal one was logged within RepeatEvery, and never, the zero time, what is not an exposure or a value that an override
// gave. Sampling is not asked. It logs nothing, so it spares what is costly to find out about exposures that are not due.
func (l *Logger) NextExposure(e Exposure) time.Time {
	if !e.isLoggable() || (e.isOverridden() && !l.options.ExposeOverridden) {
		return time.Time{}
	}
	repeatEvery := e.RepeatEvery
	if repeatEvery <= 0 {
		repeatEvery = l.options.RepeatEvery
	}
	return l.dedupe.next(e.key(l.seed), l.timeOf(e.Time), repeatEvery)
}

// next says when the exposure is due, not before now. The key counts as asked for, so that it is not the next to be forgotten.
func (d *dedupe) next(key uint64, now time.Time, repeatEvery time.Duration) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, known := d.index[key]
	if !known {
		return now
	}
	d.unlink(i)
	d.linkNewest(i)
	before := d.entries[i].loggedAt
	if before == neverLogged || time.Duration(now.UnixNano()-before).Abs() >= repeatEvery {
		return now
	}
	d.repeated++
	return time.Unix(0, before).Add(repeatEvery)
}
