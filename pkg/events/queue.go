package events

import (
	"slices"
	"sync"
)

// flushType says in a batch's metadata why it was sent, in Statsig's words.
type flushType string

const (
	flushLimit     flushType = "limit"
	flushScheduled flushType = "scheduled:max_time"
	flushManual    flushType = "manual"
	flushShutdown  flushType = "shutdown"
)

const (
	// maxBatchBytes bounds the uncompressed events of one request.
	maxBatchBytes = 4 << 20
	// maxRecordsPerBatch bounds the records in which the spool has a batch that waits: when events are few and far
	// between, each of them may be written by itself.
	maxRecordsPerBatch = 8
)

// queue is a first-in, first-out line of batches: at most one open, which takes events, and any number of sealed ones,
// which wait to be sent. When it is full, the oldest events make room: they are left to the spool if that has them, and
// are lost else. Batches in hand, taken to be sent, no longer count against its bounds; there are never more of them
// than requests in flight.
type queue struct {
	batchSize int
	maxEvents int
	maxBytes  int
	// evicted learns of events that had to make room and are lost, and left of records that the spool has alone from now
	// on. They are called with the queue locked and must not call back.
	evicted func(keys []uint64)
	left    func(records []uint64)

	// ready holds a token while a sealed batch waits.
	ready chan struct{}
	// pressed holds a token when a batch was sealed and the queue is half full.
	pressed chan struct{}
	spare   sync.Pool // of *batch

	mu     sync.Mutex
	open   *batch
	sealed []*batch
	inHand map[*batch]struct{}
	added  int // events ever
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
		left:      func([]uint64) {},
		ready:     make(chan struct{}, 1),
		pressed:   make(chan struct{}, 1),
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
	if !q.makeRoom(1, len(event)) {
		return ReasonOverflow
	}
	if q.open != nil && len(q.open.data)+1+len(event) > maxBatchBytes {
		q.seal(flushLimit)
	}
	if q.open == nil {
		q.open = q.spare.Get().(*batch)
		q.open.born = q.added
	}
	q.open.append(event, key)
	q.added++
	q.events++
	q.bytes += len(event)
	if q.open.len() >= q.batchSize {
		q.seal(flushLimit)
	}
	return ""
}

// take removes and returns the oldest sealed batch, which the caller must resolve or put back. If there is none and open
// is true, it returns the open batch. It returns nil when there is nothing to take.
func (q *queue) take(open bool) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.sealed) == 0 && open {
		q.seal(flushShutdown)
	}
	if len(q.sealed) == 0 {
		return nil
	}
	b := q.sealed[0]
	q.sealed[0] = nil
	q.sealed = q.sealed[1:]
	q.events -= b.len()
	q.bytes -= b.size()
	q.hand(b)
	if len(q.sealed) > 0 {
		signal(q.ready)
	}
	return b
}

// takeLoaded counts a batch from the spool as in hand.
func (q *queue) takeLoaded(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hand(b)
}

// putBack places a batch in hand at the end of the line.
func (q *queue) putBack(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.inHand, b)
	q.taken -= b.len()
	q.makeRoom(b.len(), b.size()) // as far as it can: the batch was in memory all the time
	q.events += b.len()
	q.bytes += b.size()
	q.sealed = append(q.sealed, b)
	signal(q.ready)
}

// detach takes the records of a batch in hand away from it. The batch has to be resolved next.
func (q *queue) detach(b *batch) (records []uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b.gone = true
	records, b.records = b.records, nil
	return records
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

// mark returns the number of events logged so far; without open, of those in the open batch the number is not counted.
func (q *queue) mark(open bool) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !open && q.open != nil {
		return q.open.born
	}
	return q.added
}

// nextUnspooled pins a batch with events from before the mark that the spool does not have, and returns those and what
// follows them. It must go to settle.
func (q *queue) nextUnspooled(mark int) (c chunk, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pin := func(b *batch) bool {
		if b == nil || b.gone || b.born+b.spooled >= mark {
			return false
		}
		c = b.unspooled()
		b.pinned = c.events > 0
		return b.pinned
	}
	for b := range q.inHand {
		if pin(b) {
			return c, true
		}
	}
	return c, slices.ContainsFunc(q.sealed, pin) || pin(q.open)
}

