package grpcsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource/proxyapi"
)

// Origin is the first half of the reason in evaluation details, as the official SDK has it for this source.
const Origin = "Adapter(GRPC)"

// Source is a specsync.Source that a forward proxy streams to.
type Source struct {
	options Options
	proxy   proxy
	scrub   func(string) string
	jitter  func() float64
	// key is a function because fmt prints whatever else a struct holds, however deep and unexported.
	key func() secret.Key
	// asked is closed by the first Fetch: before it there is nobody to stream for, and no telling what is held.
	asked     chan struct{}
	askedOnce sync.Once

	mu    sync.Mutex
	state state
}

// state is what is known of the proxy and its documents.
type state struct {
	// watching says that Watch runs. first is closed when its first stream has brought a message or failed.
	watching bool
	first    chan struct{}
	// live says that a stream is open and has brought a message; brokeAt is when the last one ended, zero before.
	live    bool
	brokeAt time.Time
	// failing says that Fetch has failed since the last message.
	failing bool
	// since is what the asker holds, and streamed is the since of the stream that is open, or was last.
	since, streamed int64
	// version counts the documents that streams have brought, and time is that of the last. The document itself is let
	// go of once the asker has dealt with it.
	version  uint64
	time     int64
	document []byte
}

// New validates o.
func New(o Options) (*Source, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("gRPC source options: %w", err)
	}
	scrubber := &secret.Scrubber{}
	scrubber.Add(o.Key)
	s := &Source{
		proxy: newRemote(o), scrub: scrubber.Scrub, jitter: rand.Float64, asked: make(chan struct{}),
		key: func() secret.Key { return o.Key },
	}
	s.options = o
	s.options.Key = secret.Key{}
	return s, nil
}

// Name implements specsync.Source.
func (s *Source) Name() string { return s.options.Name }

// Identity implements specsync.Source. Sources with different TLS configurations or dialers are different ones.
func (s *Source) Identity() string {
	o := &s.options
	return fmt.Sprintf("grpc:%s %s %s %p %p", o.Name, o.Address, s.key().Fingerprint(), o.TLS, o.Dialer)
}

// Fetch implements specsync.Source. While a stream is open it answers at once; while the first one is being opened it
// waits for it; else it asks the proxy. Errors match specsync.ErrUnauthorized, ErrTooLarge or ErrMalformed where that
// applies.
func (s *Source) Fetch(ctx context.Context, have specsync.Have) (specsync.Answer, error) {
	if err := s.await(ctx, have); err != nil {
		return specsync.Answer{}, s.failed(err)
	}
	if answer, ok := s.streamed(have); ok {
		return answer, nil
	}
	r, err := s.proxy.ask(ctx, &proxyapi.Request{Key: s.key(), Since: have.Time})
	if err != nil {
		if s.stands(have, err) {
			return specsync.Answer{NotModified: true, Origin: Origin}, nil
		}
		return specsync.Answer{}, s.failed(err)
	}
	s.polled(r)
	return specsync.Answer{Document: r.Document, Origin: Origin}, nil
}

// await notes what the asker holds and lets the first stream have its chance, so that a document is not sent twice.
func (s *Source) await(ctx context.Context, have specsync.Have) error {
	s.mu.Lock()
	s.state.since = have.Time
	first := s.state.first
	s.mu.Unlock()
	s.askedOnce.Do(func() { close(s.asked) })
	if first == nil {
		return nil
	}
	select {
	case <-first:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// streamed answers from the stream; false when it cannot.
func (s *Source) streamed(have specsync.Have) (specsync.Answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.state
	unchanged := specsync.Answer{NotModified: true, Version: have.Version, Origin: Origin}
	version := strconv.FormatUint(st.version, 10)
	switch {
	case !st.live:
		return specsync.Answer{}, false
	case st.version == 0:
		// The stream has said so far that there is nothing newer than what was held when it was opened.
		return unchanged, have.Time > 0 && have.Time >= st.streamed
	case have.Version == version:
		st.document = nil
		return unchanged, true
	case st.time > 0 && have.Time > st.time:
		// The asker has got a newer one elsewhere, or by asking while there was no stream.
		st.document = nil
		return unchanged, true
	case st.document != nil:
		return specsync.Answer{Document: st.document, Version: version, Origin: Origin}, true
	default:
		// It was dealt with, and since then the asker has got the same document, or an older one, elsewhere.
		return unchanged, st.time > 0 && have.Time == st.time
	}
}

// polled notes what an answer to a question says about streams that are opened later.
func (s *Source) polled(r *proxyapi.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !noUpdates(r.Document) {
		s.state.since = max(s.state.since, r.Time)
	}
}

// stands reports whether what the proxy said last may stand in for an answer: for a short while, to an asker who has
// all of it, and not if the key is refused.
func (s *Source) stands(have specsync.Have, err error) bool {
	if _, cause := describe(err); errors.Is(cause, specsync.ErrUnauthorized) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.state
	return !st.live && !st.brokeAt.IsZero() && now().Sub(st.brokeAt) < s.options.FailoverAfter &&
		have.Time > 0 && have.Time >= max(st.time, st.streamed)
}

func (s *Source) failed(err error) error {
	s.mu.Lock()
	s.state.failing = true
	s.mu.Unlock()
	return s.clean(err)
}

// maxNoUpdates is longer than any answer that holds nothing.
const maxNoUpdates = 512

// noUpdates recognises the answer that nothing has changed, which the proxy also sends as a sign of life.
func noUpdates(document []byte) bool {
	document = bytes.TrimSpace(document)
	return len(document) <= maxNoUpdates && gjson.GetBytes(document, "has_updates").Type == gjson.False
}

// now is where wall time enters the package; tests run in a synctest bubble.
func now() time.Time {
	return time.Now() //nolint:forbidigo // the loop is the edge at which time comes in
}
