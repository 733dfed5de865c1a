package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

const (
	// adoptInterval is how often the spools of lost replicas are looked for.
	adoptInterval = time.Minute
	// maxSyncs is how many calls of Sync share a write.
	maxSyncs = 64
)

// SpoolState says how the spool is doing.
type SpoolState string

// The states of the spool.
const (
	// SpoolOff means that there is none: events are in memory only.
	SpoolOff SpoolState = "Off"
	// SpoolActive means that events are written as they should.
	SpoolActive SpoolState = "Active"
	// SpoolDegraded means that the disk refuses, or was not asked yet, and that events are in memory only until it takes
	// them.
	SpoolDegraded SpoolState = "Degraded"
)

// keeper writes events to the spool before the queue may forget them, and gives back those that the spool has alone. It
// writes behind: what is delivered within [SpoolOptions.Interval] never costs a write. While the disk refuses, the
// queue works without it.
type keeper struct {
	options  SpoolOptions
	queue    *queue
	ledger   *ledger
	now      func() time.Time
	requests chan chan error // of Sync
	ended    chan struct{}   // closed when run has ended

	disk      atomic.Pointer[spool.Spool] // nil until it is open
	adoptedAt time.Time                   // of run alone

	mu    sync.Mutex
	state SpoolState
	// failed counts what the disk refused; lastError is the latest of it.
	failed    int64
	lastError error
}

func newKeeper(o Options, q *queue, l *ledger) *keeper {
	k := &keeper{
		options:  o.Spool,
		queue:    q,
		ledger:   l,
		now:      o.Now,
		requests: make(chan chan error, maxSyncs),
		ended:    make(chan struct{}),
		state:    SpoolOff,
	}
	if o.Disabled || o.DisableNetwork {
		k.options.Dir = "" // what an earlier process left stays where it is
	}
	if k.isOn() {
		k.state = SpoolDegraded
		q.left = k.leave
	}
	return k
}

// isOn reports whether there is to be a spool, be it that the disk refuses for now.
func (k *keeper) isOn() bool { return k.options.Dir != "" }

// run writes until ctx is done, and once more then. It leaves the spool open.
func (k *keeper) run(ctx context.Context) {
	defer close(k.ended)
	if !k.isOn() {
		return
	}
	k.try(true)
	k.adopt()
	ticker := time.NewTicker(k.options.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			k.try(true)
			return
		case <-ticker.C:
			k.try(true)
			k.adopt()
		case <-k.queue.pressed:
			k.try(false)
		case r := <-k.requests:
			k.answer(r)
		}
	}
}

// answer serves all who wait for the same write.
func (k *keeper) answer(first chan error) {
	more := len(k.requests)
	waiting := append(make([]chan error, 0, 1+more), first)
	for range more {
		waiting = append(waiting, <-k.requests)
	}
	err := k.keep(true)
	for _, r := range waiting {
		r <- err
	}
}

