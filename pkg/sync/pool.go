package specsync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrPoolStopped is returned by Acquire once the pool's Run has ended.
var ErrPoolStopped = errors.New("the pool has stopped")

// Pool shares Syncers: all leases for the same endpoints with the same SDK key and the same transport have one
// Syncer, so the requests to Statsig depend on the number of projects, not on who uses them. It is safe for
// concurrent use.
type Pool struct {
	mu      sync.Mutex
	stopped bool
	shared  map[string]*sharedSyncer
	// acquired tells Run that there may be a Syncer to start.
	acquired chan struct{}
}

// sharedSyncer is one Syncer and those who use it.
type sharedSyncer struct {
	syncer *Syncer
	leases map[*Lease]struct{}
	// stop ends the Syncer's loop; nil while it has not been started.
	stop context.CancelFunc
}

// Lease is a share in a Syncer.
type Lease struct {
	pool                   *Pool
	identity               string
	syncer                 *Syncer
	store                  *storeSlot // nil without a store
	interval, listInterval time.Duration
}

// NewPool returns an empty pool. Its Syncers poll while Run runs.
func NewPool() *Pool {
	return &Pool{shared: map[string]*sharedSyncer{}, acquired: make(chan struct{}, 1)}
}

// Run runs the loops of all Syncers that are leased, those leased before as well as later. It returns nil when ctx
// has ended and all loops with it. It may be called once.
func (p *Pool) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	for {
		p.startAcquired(ctx, &loops)
		select {
		case <-ctx.Done():
			p.mu.Lock()
			p.stopped = true
			p.mu.Unlock()
			loops.Wait()
			return nil
		case <-p.acquired:
		}
	}
}

// startAcquired starts the loops that don't run yet.
func (p *Pool) startAcquired(ctx context.Context, loops *sync.WaitGroup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, shared := range p.shared {
		if shared.stop != nil {
			continue
		}
		loopCtx, cancel := context.WithCancel(ctx)
		shared.stop = cancel
		loops.Go(func() {
			defer cancel()
			_ = shared.syncer.Run(loopCtx) // a Syncer of the pool is run once, and has no other error
		})
	}
}

// Acquire returns a lease on the Syncer that o describes, made if there is none. Where there is one, the shortest
// interval among its leases holds, and the phase and the observer are those of the first. The caller must release the
// lease.
func (p *Pool) Acquire(o Options) (*Lease, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("sync options: %w", err)
	}
	lease := &Lease{pool: p, identity: o.identity(), interval: o.Interval, listInterval: o.IDLists.Interval}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, ErrPoolStopped
	}
	shared, known := p.shared[lease.identity]
	if !known {
		syncer, err := newBare(o)
		if err != nil {
			return nil, err
		}
		shared = &sharedSyncer{syncer: syncer, leases: map[*Lease]struct{}{}}
		p.shared[lease.identity] = shared
	}
	lease.syncer = shared.syncer
	if o.Store != nil {
		lease.store = lease.syncer.stores.attach(o.Store, o.StoreScope)
	}
	shared.leases[lease] = struct{}{}
	shared.tune()
	poke(p.acquired)
	return lease, nil
}

// Syncer returns the shared Syncer, which is the same for all leases that share it. It keeps its last State after the
// release.
func (l *Lease) Syncer() *Syncer { return l.syncer }

// Release gives the lease back; the last one stops the Syncer's loop, without waiting for it. The lease's store is
// written no more, but for a Save under way. Calls after the first do nothing.
func (l *Lease) Release() {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	shared, known := l.pool.shared[l.identity]
	if !known {
		return
	}
	if _, held := shared.leases[l]; !held {
		return
	}
	delete(shared.leases, l)
	if l.store != nil {
		l.syncer.stores.detach(l.store)
	}
	if len(shared.leases) > 0 {
		shared.tune()
		return
	}
	delete(l.pool.shared, l.identity)
	if shared.stop != nil {
		shared.stop()
	}
}

// tune gives the Syncer the shortest intervals that a lease asks for.
func (s *sharedSyncer) tune() {
	var interval, listInterval time.Duration
	for lease := range s.leases {
		if interval == 0 || lease.interval < interval {
			interval = lease.interval
		}
		if listInterval == 0 || lease.listInterval < listInterval {
			listInterval = lease.listInterval
		}
	}
	s.syncer.tune(interval, listInterval)
}
