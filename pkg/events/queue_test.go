package events

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQueueCutsBatches(t *testing.T) {
	tests := map[string]struct {
		batchSize, maxBatches, maxBytes int
		events                          []string
		want                            []string // batches, their events joined by commas
		wantEvicted                     int
	}{
		"a batch is cut when it is full": {
			batchSize: 2, maxBatches: 10, maxBytes: 100,
			events: []string{"a", "b", "c", "d", "e"},
			want:   []string{"a,b", "c,d", "e"},
		},
		"too many events push out the oldest": {
			batchSize: 2, maxBatches: 2, maxBytes: 100,
			events:      []string{"a", "b", "c", "d", "e"},
			want:        []string{"b", "c,d", "e"},
			wantEvicted: 1,
		},
		"a batch whose events are all gone is not sent": {
			batchSize: 2, maxBatches: 2, maxBytes: 100,
			events:      []string{"a", "b", "c", "d", "e", "f"},
			want:        []string{"c,d", "e,f"},
			wantEvicted: 2,
		},
		"too many bytes push out as many events as needed": {
			batchSize: 10, maxBatches: 10, maxBytes: 6,
			events:      []string{"aa", "bb", "cc", "ddddd", "e"},
			want:        []string{"ddddd,e"},
			wantEvicted: 3,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			evicted := 0
			q := newQueue(tc.batchSize, tc.maxBatches, tc.maxBytes, func(keys []uint64) { evicted += len(keys) })
			for i, e := range tc.events {
				if refused := q.add([]byte(e), uint64(i+1)); refused != "" {
					t.Fatalf("event %q refused: %s", e, refused)
				}
			}
			var got []string
			for b := q.take(true); b != nil; b = q.take(true) {
				got = append(got, string(b.events()))
				q.resolve(b, nil)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("batches differ (-want +got):\n%s", diff)
			}
			if evicted != tc.wantEvicted {
				t.Errorf("evicted %d events, want %d", evicted, tc.wantEvicted)
			}
			if events, bytes := q.pending(); events != 0 || bytes != 0 {
				t.Errorf("empty queue counts %d events and %d bytes", events, bytes)
			}
		})
	}
}

func TestQueueStaysReadyWhileSealedBatchesWait(t *testing.T) {
	q := newQueue(1, 10, 100, func([]uint64) {})
	for _, e := range []string{"a", "b", "c"} {
		q.add([]byte(e), noKey)
	}
	for i := range 3 {
		select {
		case <-q.ready:
		default:
			t.Fatalf("with %d batches taken the queue does not say that another waits", i)
		}
		if q.take(false) == nil {
			t.Fatalf("with %d batches taken there is no other", i)
		}
	}
	select {
	case <-q.ready:
		t.Error("an empty queue says that a batch waits")
	default:
	}
}

func TestQueueBoundsTheBytesOfABatch(t *testing.T) {
	q := newQueue(2000, 100, 64<<20, func([]uint64) {})
	event := []byte(strings.Repeat("x", maxBatchBytes/3))
	for range 3 {
		if refused := q.add(event, noKey); refused != "" {
			t.Fatalf("event refused: %s", refused)
		}
	}
	var got []int
	for b := q.take(true); b != nil; b = q.take(true) {
		got = append(got, b.len())
	}
	if diff := cmp.Diff([]int{2, 1}, got); diff != "" {
		t.Errorf("events per batch differ (-want +got):\n%s", diff)
	}
}

func TestQueueRefusesAnEventThatFitsNoBatch(t *testing.T) {
	q := newQueue(10, 10, 64<<20, func([]uint64) {})
	if got := q.add(make([]byte, maxBatchBytes+1), noKey); got != ReasonTooLarge {
		t.Errorf("refused = %q, want %q", got, ReasonTooLarge)
	}
}

// A plain list is the model: whatever is added and taken in whatever order, the queue holds the newest events that fit,
// in order, and knows their number and size.
func TestQueueAgreesWithAPlainList(t *testing.T) {
	const batchSize, maxBatches, maxBytes = 3, 4, 60
	random := rand.New(rand.NewPCG(1, 2))
	var model, taken []string
	var evictedKeys []uint64
	q := newQueue(batchSize, maxBatches, maxBytes, func(keys []uint64) { evictedKeys = append(evictedKeys, keys...) })
	size := func() (bytes int) { return len(strings.Join(model, "")) }
	evicted := 0
	for i := range 5000 {
		if random.IntN(4) > 0 {
			event := fmt.Sprintf("%d%s", i, strings.Repeat("x", random.IntN(12)))
			for len(model) >= batchSize*maxBatches || size()+len(event) > maxBytes {
				model = model[1:]
				evicted++
			}
			model = append(model, event)
			q.add([]byte(event), uint64(i+1))
		} else if b := q.take(random.IntN(2) == 0); b != nil {
			taken = append(taken[:0], strings.Split(string(b.events()), ",")...)
			if diff := cmp.Diff(model[:len(taken)], taken); diff != "" {
				t.Fatalf("batch taken at step %d differs (-want +got):\n%s", i, diff)
			}
			model = model[len(taken):]
			q.resolve(b, nil)
		}
		if events, bytes := q.pending(); events != len(model) || bytes != size() {
			t.Fatalf("at step %d the queue counts %d events and %d bytes, want %d and %d", i, events, bytes, len(model), size())
		}
	}
	if len(evictedKeys) != evicted || evicted == 0 {
		t.Errorf("queue reported %d evictions, want %d, and not none", len(evictedKeys), evicted)
	}
}