// sync has everything logged before the call written and forced to the disk as the policy says.
func (k *keeper) sync(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case k.requests <- answer:
	case <-k.ended:
		return spool.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-k.ended:
		return spool.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try is keep where nobody waits for the outcome, which is counted in any case.
func (k *keeper) try(all bool) { _ = k.keep(all) }

// keep writes what the spool does not have yet, and has it forced to the disk. Without all, it writes full batches only
// and leaves it to the kernel when the disk has them: that is about memory.
func (k *keeper) keep(all bool) error {
	err := k.write(k.queue.mark(all), all)
	if errors.Is(err, spool.ErrUnsynced) {
		// What the disk lost it never mentions again: all that is still in memory is written once more.
		err = errors.Join(err, k.disk.Load().Ack(k.queue.unspool()...))
	}
	k.mu.Lock()
	if err == nil {
		k.state = SpoolActive
	} else {
		k.state, k.lastError = SpoolDegraded, err
		k.failed++
	}
	k.mu.Unlock()
	if err != nil {
		k.ledger.observer.SpoolFailed(err)
	}
	return err
}

func (k *keeper) write(mark int, force bool) error {
	disk, err := k.open()
	if err != nil {
		return err
	}
	for {
		c, ok := k.queue.nextUnspooled(mark)
		if !ok {
			break
		}
		id, err := disk.Append(c.data, c.events, k.now())
		if k.queue.settle(c, id, err == nil) {
			err = disk.Ack(id)
		}
		if err != nil {
			return fmt.Errorf("keeping events: %w", err)
		}
	}
	if disk.Waiting() > 0 {
		signal(k.queue.ready) // in case the sender could not read them before
	}
	if !force {
		return nil
	}
	return errors.Join(k.gather(disk), disk.Sync())
}

// gather writes batches again that are in many small records, as one: the spool bounds the number of records, too.
func (k *keeper) gather(disk *spool.Spool) error {
	for {
		c, ok := k.queue.nextScattered()
		if !ok {
			return nil
		}
		id, err := disk.Append(c.data, c.events, k.now())
		if err == nil {
			// The disk must not learn that the parts are obsolete before it has the whole.
			if err = disk.Sync(); err != nil {
				err = errors.Join(err, disk.Ack(id))
			}
		}
		obsolete := k.queue.gather(c, id, err == nil)
		if err == nil {
			err = disk.Ack(obsolete...)
		}
		if err != nil {
			return fmt.Errorf("gathering events: %w", err)
		}
	}
}

// open returns the spool, and opens it when that has not succeeded yet: the directory may still be another's, or the
// volume not there.
func (k *keeper) open() (*spool.Spool, error) {
	if disk := k.disk.Load(); disk != nil {
		return disk, nil
	}
	disk, err := spool.Open(k.options.spool(k.dropped))
	if err != nil {
		return nil, fmt.Errorf("opening the event spool: %w", err)
	}
	k.disk.Store(disk)
	signal(k.queue.ready)
	return disk, nil
}

// adopt takes over what lost replicas left.
func (k *keeper) adopt() {
	now, disk := k.now(), k.disk.Load()
	if disk == nil || k.options.AdoptFrom == "" || (!k.adoptedAt.IsZero() && now.Sub(k.adoptedAt) < adoptInterval) {
		return
	}
	k.adoptedAt = now
	events, err := disk.Adopt(k.options.AdoptFrom, now)
	if err != nil {
		k.refused(fmt.Errorf("adopting events of other replicas: %w", err))
	}
	if events > 0 {
		signal(k.queue.ready)
	}
}

// claim returns a batch of events that the spool has alone, as many as fit; nil when there are none.
func (k *keeper) claim(maxEvents int) *batch {
	disk := k.disk.Load()
	if disk == nil {
		return nil
	}
	for disk.Waiting() > 0 {
		records, err := disk.Claim(maxEvents, maxBatchBytes)
		if err != nil {
			k.refused(err)
			if len(records) == 0 {
				return nil
			}
		}
		if len(records) == 0 {
			continue // those there were could not be read, and are gone
		}
		b := &batch{flush: flushScheduled}
		for _, r := range records {
			b.load(r.ID, r.Data, r.Events)
		}
		k.queue.takeLoaded(b)
		if disk.Waiting() > 0 {
			signal(k.queue.ready) // for another worker
		}
		return b
	}
	return nil
}

// forget says that nobody needs the events of a batch in hand any longer.
func (k *keeper) forget(b *batch) {
	records := k.queue.detach(b)
	if disk := k.disk.Load(); disk != nil && len(records) > 0 {
		if err := disk.Ack(records...); err != nil {
			k.refused(fmt.Errorf("acknowledging events in the spool: %w", err))
		}
	}
}

// leave lets the spool alone have events.
func (k *keeper) leave(records []uint64) {
	if lost := k.disk.Load().Release(records...); lost > 0 {
		k.ledger.countDropped(ReasonSpoolFull, lost)
	}
}

// setAside keeps the events of a batch where people can look at them, and reports whether that went well.
func (k *keeper) setAside(b *batch) bool {
	disk := k.disk.Load()
	if disk == nil {
		return false
	}
	events := append(append([]byte{'['}, b.events()...), ']', '\n')
	if err := disk.SetAside(events, k.now()); err != nil {
		k.refused(err)
		return false
	}
	return true
}

// close gives the directory up. It is called after run has ended.
func (k *keeper) close() {
	if disk := k.disk.Load(); disk != nil {
		if err := disk.Close(); err != nil {
			k.refused(fmt.Errorf("closing the event spool: %w", err))
		}
	}
}

// refused notes an error of the disk that is not about events waiting to be written.
func (k *keeper) refused(err error) {
	k.mu.Lock()
	k.failed++
	k.lastError = err
	k.mu.Unlock()
	k.ledger.observer.SpoolFailed(err)
}

func (k *keeper) dropped(why spool.Drop, events int) {
	reason := ReasonSpoolFull
	if why == spool.DropDamaged {
		reason = ReasonDamaged
	}
	k.ledger.countDropped(reason, events)
}

func (k *keeper) stats() SpoolStats {
	k.mu.Lock()
	s := SpoolStats{State: k.state, Failed: k.failed, LastError: k.lastError}
	k.mu.Unlock()
	if disk := k.disk.Load(); disk != nil {
		d := disk.Stats()
		s.Events, s.Records, s.Bytes, s.Oldest = d.WaitingEvents, d.Records, d.Bytes, d.Oldest
		s.Recovered, s.Corrupted, s.Torn = d.Recovered, d.Corrupted, d.Torn
		s.DeadFiles, s.DeadBytes = d.DeadFiles, d.DeadBytes
	}
	return s
}
