package grpcsource

import (
	"context"
	"runtime"

	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource/proxyapi"
)

// SetJitter replaces the randomness of the backoff.
func (s *Source) SetJitter(jitter float64) { s.jitter = func() float64 { return jitter } }

// AwaitWatch returns once Watch runs, so that Fetch waits for its stream.
func (s *Source) AwaitWatch() {
	for watching := false; !watching; runtime.Gosched() {
		s.mu.Lock()
		watching = s.state.watching
		s.mu.Unlock()
	}
}

// Message is a message of the protocol, on its way to a client or from one.
type Message struct {
	Document string
	Time     int64
}

// FakeProxy is a proxy without a network.
type FakeProxy struct {
	// Stream opens a stream of the messages that come out of the channel, until it is closed.
	Stream func(since int64) (<-chan Message, error)
	// Ask answers a question.
	Ask func(since int64) (Message, error)
}

// Use puts a fake in the place of the network.
func (s *Source) Use(f FakeProxy) { s.proxy = fakeProxy(f) }

type fakeProxy FakeProxy

func (f fakeProxy) ask(_ context.Context, r *proxyapi.Request) (*proxyapi.Response, error) {
	m, err := f.Ask(r.Since)
	return &proxyapi.Response{Document: []byte(m.Document), Time: m.Time}, err
}

func (f fakeProxy) stream(ctx context.Context, r *proxyapi.Request) (messages, error) {
	from, err := f.Stream(r.Since)
	return fakeStream{ctx: ctx, from: from}, err
}

type fakeStream struct {
	ctx  context.Context //nolint:containedctx // as a stream of the gRPC library has it
	from <-chan Message
}

func (s fakeStream) next() (*proxyapi.Response, error) {
	select {
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	case m, ok := <-s.from:
		if !ok {
			return nil, errClosed
		}
		return &proxyapi.Response{Document: []byte(m.Document), Time: m.Time}, nil
	}
}

func (s fakeStream) close() {}

// Describe is what errors of calls become.
var Describe = describe
