package statsigtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Failure is a way to go wrong. Fields combine: a delayed 503 with Retry-After, a truncated document after two
// seconds. A failure with no more than a Delay or TruncateAfter still does the request's work, so that an event batch
// whose answer is cut has been received all the same.
type Failure struct {
	// Endpoint is where it happens; "" means everywhere. Each endpoint has one failure at a time: a later one
	// replaces it.
	Endpoint Endpoint

	// Times is how many requests meet it; 0 means all, until Heal.
	Times int

	// Delay passes before anything else happens.
	Delay time.Duration

	// Drop closes the connection without an answer.
	Drop bool

	// Status answers with this code (200 to 599) and Body instead of doing the request's work.
	Status int

	// Body is the body that goes with Status; on its own it is answered with 200.
	Body string

	// Garbage answers with a page of HTML, as a captive portal does; with 200 unless Status is set.
	Garbage bool

	// TruncateAfter sends this many bytes of the answer's body and then cuts the connection; 0 sends all of it.
	TruncateAfter int

	// RetryAfter is sent in the Retry-After header, in whole seconds, rounded up; 0 leaves the header out.
	RetryAfter time.Duration
}

// garbage is valid in no protocol of Statsig's.
const garbage = "<!doctype html><title>Sign in</title><p>Please sign in to use this network.\n"

func (f Failure) validate() error {
	switch {
	case f.Endpoint != "" && !slices.Contains(endpoints, f.Endpoint):
		return fmt.Errorf("unknown endpoint %q, want one of %v", f.Endpoint, endpoints)
	case f.Times < 0 || f.Delay < 0 || f.TruncateAfter < 0 || f.RetryAfter < 0:
		return errors.New("times, delay, truncateAfter and retryAfter must not be negative")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status %d is not between 200 and 599", f.Status)
	case f == Failure{Endpoint: f.Endpoint, Times: f.Times}:
		return errors.New("the failure says nothing to do: " +
			"set one of status, delay, drop, truncateAfter, retryAfter, body and garbage")
	}
	return nil
}

// Fail makes requests fail until [Server.Heal], or as often as f.Times says. It returns an error, and changes
// nothing, when f is out of bounds.
func (s *Server) Fail(f Failure) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("planning a failure: %w", err)
	}
	targets := []Endpoint{f.Endpoint}
	if f.Endpoint == "" {
		targets = endpoints
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range targets {
		s.failures[e] = f
	}
	return nil
}

// Heal ends the failures of these endpoints, or of all when none is named. Requests that are being delayed stay so.
func (s *Server) Heal(which ...Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(which) == 0 {
		clear(s.failures)
	}
	for _, e := range which {
		delete(s.failures, e)
	}
}

// pause waits for the delay; it returns an error when ctx ends first.
func (f Failure) pause(ctx context.Context) error {
	if f.Delay == 0 {
		return nil
	}
	t := time.NewTimer(f.Delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer is what takes the place of the real answer; replaced is false when nothing does.
func (f Failure) answer() (a answer, replaced bool) {
	if f.Status == 0 && f.Body == "" && !f.Garbage {
		return answer{}, false
	}
	a = answer{status: f.Status, body: []byte(f.Body)}
	if f.Garbage {
		a.contentType, a.body = "text/html; charset=utf-8", []byte(garbage)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.outcome = "failure as requested"
	return a, true
}

func (f Failure) truncate(body []byte) []byte {
	if f.TruncateAfter == 0 || f.TruncateAfter >= len(body) {
		return body
	}
	return body[:f.TruncateAfter]
}

func (f Failure) retryAfterSeconds() string {
	return strconv.FormatInt(int64((f.RetryAfter+time.Second-1)/time.Second), 10)
}

// drop closes the connection, or answers 502 where the connection cannot be had (HTTP/2, response recorders).
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	_ = conn.Close() // it is meant to break
}

// discardBody reads what a refused client sends: without that, a large upload would meet a reset instead of the
// answer.
func discardBody(r *http.Request) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxBatchBytes))
}
