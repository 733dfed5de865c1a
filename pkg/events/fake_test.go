package events

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// fakeSender records attempts and answers them from a function.
type fakeSender struct {
	// answer is given the number of attempts of all batches made before; nil delivers everything.
	answer func(ctx context.Context, attempt int) error

	mu       sync.Mutex
	attempts []attempt
}

// attempt is what a sender saw of one request.
type attempt struct {
	After     time.Duration // since the test began
	FlushType string
	Retry     int
	Names     []string // event names
}

func (s *fakeSender) send(ctx context.Context, r request) error {
	var body struct {
		Events          []struct{ EventName string }
		StatsigMetadata struct{ FlushType string }
	}
	if err := json.Unmarshal(gunzip(r.body), &body); err != nil {
		panic(fmt.Sprintf("request body is not JSON: %v", err))
	}
	a := attempt{After: time.Since(testEpoch), FlushType: body.StatsigMetadata.FlushType, Retry: r.attempt}
	for _, e := range body.Events {
		a.Names = append(a.Names, e.EventName)
	}
	s.mu.Lock()
	n := len(s.attempts)
	s.attempts = append(s.attempts, a)
	s.mu.Unlock()
	if len(a.Names) != r.events {
		panic(fmt.Sprintf("request announces %d events and holds %d", r.events, len(a.Names)))
	}
	if s.answer == nil {
		return nil
	}
	return s.answer(ctx, n)
}

func (s *fakeSender) seen() []attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]attempt(nil), s.attempts...)
}

// testEpoch is when every synctest bubble begins.
var testEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// start runs a logger without jitter. The returned function ends it and waits for Run to return.
func start(t *testing.T, o Options, s sender) (*Logger, func()) {
	t.Helper()
	l := newLogger(mustOptions(t, o), s)
	l.jitter = func() float64 { return 0 }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	synctest.Wait()
	return l, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func logNames(l *Logger, names ...string) {
	for _, name := range names {
		l.Log(CustomEvent{Name: name})
	}
}

type recordingObserver struct {
	mu                                                sync.Mutex
	delivered, dropped, setAside, failed, spoolFailed int
}

func (o *recordingObserver) EventsDelivered(events, bytes int, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bytes > 0 && took == time.Second {
		o.delivered += events
	}
}

func (o *recordingObserver) EventsDropped(reason Reason, events int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if reason == ReasonRejected {
		o.dropped += events
	}
}

func (o *recordingObserver) EventsSetAside(reason Reason, events int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if reason == ReasonRejected {
		o.setAside += events
	}
}

func (o *recordingObserver) SpoolFailed(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.spoolFailed++
	}
}

func (o *recordingObserver) failures() (spoolFailed int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return int64(o.spoolFailed)
}

func (o *recordingObserver) RequestFailed(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.failed++
	}
}

func gateResult() eval.Result {
	return eval.Result{Ref: eval.Ref{Kind: eval.KindGate, Name: "new_checkout"}, Pass: true, RuleID: "r", Version: -1}
}

func gunzip(body []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		panic(fmt.Sprintf("request body is not gzip: %v", err))
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(r); err != nil {
		panic(fmt.Sprintf("request body is damaged: %v", err))
	}
	return plain.Bytes()
}

// outageSender fails until it is up. It doesn't remember requests.
type outageSender struct{ isUp atomic.Bool }

func (s *outageSender) send(context.Context, request) error {
	if s.isUp.Load() {
		return nil
	}
	return &StatusError{Status: 503}
}