// settle ends the pin. The record is the one that the spool made of the chunk; with isWritten false there is none. If
// the batch is gone meanwhile, nobody wants the record any longer.
func (q *queue) settle(c chunk, record uint64, isWritten bool) (isOrphan bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := c.batch
	b.pinned = false
	if b.gone {
		return isWritten
	}
	if isWritten {
		b.spooled = max(b.first, b.spooled) + c.events
		b.records = append(b.records, record)
	}
	return false
}

// unspool takes for not written what the queue has in memory, and returns the records that nobody wants any longer.
func (q *queue) unspool() (obsolete []uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	forget := func(b *batch) {
		if b == nil || b.loaded > 0 {
			return
		}
		obsolete = append(obsolete, b.records...)
		b.spooled, b.records = b.first, nil
	}
	for b := range q.inHand {
		forget(b)
	}
	for _, b := range q.sealed {
		forget(b)
	}
	forget(q.open)
	return obsolete
}

// nextScattered pins a sealed batch that the spool has in many small records, and returns all of it. It must go to gather.
func (q *queue) nextScattered() (c chunk, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range q.sealed {
		if len(b.records) > maxRecordsPerBatch && b.unspooled().events == 0 {
			b.pinned = true
			return chunk{batch: b, data: b.events(), events: b.len()}, true
		}
	}
	return chunk{}, false
}

// gather ends the pin. The record holds the whole batch; with isWritten false there is none. It returns the records that
// nobody wants any longer.
func (q *queue) gather(c chunk, record uint64, isWritten bool) (obsolete []uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := c.batch
	b.pinned = false
	switch {
	case !isWritten:
		return nil
	case b.gone:
		return []uint64{record}
	}
	obsolete, b.records = b.records, []uint64{record}
	return obsolete
}

// makeRoom lets the oldest go until that many more events and bytes fit. It returns false if they never will.
func (q *queue) makeRoom(events, bytes int) bool {
	for q.events+events > q.maxEvents || q.bytes+bytes > q.maxBytes {
		if !q.evictOldest() {
			return false
		}
	}
	return true
}

// evictOldest passes over a batch that the spool is reading.
func (q *queue) evictOldest() bool {
	for i, b := range q.sealed {
		if b.pinned {
			continue
		}
		err := q.evictFrom(b)
		if b.len() == 0 {
			q.sealed = slices.Delete(q.sealed, i, i+1)
			q.discard(b, err)
		}
		return true
	}
	if q.open == nil || q.open.pinned {
		return false
	}
	b := q.open
	if err := q.evictFrom(b); b.len() == 0 {
		q.open = nil
		q.discard(b, err)
	}
	return true
}

// evictFrom lets go of what the spool has of a batch, or else of one event. It returns what became of it.
func (q *queue) evictFrom(b *batch) error {
	if len(b.records) > 0 {
		records, events, size := b.unload()
		q.events -= events
		q.bytes -= size
		q.left(records)
		signal(q.ready)
		b.tell(ErrSpooled)
		return ErrSpooled
	}
	size, keys := b.dropFirst()
	q.events--
	q.bytes -= size
	q.evicted(keys)
	b.tell(ErrDropped)
	return ErrDropped
}

func (q *queue) seal(why flushType) {
	if q.open == nil {
		return
	}
	q.open.flush = why
	q.sealed = append(q.sealed, q.open)
	q.open = nil
	signal(q.ready)
	if q.events > q.maxEvents/2 || q.bytes > q.maxBytes/2 {
		signal(q.pressed)
	}
}

func (q *queue) hand(b *batch) {
	q.inHand[b] = struct{}{}
	q.taken += b.len()
}

// discard tells the waiters and keeps the buffers for the next batch, unless the spool is reading them.
func (q *queue) discard(b *batch, err error) {
	for _, w := range b.waiters {
		w.resolve(err)
	}
	b.waiters = nil
	if b.gone = true; b.pinned {
		return
	}
	*b = batch{data: b.data[:0], ends: b.ends[:0], keys: b.keys[:0]}
	q.spare.Put(b)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
