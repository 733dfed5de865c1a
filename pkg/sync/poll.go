package specsync

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// poll asks the sources in order until one brings or confirms a snapshot, and publishes what came of it.
func (s *Syncer) poll(ctx context.Context) {
	woken := s.woken
	s.woken, s.lastStart = false, now()
	s.polls++
	budget := ctx
	if s.polls == 1 {
		var cancel context.CancelFunc
		budget, cancel = context.WithTimeout(ctx, s.options.InitialTimeout)
		defer cancel()
	}
	next := s.State()
	var errs []error
	failed, served := false, false
	for _, source := range s.sources {
		ready := !source.readyAt(woken).After(now())
		source.woken = source.woken && !ready
		if ready {
			s.ask(budget, source, &next)
			if ctx.Err() != nil {
				return
			}
		}
		if served = source.err == nil; served {
			next.SourceName, next.LastSuccess, next.Stale = source.Name(), now(), false
			break
		}
		errs = append(errs, source.err)
		failed = failed || isFailure(source.err)
	}
	s.forgetChanges()
	next.Err, next.Skipped = join(errs), nil
	switch {
	case served:
		next.Err, next.Skipped, next.ConsecutiveFailures = nil, next.Err, 0
	case failed:
		next.ConsecutiveFailures++
	default:
		next.ConsecutiveFailures = 0
	}
	s.specsDone = true
	s.publish(next)
}

// forgetChanges keeps only the changes of sources that could not be asked yet. Those behind the one that served don't
// matter, or they would be polled for again and again.
func (s *Syncer) forgetChanges() {
	for _, source := range s.sources {
		source.woken = source.woken && source.blockedUntil.After(now())
	}
}

// ask asks one source, puts what it brings into next, and keeps its pace, its verdict and its error.
func (s *Syncer) ask(ctx context.Context, source *trackedSource, next *State) {
	begun := now()
	v := s.fetch(ctx, source, next.Snapshot)
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the end, which says nothing about the source
	}
	source.err = nil
	if v.err != nil {
		source.err = s.scrubError(fmt.Errorf("fetching config specs from %s: %w", source.Name(), v.err))
	}
	if isFailure(v.err) {
		source.failed(now(), v.err, time.Duration(s.interval.Load()))
	} else {
		source.succeeded()
	}
	outcome := outcomeOf(v.err)
	switch {
	case v.withdrawn:
		s.candidate, next.Held = nil, nil
	case v.snapshot == nil:
	case s.admit(next, candidate{v.snapshot, v.document}):
		outcome = OutcomeHeld
	default:
		outcome = OutcomeChanged
	}
	observe(s.options.Observer, Request{Source: source.Name(), Outcome: outcome, Took: now().Sub(begun)})
}

// fetch gets a source's answer and judges it, unless it is the one that was judged before.
func (s *Syncer) fetch(ctx context.Context, source *trackedSource, served *eval.Snapshot) verdict {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	newest := s.newest(served)
	have := Have{}
	if newest != nil {
		have.Time, have.Checksum = newest.Time(), newest.Checksum()
	}
	known := source.memo.current(newest)
	if known {
		have.Version = source.memo.version
	}
	answer, err := source.Fetch(ctx, have)
	if err != nil {
		return verdict{err: err}
	}
	if answer.NotModified {
		switch {
		case known:
			return verdict{err: source.memo.err}
		case newest == nil:
			return verdict{err: ErrNoSpecs}
		default:
			return verdict{}
		}
	}
	digest := sha256.Sum256(answer.Document)
	if known && digest == source.memo.digest {
		source.memo.version = answer.Version
		return verdict{err: source.memo.err}
	}
	v := s.judge(string(answer.Document), answer.Origin, served)
	source.memo = remember(answer.Version, digest, newest, v)
	return v
}
