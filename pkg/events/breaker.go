package events

import (
	"context"
	"sync"
	"time"
)

// CircuitState says whether requests are let through to the endpoint.
type CircuitState string

// The states of the circuit.
const (
	// CircuitClosed means that requests are made as batches come.
	CircuitClosed CircuitState = "Closed"
	// CircuitOpen means that the endpoint is left alone for a while after a failure.
	CircuitOpen CircuitState = "Open"
	// CircuitHalfOpen means that one request may find out whether the endpoint is back.
	CircuitHalfOpen CircuitState = "HalfOpen"
)

// noTicket is that of a request which the breaker was not asked about.
const noTicket = -1

// breaker leaves an endpoint in trouble alone: each failure opens it for a time that doubles with the failures in a row,
// and then one request is let through as a probe, whichever batch is next. It is safe for concurrent use.
type breaker struct {
	// wait says how long to stay open after a number of failures in a row.
	wait func(failures int) time.Duration

	mu       sync.Mutex
	state    CircuitState
	failures int
	probing  bool
	changed  chan struct{} // closed and replaced when a waiter should look again
	reopen   *time.Timer
	// term counts the changes of state that came of answers, so that those to requests of before can be told apart.
	term int
}

func newBreaker(wait func(failures int) time.Duration) *breaker {
	return &breaker{wait: wait, state: CircuitClosed, changed: make(chan struct{})}
}

// admit waits until a request may be made and returns its ticket, which must go to succeeded, failed or withdraw. It
// returns false when ctx is done first.
func (k *breaker) admit(ctx context.Context) (ticket int, ok bool) {
	for {
		k.mu.Lock()
		switch {
		case k.state == CircuitClosed:
			defer k.mu.Unlock()
			return k.term, true
		case k.state == CircuitHalfOpen && !k.probing:
			k.probing = true
			defer k.mu.Unlock()
			return k.term, true
		}
		changed := k.changed
		k.mu.Unlock()
		select {
		case <-ctx.Done():
			return 0, false
		case <-changed:
		}
	}
}

// withdraw gives a ticket back that was not used.
func (k *breaker) withdraw(ticket int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ticket == k.term && k.probing {
		k.probing = false
		k.notify()
	}
}

// succeeded says that the endpoint answers as it should.
func (k *breaker) succeeded() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failures = 0
	if k.state != CircuitClosed {
		k.move(CircuitClosed)
	}
}

// failed says that the endpoint is in trouble, and wants to be left alone for at least atLeast. Of requests that were
// let through together only the first failure counts.
func (k *breaker) failed(ticket int, atLeast time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ticket != k.term {
		return
	}
	k.failures++
	k.move(CircuitOpen)
	term := k.term
	k.reopen = time.AfterFunc(max(atLeast, k.wait(k.failures)), func() { k.halfOpen(term) })
}

// halfOpen keeps the term: the probe's ticket is of the term that it ends.
func (k *breaker) halfOpen(term int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if term == k.term && k.state == CircuitOpen {
		k.state = CircuitHalfOpen
		k.notify()
	}
}

// close ends the timer; waiters end with their contexts.
func (k *breaker) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.reopen != nil {
		k.reopen.Stop()
	}
}

func (k *breaker) current() CircuitState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

func (k *breaker) move(state CircuitState) {
	if k.reopen != nil {
		k.reopen.Stop()
		k.reopen = nil
	}
	k.state, k.probing = state, false
	k.term++
	k.notify()
}

func (k *breaker) notify() {
	close(k.changed)
	k.changed = make(chan struct{})
}
