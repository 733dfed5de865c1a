package serve

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimited is the number of keys whose limits are remembered, at some 200 bytes each. Whoever is forgotten starts
// anew.
const maxLimited = 16384

// Limits bound how often each key may do something: a number of times a second on average, and more in a burst.
type Limits struct {
	rate  rate.Limit
	burst int

	mu     sync.Mutex
	limits *lru[*rate.Limiter]
}

// NewLimits returns limits of perSecond and burst for each key. Both must be positive.
func NewLimits(perSecond float64, burst int) *Limits {
	return &Limits{rate: rate.Limit(perSecond), burst: burst, limits: newLRU[*rate.Limiter](maxLimited)}
}

// Take counts one time for a key. It returns 0 where that may be, else how long to wait; nothing is counted then.
func (l *Limits) Take(key string, now time.Time) (wait time.Duration) {
	// The lock is held to the end: a reservation gives back all that it took only if no other was made meanwhile.
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, known := l.limits.get(key)
	if !known {
		limiter = rate.NewLimiter(l.rate, l.burst)
		l.limits.put(key, limiter)
	}
	reserved := limiter.ReserveN(now, 1)
	wait = reserved.DelayFrom(now)
	if wait > 0 {
		reserved.CancelAt(now)
	}
	return wait
}

// RetryAfter is a wait as the header of that name has it: in whole seconds, one at least.
func RetryAfter(wait time.Duration) int {
	return max(1, int(math.Ceil(wait.Seconds())))
}
