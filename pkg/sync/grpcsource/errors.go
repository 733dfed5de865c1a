package grpcsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

var (
	errSilent = errors.New("the forward proxy has gone silent")
	errClosed = errors.New("the forward proxy has ended the stream")
)

// localAddress matches the client's end of a connection, which changes with each attempt; the text may stand in a
// condition.
var localAddress = regexp.MustCompile(`\S+->`)

// tooLarge begins what the gRPC library says of a message beyond the limit; the same code also means that a proxy has
// no room for another stream.
const tooLarge = "grpc: received message"

// callError says what went wrong and keeps of its cause only what errors.Is needs: a status may echo the request, and
// with it the key.
type callError struct {
	text  string
	cause error
}

func (e *callError) Error() string { return e.text }
func (e *callError) Unwrap() error { return e.cause }

// clean turns an error of a call into one that may be shown.
func (s *Source) clean(err error) error {
	text, cause := describe(err)
	return &callError{text: s.scrub(fmt.Sprintf("asking %s: %s", s.options.Address, text)), cause: cause}
}

// describe returns the words for an error and what it is to errors.Is.
func describe(err error) (text string, cause error) {
	switch {
	case errors.Is(err, errSilent):
		return errSilent.Error(), context.DeadlineExceeded
	case errors.Is(err, io.EOF):
		return errClosed.Error(), io.ErrUnexpectedEOF
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time", context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return "canceled", context.Canceled
	}
	s := status.Convert(err)
	message := plainText(s.Message())
	switch s.Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		return specsync.ErrUnauthorized.Error(), specsync.ErrUnauthorized
	case codes.DeadlineExceeded:
		return "no answer in time", context.DeadlineExceeded
	case codes.Canceled:
		return "canceled", context.Canceled
	case codes.ResourceExhausted:
		if strings.HasPrefix(s.Message(), tooLarge) {
			return fmt.Sprintf("%s: more than %d bytes", specsync.ErrTooLarge, maxMessage), specsync.ErrTooLarge
		}
		return "the forward proxy has no room for another stream", nil
	case codes.Internal:
		if strings.Contains(message, "unmarshal") {
			return "the answer is not a message of the forward proxy", specsync.ErrMalformed
		}
	case codes.Unavailable:
		return "the forward proxy is out of reach: " + message, nil
	default:
	}
	return fmt.Sprintf("the forward proxy answered %s: %s", s.Code(), message), nil
}

// maxText bounds what a server can put into a condition.
const maxText = 300

// plainText takes the gRPC library's packaging off a message.
func plainText(message string) string {
	text := localAddress.ReplaceAllString(message, "")
	for _, packaging := range []string{"connection error: desc = ", "transport: ", "Error while dialing: "} {
		text = strings.ReplaceAll(text, packaging, "")
	}
	text = strings.Trim(strings.ToValidUTF8(text, ""), `"`)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}
