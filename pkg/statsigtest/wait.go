package statsigtest

import (
	"context"
	"fmt"
)

// wait returns once done does. done is called with s.mu held, first at once and then after every change.
func (s *Server) wait(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		ok, changed := done(), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// WaitForEvents waits until at least n events are kept and returns all of them, or until ctx ends and returns its
// error with those there are.
func (s *Server) WaitForEvents(ctx context.Context, n int) ([]Event, error) {
	err := s.wait(ctx, func() bool { return len(s.events) >= n })
	events := s.Events()
	if err != nil {
		return events, fmt.Errorf("waiting for %d events, of which %d arrived: %w", n, len(events), err)
	}
	return events, nil
}

// WaitForEvent waits for an event that matches, which may be there already, and returns the first such. It returns
// ctx's error when ctx ends before that. match must not call the server.
func (s *Server) WaitForEvent(ctx context.Context, match func(Event) bool) (Event, error) {
	var found Event
	seen := 0
	err := s.wait(ctx, func() bool {
		for _, e := range s.events {
			if e.Number <= seen {
				continue
			}
			seen = e.Number
			if match(e) {
				found = e
				return true
			}
		}
		return false
	})
	if err != nil {
		return Event{}, fmt.Errorf("waiting for an event, none of %d matched: %w", seen, err)
	}
	return found, nil
}

// WaitForRequests waits until an endpoint has received at least n requests since the server was made; see
// [Server.RequestCount].
func (s *Server) WaitForRequests(ctx context.Context, e Endpoint, n int) error {
	if err := s.wait(ctx, func() bool { return s.arrived[e] >= n }); err != nil {
		return fmt.Errorf("waiting for %d requests to %s, of which %d arrived: %w", n, e, s.RequestCount(e), err)
	}
	return nil
}
