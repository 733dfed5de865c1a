package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"
)

func TestReasons(t *testing.T) {
	local := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 54321}
	inURL := func(err error) error { return &url.Error{Op: "Get", URL: "https://statsig.test/secret", Err: err} }
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"a refused connection": {
			inURL(&net.OpError{Op: "dial", Net: "tcp", Source: local, Err: errors.New("connect: connection refused")}),
			"dial: connect: connection refused",
		},
		"a proxy that refuses the connection": {
			inURL(&net.OpError{Op: "proxyconnect", Net: "tcp", Err: &net.OpError{Op: "dial", Source: local, Err: errors.New("refused")}}),
			"proxyconnect: dial: refused",
		},
		"an unknown host": {
			inURL(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x", Server: "10.0.0.10:53"}}),
			"looking up the host: no such host",
		},
		"a deadline":              {inURL(context.DeadlineExceeded), "no answer in time"},
		"a limit of the network":  {inURL(&net.OpError{Op: "read", Source: local, Err: &net.DNSError{IsTimeout: true}}), "no answer in time"},
		"a body that is cut off":  {fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), "the answer was cut off"},
		"a connection just ended": {inURL(io.EOF), "the connection was closed without an answer"},
		"a redirect to nowhere":   {inURL(errors.New(`failed to parse Location header "secret"`)), "a redirect without a usable address"},
		"anything else":           {inURL(errors.New("x509: unknown authority")), "x509: unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Reason(tc.err); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}
