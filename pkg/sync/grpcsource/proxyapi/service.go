package proxyapi

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
)

const (
	serviceName = "statsig_forward_proxy.StatsigForwardProxy"
	askName     = "getConfigSpec"
	streamName  = "StreamConfigSpec"
)

// Ask asks a proxy once. The connection must use [Codec].
func Ask(ctx context.Context, conn grpc.ClientConnInterface, r *Request) (*Response, error) {
	answer := &Response{}
	if err := conn.Invoke(ctx, "/"+serviceName+"/"+askName, r, answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// Open opens the stream of a proxy, which then has a message at once, one with each change, and one every 30 seconds.
// The stream ends with ctx. The connection must use [Codec].
func Open(ctx context.Context, conn grpc.ClientConnInterface, r *Request) (grpc.ServerStreamingClient[Response], error) {
	description := &grpc.StreamDesc{StreamName: streamName, ServerStreams: true}
	s, err := conn.NewStream(ctx, description, "/"+serviceName+"/"+streamName)
	if err != nil {
		return nil, err
	}
	// io.EOF only says that the stream has ended; why shows when it is read from.
	if err := s.SendMsg(r); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return &grpc.GenericClientStream[Request, Response]{ClientStream: s}, s.CloseSend()
}

// Service is what a server has to offer. Its methods may be called from any goroutine.
type Service interface {
	// Ask answers one question.
	Ask(ctx context.Context, r *Request) (*Response, error)
	// Stream sends messages until ctx ends, or until it returns what the client is told.
	Stream(ctx context.Context, r *Request, send func(*Response) error) error
}

// Register adds s to a server, which must use [Codec].
func Register(server grpc.ServiceRegistrar, s Service) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: serviceName,
		HandlerType: (*Service)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: askName, Handler: handleAsk}},
		Streams:     []grpc.StreamDesc{{StreamName: streamName, Handler: handleStream, ServerStreams: true}},
	}, s)
}

// handleAsk gets what was registered, of which the gRPC library has checked that it is a Service.
//
//nolint:revive // the order of the arguments is the library's
func handleAsk(h any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	r := &Request{}
	if err := decode(r); err != nil {
		return nil, err
	}
	return h.(Service).Ask(ctx, r)
}

// handleStream is handleAsk for streams.
func handleStream(h any, stream grpc.ServerStream) error {
	r := &Request{}
	if err := stream.RecvMsg(r); err != nil {
		return err
	}
	return h.(Service).Stream(stream.Context(), r, func(m *Response) error { return stream.SendMsg(m) })
}
