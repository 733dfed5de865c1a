package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
)

// Reason says why a request failed. It leaves out URLs, and what changes from one attempt to the next, such as the
// local port, so that the text can stand in a condition. It may still hold what a server said.
func Reason(err error) string {
	var (
		withURL *url.Error
		op      *net.OpError
		dns     *net.DNSError
	)
	switch {
	case IsTimeout(err):
		return "no answer in time"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the answer was cut off"
	case errors.As(err, &dns):
		return "looking up the host: " + dns.Err
	case errors.As(err, &op):
		return op.Op + ": " + Reason(op.Err)
	case errors.As(err, &withURL):
		return Reason(withURL.Err)
	case errors.Is(err, io.EOF):
		return "the connection was closed without an answer"
	case strings.Contains(err.Error(), "Location"):
		// What the server wrote there may be anything, and may be an SDK key in part.
		return "a redirect without a usable address"
	default:
		return err.Error()
	}
}

// IsTimeout reports whether time ran out, be it the caller's or one of the transport's own limits.
func IsTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
