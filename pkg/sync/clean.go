package specsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// queryPattern matches the query of a URL inside a message, such as that of a redirect that could not be parsed.
var queryPattern = regexp.MustCompile(`\?[^\s"']*`)

// clean turns an error of the network into one that says what happened, and nothing of the request but its host. The
// original is dropped, not wrapped: it holds the URL, and with it the key.
func (c *Client) clean(u *url.URL, err error) error {
	text := queryPattern.ReplaceAllString(plainText(err), "")
	cleaned := &cleanError{text: c.scrub(fmt.Sprintf("asking %s: %s", origin(u), text))}
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled, io.ErrUnexpectedEOF} {
		if errors.Is(err, cause) {
			cleaned.cause = cause
			break
		}
	}
	if cleaned.cause == nil && isTimeout(err) {
		cleaned.cause = context.DeadlineExceeded
	}
	return cleaned
}

// cleanError keeps of its cause only what errors.Is needs.
type cleanError struct {
	text  string
	cause error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.cause }

// origin is the part of a URL that may be shown: no user, path or query.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// plainText leaves out what changes from one attempt to the next, such as the local port, so that the text can stand
// in a condition.
func plainText(err error) string {
	var (
		withURL *url.Error
		op      *net.OpError
		dns     *net.DNSError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return "no answer in time"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the answer was cut off"
	case errors.As(err, &dns):
		return "looking up the host: " + dns.Err
	case errors.As(err, &op):
		return op.Op + ": " + plainText(op.Err)
	case errors.As(err, &withURL):
		return plainText(withURL.Err)
	case errors.Is(err, io.EOF):
		return "the connection was closed without an answer"
	case strings.Contains(err.Error(), "Location"):
		// What the server wrote there may be anything, and may be the key in part.
		return "a redirect without a usable address"
	default:
		return err.Error()
	}
}
