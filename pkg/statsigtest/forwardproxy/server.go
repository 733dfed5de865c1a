package forwardproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/tidwall/gjson"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource/proxyapi"
)

// DefaultHeartbeat is how often Statsig's proxy tells a stream that nothing has changed.
const DefaultHeartbeat = 30 * time.Second

// probesAllowed is how often clients may probe an idle connection; Statsig's proxy sets no bound.
const probesAllowed = time.Second

var noUpdates = []byte(`{"has_updates":false}`)

// Options configure a Server. Key is required.
type Options struct {
	// Key is the SDK key that is accepted; all others are refused as Statsig's proxy refuses them.
	Key secret.Key
	// Document is what the proxy has from the start; nil for nothing, which clients are told as a refusal of their key.
	Document []byte
	// Address is what to listen on; "" is a free port of the loopback interface.
	Address string
	// TLS switches TLS on; nil is plain text.
	TLS *tls.Config
	// Heartbeat is how often a stream is told that nothing has changed; 0 is DefaultHeartbeat.
	Heartbeat time.Duration
	// Before is called before a question is answered, and before the first message of a stream. The call waits for it,
	// until the context ends, and is refused with its error. Nil refuses nothing.
	Before func(context.Context, Call) error
	// After is called when a call is over; nil for nobody.
	After func(Call)
}

// Call is one call of a client.
type Call struct {
	// Stream tells streams from questions.
	Stream bool
	// Since is the time of the document that the client holds, 0 for none.
	Since int64
}

// Server is a running proxy.
type Server struct {
	options Options
	address string
	grpc    *grpc.Server
	served  chan struct{}

	mu      sync.Mutex
	current proxyapi.Response
	changed chan struct{} // closed and replaced with each change
}

// Listen starts a proxy; ctx is for the start alone.
func Listen(ctx context.Context, o Options) (*Server, error) {
	if o.Key.IsZero() {
		return nil, errors.New("the SDK key is empty")
	}
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	s := &Server{options: o, changed: make(chan struct{}), served: make(chan struct{})}
	if o.Document != nil {
		if err := s.Set(o.Document); err != nil {
			return nil, err
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("starting the forward proxy: %w", err)
	}
	s.address = listener.Addr().String()
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(proxyapi.Codec{}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: probesAllowed, PermitWithoutStream: true}),
	}
	if o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	s.grpc = grpc.NewServer(options...)
	proxyapi.Register(s.grpc, service{s})
	go func() {
		defer close(s.served)
		_ = s.grpc.Serve(listener) // ends with Close
	}()
	return s, nil
}

// Address is the host and port that the proxy listens on.
func (s *Server) Address() string { return s.address }

// Close ends all calls and stops listening. It may be called more than once.
func (s *Server) Close() {
	s.grpc.Stop()
	<-s.served
}

// Set replaces the document, which must not be changed afterwards, and pushes it to all streams. It needs a time; the
// rest may be anything.
func (s *Server) Set(document []byte) error {
	at := gjson.GetBytes(document, "time")
	if at.Type != gjson.Number {
		return errors.New("the document has no time")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = proxyapi.Response{Document: document, Time: at.Int()}
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// answer is what one who holds the document of a time is told, and what tells of the next change.
func (s *Server) answer(since int64) (*proxyapi.Response, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current.Document == nil:
		return nil, nil, errUnauthorized
	case since >= s.current.Time:
		return &proxyapi.Response{Document: noUpdates, Time: s.current.Time}, s.changed, nil
	default:
		return &proxyapi.Response{Document: s.current.Document, Time: s.current.Time}, s.changed, nil
	}
}

// errUnauthorized is Statsig's answer to a key that it does not know.
var errUnauthorized = status.Error(codes.PermissionDenied, "Unauthorized")

// service keeps the calls of clients out of the methods of a Server.
type service struct{ *Server }

// admit does what comes before an answer.
func (s service) admit(ctx context.Context, key secret.Key, c Call) error {
	if s.options.Before != nil {
		if err := s.options.Before(ctx, c); err != nil {
			return err
		}
	}
	if !key.Equal(s.options.Key) {
		return errUnauthorized
	}
	return nil
}

func (s service) finish(c Call) {
	if s.options.After != nil {
		s.options.After(c)
	}
}

// Ask implements proxyapi.Service.
func (s service) Ask(ctx context.Context, r *proxyapi.Request) (*proxyapi.Response, error) {
	c := Call{Since: r.Since}
	defer s.finish(c)
	if err := s.admit(ctx, r.Key, c); err != nil {
		return nil, err
	}
	answer, _, err := s.answer(r.Since)
	return answer, err
}

// Stream implements proxyapi.Service.
func (s service) Stream(ctx context.Context, r *proxyapi.Request, send func(*proxyapi.Response) error) error {
	c := Call{Stream: true, Since: r.Since}
	defer s.finish(c)
	if err := s.admit(ctx, r.Key, c); err != nil {
		return err
	}
	heartbeat := time.NewTicker(s.options.Heartbeat)
	defer heartbeat.Stop()
	for since := r.Since; ; {
		answer, changed, err := s.answer(since)
		if err != nil {
			return err
		}
		if err := send(answer); err != nil {
			return err
		}
		since = answer.Time
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-heartbeat.C:
		}
	}
}
