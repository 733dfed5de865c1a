package events

import "sync"

// flushType says in a batch's metadata why it was sent, in Statsig's words.
type flushType string

const (
	flushLimit     flushType = "limit"
	flushScheduled flushType = "scheduled:max_time"
	flushManual    flushType = "manual"
	flushShutdown  flushType = "shutdown"
)

// maxBatchBytes bounds the uncompressed events of one request.
const maxBatchBytes = 4 << 20

// batch holds the events of one request, already serialised and separated by commas.
type batch struct {
	data  []byte
	ends  []int    // ends[i] is where event i ends in data
	keys  []uint64 // keys[i] is the de-duplication key of event i, or noKey
	first int      // events before it were evicted

	flush   flushType
	waiters []*waiter
}

func (b *batch) len() int { return len(b.ends) - b.first }

// events returns the serialised events without the evicted ones.
func (b *batch) events() []byte {
	if b.first == 0 {
		return b.data
	}
	return b.data[b.ends[b.first-1]+1:]
}

func (b *batch) pendingKeys() []uint64 { return b.keys[b.first:] }

func (b *batch) append(event []byte, key uint64) {
	if len(b.ends) > 0 {
		b.data = append(b.data, ',')
	}
	b.data = append(b.data, event...)
	b.ends = append(b.ends, len(b.data))
	b.keys = append(b.keys, key)
}

// firstSize is the size of the oldest event that was not evicted.
func (b *batch) firstSize() int {
	if b.first == 0 {
		return b.ends[0]
	}
	return b.ends[b.first] - b.ends[b.first-1] - 1
}

// waiter is a flush that waits until every batch it saw is delivered or dropped.
type waiter struct {
	batches int
	err     error // the last one
	done    chan struct{}
}

func (w *waiter) resolve(err error) {
	if err != nil {
		w.err = err
	}
	if w.batches--; w.batches == 0 {
		close(w.done)
	}
}

// queue is a first-in, first-out line of batches: at most one open, which takes events, and any number of sealed ones,
// which wait to be sent. When it is full, the oldest events make room. Batches in hand, taken to be sent, no longer
// count against its bounds; there are never more of them than requests in flight.
type queue struct {
	batchSize int
	maxEvents int
	maxBytes  int
	// evicted learns of events that had to make room. It is called with the queue locked and must not call back.
	evicted func(keys []uint64)

	// ready holds a token while a sealed batch waits.
	ready chan struct{}
	spare sync.Pool // of *batch

	mu     sync.Mutex
	open   *batch
	sealed []*batch
	inHand map[*batch]struct{}
	events int // open and sealed
	bytes  int // open and sealed, without separators
	taken  int // events in hand
	closed bool
}

func newQueue(batchSize, maxBatches, maxBytes int, evicted func(keys []uint64)) *queue {
	return &queue{
		batchSize: batchSize,
		maxEvents: batchSize * maxBatches,
		maxBytes:  maxBytes,
		evicted:   evicted,
		ready:     make(chan struct{}, 1),
		spare:     sync.Pool{New: func() any { return new(batch) }},
		inHand:    map[*batch]struct{}{},
	}
}

// add copies event into the open batch. It returns the reason if the event was not taken.
func (q *queue) add(event []byte, key uint64) (refused Reason) {
	if len(event) > min(maxBatchBytes, q.maxBytes) {
		return ReasonTooLarge
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ReasonShutdown
	}
	for q.events >= q.maxEvents || q.bytes+len(event) > q.maxBytes {
		q.evictOldest()
	}
	if q.open != nil && len(q.open.data)+1+len(event) > maxBatchBytes {
		q.seal(flushLimit)
	}
	if q.open == nil {
		q.open = q.spare.Get().(*batch)
	}
	q.open.append(event, key)
	q.events++
	q.bytes += len(event)
	if q.open.len() >= q.batchSize {
		q.seal(flushLimit)
	}
	return ""
}

// take removes and returns the oldest sealed batch, which the caller must resolve. If there is none and open is true,
// it returns the open batch. It returns nil when there is nothing to take.
func (q *queue) take(open bool) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.sealed) == 0 && open {
		q.seal(flushShutdown)
	}
	if len(q.sealed) == 0 {
		return nil
	}
	b := q.popSealed()
	q.inHand[b] = struct{}{}
	q.taken += b.len()
	if len(q.sealed) > 0 {
		q.signal()
	}
	return b
}

// resolve ends the life of a batch in hand: delivered, or dropped with err. The batch must not be used afterwards.
func (q *queue) resolve(b *batch, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.inHand, b)
	q.taken -= b.len()
	q.discard(b, err)
}

// sealOpen makes the open batch ready to be taken.
func (q *queue) sealOpen(why flushType) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seal(why)
}

// flush seals the open batch and returns a waiter for everything queued or in hand; nil when there is nothing.
func (q *queue) flush() *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seal(flushManual)
	w := &waiter{batches: len(q.sealed) + len(q.inHand), done: make(chan struct{})}
	if w.batches == 0 {
		return nil
	}
	for _, b := range q.sealed {
		b.waiters = append(b.waiters, w)
	}
	for b := range q.inHand {
		b.waiters = append(b.waiters, w)
	}
	return w
}

// close refuses events from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// pending returns the events queued and in hand, and the serialised size of those queued.
func (q *queue) pending() (events, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.events + q.taken, q.bytes
}

func (q *queue) evictOldest() {
	b := q.open
	if len(q.sealed) > 0 {
		b = q.sealed[0]
	}
	q.bytes -= b.firstSize()
	q.events--
	q.evicted(b.keys[b.first : b.first+1])
	if b.first++; b.len() > 0 {
		return
	}
	if b == q.open {
		q.open = nil
	} else {
		q.sealed = q.sealed[1:]
	}
	q.discard(b, ErrDropped)
}

func (q *queue) seal(why flushType) {
	if q.open == nil {
		return
	}
	q.open.flush = why
	q.sealed = append(q.sealed, q.open)
	q.open = nil
	q.signal()
}

func (q *queue) popSealed() *batch {
	b := q.sealed[0]
	q.sealed[0] = nil
	q.sealed = q.sealed[1:]
	q.events -= b.len()
	q.bytes -= b.size()
	return b
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// discard tells the waiters and keeps the buffers for the next batch.
func (q *queue) discard(b *batch, err error) {
	for _, w := range b.waiters {
		w.resolve(err)
	}
	*b = batch{data: b.data[:0], ends: b.ends[:0], keys: b.keys[:0]}
	q.spare.Put(b)
}

// size is the serialised size of the batch's events without separators.
func (b *batch) size() int { return len(b.events()) - max(b.len()-1, 0) }
