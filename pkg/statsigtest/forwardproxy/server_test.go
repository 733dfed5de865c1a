package forwardproxy_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest/forwardproxy"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource/proxyapi"
)

var key = secret.NewKey("secret-forward-proxy")

func document(time int64) []byte { return fmt.Appendf(nil, `{"has_updates":true,"time":%d}`, time) }

// start starts a proxy and connects to it.
func start(t *testing.T, o forwardproxy.Options) (*forwardproxy.Server, *grpc.ClientConn) {
	t.Helper()
	o.Key = key
	s, err := forwardproxy.Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(s.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(proxyapi.Codec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Close()
		s.Close()
	})
	return s, conn
}

func TestQuestions(t *testing.T) {
	for name, tc := range map[string]struct {
		options  forwardproxy.Options
		request  proxyapi.Request
		want     string
		wantCode codes.Code
	}{
		"one who holds nothing": {
			forwardproxy.Options{Document: document(5)}, proxyapi.Request{Key: key}, `{"has_updates":true,"time":5}`, codes.OK,
		},
		"one who holds an older document": {
			forwardproxy.Options{Document: document(5)}, proxyapi.Request{Key: key, Since: 4}, `{"has_updates":true,"time":5}`, codes.OK,
		},
		"one who holds it": {
			forwardproxy.Options{Document: document(5)}, proxyapi.Request{Key: key, Since: 5}, `{"has_updates":false}`, codes.OK,
		},
		"another key": {
			forwardproxy.Options{Document: document(5)}, proxyapi.Request{Key: secret.NewKey("x")}, "", codes.PermissionDenied,
		},
		"a proxy that has nothing": {forwardproxy.Options{}, proxyapi.Request{Key: key}, "", codes.PermissionDenied},
		"a refusal on request": {
			forwardproxy.Options{Before: func(context.Context, forwardproxy.Call) error {
				return status.Error(codes.Unavailable, "down")
			}}, proxyapi.Request{Key: key}, "", codes.Unavailable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, conn := start(t, tc.options)
			answer, err := proxyapi.Ask(t.Context(), conn, &tc.request)
			if status.Code(err) != tc.wantCode {
				t.Fatalf("Ask() = %v, want %v", err, tc.wantCode)
			}
			if err == nil && string(answer.Document) != tc.want {
				t.Errorf("Ask() = %s, want %s", answer.Document, tc.want)
			}
		})
	}
}

func TestAStream(t *testing.T) {
	calls := make(chan forwardproxy.Call, 2)
	s, conn := start(t, forwardproxy.Options{
		Document: document(5), Heartbeat: time.Millisecond,
		Before: func(_ context.Context, c forwardproxy.Call) error { calls <- c; return nil },
		After:  func(c forwardproxy.Call) { calls <- c },
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := proxyapi.Open(ctx, conn, &proxyapi.Request{Key: key, Since: 3})
	if err != nil {
		t.Fatal(err)
	}
	want := func(want string) {
		t.Helper()
		answer, err := stream.Recv()
		if err != nil || string(answer.Document) != want {
			t.Fatalf("Recv() = %+v, %v; want %s", answer, err, want)
		}
	}
	want(`{"has_updates":true,"time":5}`)
	want(`{"has_updates":false}`)
	if err := s.Set(document(6)); err != nil {
		t.Fatal(err)
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if string(answer.Document) == `{"has_updates":true,"time":6}` {
			break
		}
	}
	cancel()
	for range 2 {
		if diff := cmp.Diff(forwardproxy.Call{Stream: true, Since: 3}, <-calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	for name, o := range map[string]forwardproxy.Options{
		"no key":                  {},
		"a document without time": {Key: key, Document: []byte(`{}`)},
		"an address of nobody":    {Key: key, Address: "127.0.0.1:no"},
	} {
		if s, err := forwardproxy.Listen(t.Context(), o); err == nil {
			s.Close()
			t.Errorf("%s: Listen() = nil, want an error", name)
		}
	}
}
