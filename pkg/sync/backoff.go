package specsync

import (
	"math/rand/v2"
	"time"
)

// maxBackoff caps the wait after failures, unless the interval itself is longer.
const maxBackoff = 5 * time.Minute

// backoffDelay returns the wait after a number of failures in a row: it doubles with each, up to maxBackoff, and
// jitter in [0, 1) spreads it over the upper half. It is never shorter than the interval, so that failing costs a
// server less than succeeding.
func backoffDelay(failures int, interval time.Duration, jitter float64) time.Duration {
	limit := max(maxBackoff, interval)
	delay := interval
	for range failures {
		if delay *= 2; delay >= limit {
			delay = limit
			break
		}
	}
	half := delay / 2
	return max(interval, half+time.Duration(jitter*float64(delay-half)))
}

// pace says when something that may fail is to be tried again. The zero value is ready at once.
type pace struct {
	failures int
	// retryAt ends the wait after failures; a wake-up overrides it.
	retryAt time.Time
	// blockedUntil ends the wait that a server asked for; nothing overrides it.
	blockedUntil time.Time
}

func (p *pace) succeeded() { *p = pace{} }

func (p *pace) failed(at time.Time, err error, interval time.Duration) {
	p.failures++
	p.retryAt = at.Add(backoffDelay(p.failures, interval, rand.Float64())) //nolint:gosec // jitter, not a secret
	p.blockedUntil = at.Add(retryAfter(err))
}

// dueAt is the first instant at which to try again.
func (p *pace) dueAt(woken bool) time.Time {
	if woken || p.blockedUntil.After(p.retryAt) {
		return p.blockedUntil
	}
	return p.retryAt
}
