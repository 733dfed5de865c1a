package grpcsource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource/proxyapi"
)

// Watch keeps a stream open until ctx ends, and then returns nil. It calls changed, which must not block, when Fetch has
// something new to say. It returns an error when too many streams in a row have failed, or when it runs already. It
// waits with the first stream until Fetch is called.
func (s *Source) Watch(ctx context.Context, changed func()) error {
	if !s.begin() {
		return errors.New("the source is watched already")
	}
	defer s.end()
	select {
	case <-ctx.Done():
		return nil
	case <-s.asked:
	}
	for failures := 1; ; failures++ {
		answered, err := s.follow(ctx, changed)
		if ctx.Err() != nil {
			return nil
		}
		s.broke(answered)
		if answered {
			failures = 1
		}
		if failures > s.options.RetryLimit {
			return fmt.Errorf("streaming config specs: %d attempts in a row failed: %w", failures, s.clean(err))
		}
		if !wait(ctx, backoffDelay(failures, s.options.MinBackoff, s.options.MaxBackoff, s.jitter())) {
			return nil
		}
	}
}

// follow opens a stream and takes in what it brings until it ends, and reports whether it has brought anything.
func (s *Source) follow(ctx context.Context, changed func()) (answered bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(s.options.MaxSilence, func() { cancel(errSilent) })
	defer silence.Stop()
	stream, err := s.proxy.stream(ctx, s.nextRequest())
	if err != nil {
		return false, orCause(ctx, err)
	}
	defer stream.close()
	for {
		r, err := stream.next()
		if err != nil {
			return answered, orCause(ctx, err)
		}
		answered = true
		silence.Reset(s.options.MaxSilence)
		if s.received(r) {
			changed()
		}
	}
}

// orCause names the silence that ended a stream rather than the cancellation that came of it.
func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
		return cause
	}
	return err
}

func (s *Source) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.watching {
		return false
	}
	s.state.watching, s.state.first = true, make(chan struct{})
	return true
}

func (s *Source) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.watching = false
	s.settle(false)
}

// nextRequest asks for what is newer than the asker's document.
func (s *Source) nextRequest() *proxyapi.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.streamed = s.state.since
	return &proxyapi.Request{Key: s.key(), Since: s.state.since}
}

// received takes a message in and reports whether the asker should hear of it: of a document, and of a stream that is
// back after Fetch has failed.
func (s *Source) received(r *proxyapi.Response) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.state
	tell := st.failing
	st.failing = false
	if !noUpdates(r.Document) {
		st.version++
		st.document, st.time = r.Document, r.Time
		tell = true
	}
	s.settle(true)
	return tell
}

// broke notes that a stream has ended, or could not be opened.
func (s *Source) broke(answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if answered {
		s.state.brokeAt = now()
	}
	s.settle(false)
}

// settle notes whether a stream is live, and ends the wait for the first one.
func (s *Source) settle(live bool) {
	s.state.live = live
	if s.state.first != nil {
		close(s.state.first)
		s.state.first = nil
	}
}

// backoffDelay returns the wait after a number of failures in a row, at least one: it doubles with each, up to longest,
// and jitter in [0, 1) spreads it over the upper half.
func backoffDelay(failures int, least, longest time.Duration, jitter float64) time.Duration {
	delay := least
	for range failures - 1 {
		if delay *= 2; delay >= longest {
			delay = longest
			break
		}
	}
	half := delay / 2
	return half + time.Duration(jitter*float64(delay-half))
}

// wait returns false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
