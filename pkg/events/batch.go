package events

// batch holds the events of one request, already serialised and separated by commas. Its events were logged one after
// the other, or read back from the spool.
type batch struct {
	data []byte
	ends []int    // ends[i] is where event i ends in data
	keys []uint64 // keys[i] is the de-duplication key of event i, or noKey
	born int      // number of events logged before its first one
	// loaded is the number of events where the batch was read from the spool; ends and keys are empty then.
	loaded int
	first  int // events before it left memory

	spooled int      // events before it left memory or are in the spool
	records []uint64 // those in the spool: if there are any, they hold all events from first to spooled
	pinned  bool     // the spool is reading data: it must neither change nor be used again
	gone    bool     // resolved while pinned, or about to be

	flush    flushType
	attempts int
	// deliveries is the number of batches that were delivered before the first attempt.
	deliveries int64
	waiters    []*waiter
}

func (b *batch) len() int { return b.loaded + len(b.ends) - b.first }

// events returns the serialised events that did not leave memory.
func (b *batch) events() []byte {
	if b.len() == 0 {
		return nil
	}
	return b.data[b.start(b.first):]
}

// start is where event i begins in data.
func (b *batch) start(i int) int {
	if i == 0 {
		return 0
	}
	return b.ends[i-1] + 1
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

// load appends events that were read back from the spool.
func (b *batch) load(record uint64, data []byte, events int) {
	if len(b.data) > 0 {
		b.data = append(b.data, ',')
	}
	b.data = append(b.data, data...)
	b.loaded += events
	b.records = append(b.records, record)
}

// size is the serialised size of the batch's events without separators.
func (b *batch) size() int { return len(b.events()) - max(b.len()-1, 0) }

// dropFirst lets the oldest event go and returns its size and its key, as a list.
func (b *batch) dropFirst() (size int, keys []uint64) {
	size, keys = b.ends[b.first]-b.start(b.first), b.keys[b.first:b.first+1]
	b.first++
	return size, keys
}

// unload lets all go that the spool has, and returns where the spool has it.
func (b *batch) unload() (records []uint64, events, size int) {
	events, size = b.len(), b.size()
	if b.loaded > 0 {
		b.data, b.loaded = b.data[:0], 0
	} else {
		b.first = b.spooled
	}
	records, b.records = b.records, nil
	return records, events - b.len(), size - b.size()
}

// tell has those who wait for the batch learn that not all of it is delivered.
func (b *batch) tell(err error) {
	for _, w := range b.waiters {
		w.err = err
	}
}

// chunk is what of a batch goes to the spool as one record.
type chunk struct {
	batch  *batch
	data   []byte
	events int
}

// unspooled returns the events that the spool does not have yet.
func (b *batch) unspooled() chunk {
	from := max(b.first, b.spooled)
	if from >= len(b.ends) {
		return chunk{batch: b}
	}
	return chunk{batch: b, data: b.data[b.start(from):len(b.data):len(b.data)], events: len(b.ends) - from}
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
