package grpcsource_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource"
)

func TestOptionsThatAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*grpcsource.Options)
		want   string
	}{
		"no key":                   {func(o *grpcsource.Options) { o.Key = secret.Key{} }, "SDK key is empty"},
		"no address":               {func(o *grpcsource.Options) { o.Address = "" }, "host:port"},
		"an address without port":  {func(o *grpcsource.Options) { o.Address = "proxy" }, "host:port"},
		"an address without host":  {func(o *grpcsource.Options) { o.Address = ":50051" }, "host:port"},
		"port 0":                   {func(o *grpcsource.Options) { o.Address = "proxy:0" }, "port"},
		"a port that is a name":    {func(o *grpcsource.Options) { o.Address = "proxy:grpc" }, "port"},
		"a URL":                    {func(o *grpcsource.Options) { o.Address = "http://u:hunter2@proxy:50051" }, "host:port"},
		"a negative duration":      {func(o *grpcsource.Options) { o.MaxSilence = -1 }, "longest silence"},
		"a duration of no use":     {func(o *grpcsource.Options) { o.ConnectTimeout = time.Microsecond }, "connect timeout"},
		"a failover next week":     {func(o *grpcsource.Options) { o.FailoverAfter = 168 * time.Hour }, "failover"},
		"backoffs the wrong way":   {func(o *grpcsource.Options) { o.MinBackoff, o.MaxBackoff = 2*time.Minute, 0 }, "backoff"},
		"a negative retry limit":   {func(o *grpcsource.Options) { o.RetryLimit = -1 }, "retry limit"},
		"a negative least backoff": {func(o *grpcsource.Options) { o.MinBackoff = -time.Second }, "least backoff"},
	} {
		t.Run(name, func(t *testing.T) {
			o := grpcsource.Options{Address: "proxy:50051", Key: secret.NewKey(testKey)}
			tc.change(&o)
			s, err := grpcsource.New(o)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("New() = %v, %v; want an error about the %s", s, err, tc.want)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	base := newSource(t, "proxy:50051", nil)
	if base.Name() != grpcsource.DefaultName || strings.Contains(base.Identity(), testKey) {
		t.Errorf("Name() = %q, Identity() = %q", base.Name(), base.Identity())
	}
	if same := newSource(t, "proxy:50051", nil); same.Identity() != base.Identity() {
		t.Errorf("Identity() = %q for the same options, want %q", same.Identity(), base.Identity())
	}
	for name, change := range map[string]func(*grpcsource.Options){
		"another address": func(o *grpcsource.Options) { o.Address = "proxy:50052" },
		"another key":     func(o *grpcsource.Options) { o.Key = secret.NewKey("secret-another") },
		"another name":    func(o *grpcsource.Options) { o.Name = "Proxy" },
		"TLS":             func(o *grpcsource.Options) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS13} },
		"a dialer":        func(o *grpcsource.Options) { o.Dialer = &net.Dialer{} },
	} {
		if other := newSource(t, "proxy:50051", change); other.Identity() == base.Identity() {
			t.Errorf("%s: the identity is the same", name)
		}
	}
}

func TestErrorsOfCalls(t *testing.T) {
	for name, tc := range map[string]struct {
		err      error
		wantText string
		wantIs   error
	}{
		"a refused key":       {status.Error(codes.Unauthenticated, "x"), "the SDK key was refused", specsync.ErrUnauthorized},
		"a deadline":          {status.Error(codes.DeadlineExceeded, "x"), "no answer in time", context.DeadlineExceeded},
		"an own deadline":     {context.DeadlineExceeded, "no answer in time", context.DeadlineExceeded},
		"a cancellation":      {status.Error(codes.Canceled, "x"), "canceled", context.Canceled},
		"an ended stream":     {io.EOF, "the forward proxy has ended the stream", io.ErrUnexpectedEOF},
		"too large a one":     {status.Error(codes.ResourceExhausted, "grpc: received message larger than max (1 vs. 2)"), "more than", specsync.ErrTooLarge},
		"no room for streams": {status.Error(codes.ResourceExhausted, "Max concurrent streams reached"), "no room for another stream", nil},
		"no message": {
			status.Error(codes.Internal, "grpc: failed to unmarshal the received message: x"), "not a message of the forward proxy",
			specsync.ErrMalformed,
		},
		"a connection that broke": {
			status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: read tcp 10.0.0.1:4711->10.0.0.2:50051: reset"`),
			"out of reach: read tcp 10.0.0.2:50051: reset", nil,
		},
		"another status": {status.Error(codes.Unimplemented, "unknown service"), "answered Unimplemented: unknown service", nil},
		"a long story":   {status.Error(codes.Unknown, strings.Repeat("é", 1000)), "answered Unknown: é", nil},
	} {
		t.Run(name, func(t *testing.T) {
			text, cause := grpcsource.Describe(tc.err)
			if !strings.Contains(text, tc.wantText) || len(text) > 400 || !errors.Is(cause, tc.wantIs) {
				t.Errorf("describe() = %q, %v; want %q, %v", text, cause, tc.wantText, tc.wantIs)
			}
			if strings.ToValidUTF8(text, "") != text {
				t.Errorf("%q is not UTF-8", text)
			}
		})
	}
}
