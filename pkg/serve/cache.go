package serve

import (
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Cache remembers answers, good ones and bad ones, each for a time of its own, up to a number of them.
type Cache[V any] struct {
	group singleflight.Group

	mu      sync.Mutex
	answers *lru[answer[V]]
}

type answer[V any] struct {
	value V
	until time.Time
}

// NewCache returns a cache of at most size answers, which must be positive.
func NewCache[V any](size int) *Cache[V] { return &Cache[V]{answers: newLRU[answer[V]](size)} }

// Get returns the answer that is remembered for a key; ok is false where there is none that still holds.
func (c *Cache[V]) Get(key string, now time.Time) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.answers.get(key)
	if !ok || !now.Before(found.until) {
		return value, false
	}
	return found.value, true
}

// Ask asks for an answer and remembers it for as long as ask says, from now on. An error is not remembered. Whoever
// asks for the same key meanwhile gets the same answer, so ask must not depend on one caller's context.
func (c *Cache[V]) Ask(key string, now time.Time, ask func() (value V, holds time.Duration, err error)) (V, error) {
	got, err, _ := c.group.Do(key, func() (any, error) {
		value, holds, err := ask()
		if err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.answers.put(key, answer[V]{value, now.Add(holds)})
		}
		return value, err
	})
	value, _ := got.(V)
	return value, err
}
