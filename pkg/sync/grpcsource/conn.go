package grpcsource

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource/proxyapi"
)

// maxMessage bounds a message: a document and the little around it.
const maxMessage = specsync.MaxDocumentBytes + 1<<10

// keepAlive is how long a connection may be idle before it is probed, and keepAliveTimeout how long the other end has
// to answer.
const (
	keepAlive        = 30 * time.Second
	keepAliveTimeout = 20 * time.Second
)

// messages is what a stream brings, one after the other.
type messages interface {
	next() (*proxyapi.Response, error)
	close()
}

// proxy is a forward proxy; tests have one without a network.
type proxy interface {
	// stream opens a stream that ends with ctx.
	stream(ctx context.Context, r *proxyapi.Request) (messages, error)
	// ask asks once.
	ask(ctx context.Context, r *proxyapi.Request) (*proxyapi.Response, error)
}

// remote is a proxy at an address. Each call has a connection of its own: a stream needs one for its whole life, calls
// beside it come only while there is no stream, and a fresh connection looks up the address anew and waits for no
// backoff but ours.
type remote struct {
	target  string
	options []grpc.DialOption
}

func newRemote(o Options) *remote {
	target := "dns:///" + o.Address
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transportCredentials(o.TLS)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: o.MinBackoff, Multiplier: 1, MaxDelay: o.MinBackoff}, MinConnectTimeout: o.ConnectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepAlive, Timeout: keepAliveTimeout, PermitWithoutStream: true,
		}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(proxyapi.Codec{}), grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithUserAgent("statsig-operator"),
	}
	if o.Dialer != nil {
		// Whoever dials looks up the name too: it may be one that only a proxy knows.
		target = "passthrough:///" + o.Address
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return o.Dialer.DialContext(ctx, "tcp", address)
		}))
	}
	return &remote{target: target, options: options}
}

func transportCredentials(config *tls.Config) credentials.TransportCredentials {
	if config == nil {
		return insecure.NewCredentials()
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return credentials.NewTLS(config)
}

func (p *remote) connect() (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(p.target, p.options...)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	return conn, nil
}

func (p *remote) ask(ctx context.Context, r *proxyapi.Request) (*proxyapi.Response, error) {
	conn, err := p.connect()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return proxyapi.Ask(ctx, conn, r)
}

func (p *remote) stream(ctx context.Context, r *proxyapi.Request) (messages, error) {
	conn, err := p.connect()
	if err != nil {
		return nil, err
	}
	s, err := proxyapi.Open(ctx, conn, r)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &remoteStream{conn: conn, stream: s}, nil
}

type remoteStream struct {
	conn   *grpc.ClientConn
	stream grpc.ServerStreamingClient[proxyapi.Response]
}

func (s *remoteStream) next() (*proxyapi.Response, error) { return s.stream.Recv() }

func (s *remoteStream) close() { _ = s.conn.Close() }
