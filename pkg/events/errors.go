package events

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

var (
	// ErrUnauthorized matches every delivery error caused by a refused SDK key (status 401 or 403).
	ErrUnauthorized = errors.New("SDK key refused by the events endpoint")

	// ErrUnsuccessful is a 2xx answer that does not confirm delivery: a body that is not JSON, or says success is
	// false.
	ErrUnsuccessful = errors.New("events endpoint did not confirm the batch")

	// ErrAlreadyRun is returned by a second call of [Logger.Run].
	ErrAlreadyRun = errors.New("event logger has run already")

	// ErrDropped matches the error of a [Logger.Flush] that waited for events which were then dropped.
	ErrDropped = errors.New("events dropped")

	// ErrSpooled matches the error of a [Logger.Flush] that waited for events which are neither delivered nor dropped:
	// the spool has them, to be sent later or by the next process.
	ErrSpooled = errors.New("events left in the spool")

	// ErrSetAside matches the error of a [Logger.Flush] that waited for events which the endpoint did not take and which
	// were set aside.
	ErrSetAside = errors.New("events set aside")

	errNetworkDisabled = errors.New("network is disabled")
)

// StatusError is an answer with a status outside 2xx.
type StatusError struct {
	// Status is the HTTP status code.
	Status int
	// RetryAfter is how long the endpoint asked to be left alone, at most one hour; 0 when it did not say.
	RetryAfter time.Duration
}

// Error names the status and leaves the body out: a proxy may echo the request in it.
func (e *StatusError) Error() string {
	return fmt.Sprintf("events endpoint answered %d %s", e.Status, http.StatusText(e.Status))
}

// Is reports whether target is [ErrUnauthorized] and the status is 401 or 403.
func (e *StatusError) Is(target error) bool {
	return target == ErrUnauthorized && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// scrubTransportError returns err as text without the URL and without any key. Of the chain only context errors stay
// reachable: the rest of it prints the URL.
func scrubTransportError(scrubber *secret.Scrubber, err error) error {
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	}
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, cause) {
			return fmt.Errorf("posting events: %w", cause)
		}
	}
	return errors.New("posting events: " + scrubber.Scrub(err.Error()))
}
