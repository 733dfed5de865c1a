package specsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"

	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

// queryPattern matches the query of a URL inside a message, such as that of a redirect that could not be parsed.
var queryPattern = regexp.MustCompile(`\?[^\s"']*`)

// clean turns an error of the network into one that says what happened, and nothing of the request but its host. The
// original is dropped, not wrapped: it holds the URL, and with it the key.
func (c *Client) clean(u *url.URL, err error) error {
	text := queryPattern.ReplaceAllString(transport.Reason(err), "")
	cleaned := &cleanError{text: c.scrub(fmt.Sprintf("asking %s: %s", origin(u), text))}
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled, io.ErrUnexpectedEOF} {
		if errors.Is(err, cause) {
			cleaned.cause = cause
			break
		}
	}
	if cleaned.cause == nil && transport.IsTimeout(err) {
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
