package events

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
)

// captureSender delivers everything and keeps the events.
type captureSender struct {
	mu     sync.Mutex
	events []map[string]any
}

func (s *captureSender) send(_ context.Context, r request) error {
	var body struct{ Events []map[string]any }
	if err := json.Unmarshal(gunzip(r.body), &body); err != nil {
		panic(fmt.Sprintf("request body is not JSON: %v", err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, body.Events...)
	return nil
}

// capture returns the events that reach the endpoint when a logger is used and then ended.
func capture(t *testing.T, o Options, use func(t *testing.T, l *Logger)) (events []map[string]any, last Stats) {
	t.Helper()
	s := &captureSender{}
	synctest.Test(t, func(t *testing.T) {
		l, stop := start(t, o, s)
		use(t, l)
		stop()
		last = l.Stats()
	})
	return s.events, last
}