func TestQueueLeavesWhatTheSpoolIsReading(t *testing.T) {
	evicted := 0
	q := newQueue(2, 2, 100, func(keys []uint64) { evicted += len(keys) })
	for _, e := range []string{"a", "b", "c", "d"} {
		q.add([]byte(e), noKey)
	}
	c, ok := q.nextUnspooled(q.mark(true))
	if !ok || string(c.data) != "a,b" || c.events != 2 {
		t.Fatalf("the spool is to write %q, %d events, %t", c.data, c.events, ok)
	}
	q.add([]byte("e"), noKey)
	if evicted != 1 || string(c.data) != "a,b" {
		t.Errorf("%d events made room while the spool reads %q", evicted, c.data)
	}
	q.settle(c, 7, true)
	var left []uint64
	q.left = func(records []uint64) { left = append(left, records...) }
	q.add([]byte("f"), noKey)
	if diff := cmp.Diff([]uint64{7}, left); diff != "" || evicted != 1 {
		t.Errorf("records left to the spool differ (-want +got):\n%s%d evicted", diff, evicted)
	}
}

func TestARecordOfABatchThatIsGoneIsAnOrphan(t *testing.T) {
	q := newQueue(2, 2, 100, func([]uint64) {})
	for _, e := range []string{"a", "b", "c"} {
		q.add([]byte(e), noKey)
	}
	b := q.take(false)
	c, _ := q.nextUnspooled(q.mark(true))
	if records := q.detach(b); len(records) != 0 {
		t.Errorf("records %v before there are any", records)
	}
	q.resolve(b, nil)
	for range 10 { // whoever is next must not get the buffer that the spool is reading
		q.add([]byte("x"), noKey)
	}
	if string(c.data) != "a,b" {
		t.Errorf("the spool reads %q", c.data)
	}
	if !q.settle(c, 1, true) {
		t.Error("the record is wanted although its batch is gone")
	}
}

func TestTheSpoolIsAskedToWriteUpToAMarkOnly(t *testing.T) {
	q := newQueue(3, 10, 100, func([]uint64) {})
	write := func(mark int) (all []string) {
		for {
			c, ok := q.nextUnspooled(mark)
			if !ok {
				return all
			}
			all = append(all, string(c.data))
			q.settle(c, uint64(len(all)), true)
		}
	}
	for _, e := range []string{"a", "b", "c", "d"} {
		q.add([]byte(e), noKey)
	}
	if diff := cmp.Diff([]string{"a,b,c"}, write(q.mark(false))); diff != "" {
		t.Errorf("full batches differ (-want +got):\n%s", diff)
	}
	mark := q.mark(true)
	q.add([]byte("e"), noKey)
	if diff := cmp.Diff([]string{"d,e"}, write(mark)); diff != "" {
		t.Errorf("the rest differs (-want +got):\n%s", diff)
	}
	q.add([]byte("f"), noKey)
	if got := write(mark); got != nil {
		t.Errorf("beyond the mark %q was written", got)
	}
	if diff := cmp.Diff([]string{"f"}, write(q.mark(true))); diff != "" {
		t.Errorf("the tail differs (-want +got):\n%s", diff)
	}
}

func TestAFlushLearnsOfTheFirstHalfOfABatch(t *testing.T) {
	q := newQueue(3, 2, 100, func([]uint64) {})
	add := func(events ...string) {
		for _, e := range events {
			q.add([]byte(e), noKey)
		}
	}
	add("a", "b")
	c, _ := q.nextUnspooled(q.mark(true))
	q.settle(c, 1, true)
	add("c")
	w := q.flush()
	add("d", "e", "f", "g")
	b := q.take(false)
	if got := string(b.events()); got != "c" {
		t.Errorf("the batch has %q in memory, want what the spool has not", got)
	}
	q.resolve(b, nil)
	<-w.done
	if !errors.Is(w.err, ErrSpooled) {
		t.Errorf("the flush ends with %v, want %v", w.err, ErrSpooled)
	}
}
