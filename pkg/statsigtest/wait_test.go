package statsigtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func TestWaitersWakeWhenEventsArrive(t *testing.T) {
	s := start(t, statsigtest.Options{})
	type result struct {
		events []statsigtest.Event
		event  statsigtest.Event
		err    error
	}
	all, one := make(chan result, 1), make(chan result, 1)
	go func() {
		events, err := s.WaitForEvents(t.Context(), 2)
		all <- result{events: events, err: err}
	}()
	go func() {
		event, err := s.WaitForEvent(t.Context(), func(e statsigtest.Event) bool { return e.UserID == "shop/checkout" })
		one <- result{event: event, err: err}
	}()
	mustDo(t, "POST", s.EventsURL(), eventHeaders(1), batchOf(purchase))
	mustDo(t, "POST", s.EventsURL(), eventHeaders(1), batchOf(gateExposure))
	if got := <-all; got.err != nil || len(got.events) != 2 {
		t.Errorf("WaitForEvents gave %d events, error %v", len(got.events), got.err)
	}
	if got := <-one; got.err != nil || got.event.Number != 2 {
		t.Errorf("WaitForEvent gave event %d, error %v, want event 2", got.event.Number, got.err)
	}
}

func TestWaitersGiveUpWithTheContext(t *testing.T) {
	s := start(t, statsigtest.Options{})
	mustDo(t, "POST", s.EventsURL(), eventHeaders(1), batchOf(purchase))
	ended, cancel := context.WithCancel(t.Context())
	cancel()

	events, err := s.WaitForEvents(ended, 2)
	if !errors.Is(err, context.Canceled) || len(events) != 1 {
		t.Errorf("WaitForEvents gave %d events, error %v", len(events), err)
	}
	if err != nil && !strings.Contains(err.Error(), "of which 1 arrived") {
		t.Errorf("error %q does not say how many arrived", err)
	}
	if _, err := s.WaitForEvent(ended, func(statsigtest.Event) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("WaitForEvent: error = %v", err)
	}
	if err := s.WaitForRequests(ended, statsigtest.EndpointEvents, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("WaitForRequests: error = %v", err)
	}
	if err := s.WaitForRequests(ended, statsigtest.EndpointEvents, 1); err != nil {
		t.Errorf("what is there already was not found: %v", err)
	}
}
