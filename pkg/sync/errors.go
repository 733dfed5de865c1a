package specsync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// What callers branch on. Each is found with errors.Is in [State.Err], [State.Skipped] and [State.IDListsErr].
var (
	// ErrUnauthorized says that a server refused the SDK key (status 401 or 403).
	ErrUnauthorized = errors.New("the SDK key was refused")
	// ErrMalformed is [eval.ErrMalformed]: the answer is not a config specs document, or not an ID list, whichever
	// was asked for.
	ErrMalformed = eval.ErrMalformed
	// ErrWrongProject says that a document was made for another SDK key.
	ErrWrongProject = errors.New("the config specs were made for another SDK key")
	// ErrTooLarge says that an answer exceeds its limit, after decompression.
	ErrTooLarge = errors.New("the answer is larger than allowed")
	// ErrOutdated says that a source offers an older document than the one held, which stays. It is no failure of the
	// source, so it does not slow the polling down.
	ErrOutdated = errors.New("the config specs offered are older than those held")
	// ErrNoSpecs says that a source answered properly and has nothing new, yet nothing is held either. It does not
	// slow the polling down.
	ErrNoSpecs = errors.New("the source has no config specs to offer")
)

// malformedError is an error that matches ErrMalformed and says in its own words what is wrong.
type malformedError string

func (m malformedError) Error() string { return string(m) }

func (m malformedError) Is(target error) bool { return target == ErrMalformed }

// StatusError is an HTTP answer with another status than the one asked for. With 401 and 403 it matches
// [ErrUnauthorized].
type StatusError struct {
	// Code is the HTTP status.
	Code int
	// RetryAfter is how long the server asks to be left alone; 0 when it does not say.
	RetryAfter time.Duration
	// keyless says that the status says nothing about the SDK key: the request did not carry it, or the server is none
	// to judge.
	keyless bool
}

// Error names the status; the body is left out, for it may echo the request.
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the server answered %d %s", e.Code, http.StatusText(e.Code)))
}

// Is reports whether the status means target.
func (e *StatusError) Is(target error) bool {
	return target == ErrUnauthorized && !e.keyless && (e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden)
}

// retryAfter returns the wait that a server asked for, 0 for none.
func retryAfter(err error) time.Duration {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.RetryAfter
	}
	return 0
}

// isFailure reports whether err means that the source did not do its work; false for proper answers that are of no use.
func isFailure(err error) bool {
	return err != nil && !errors.Is(err, ErrOutdated) && !errors.Is(err, ErrNoSpecs)
}

// Outcome is how one request ended, as a bounded set of words fit for a metric label.
type Outcome string

// The outcomes. OutcomeHeld is a change that the guard held; OutcomeError stands for whatever the others don't name:
// network errors, unreadable files.
const (
	OutcomeChanged      Outcome = "changed"
	OutcomeHeld         Outcome = "held"
	OutcomeUnchanged    Outcome = "unchanged"
	OutcomeOutdated     Outcome = "outdated"
	OutcomeNoSpecs      Outcome = "no_specs"
	OutcomeUnauthorized Outcome = "unauthorized"
	OutcomeMalformed    Outcome = "malformed"
	OutcomeWrongProject Outcome = "wrong_project"
	OutcomeTooLarge     Outcome = "too_large"
	OutcomeStatus       Outcome = "status"
	OutcomeTimeout      Outcome = "timeout"
	OutcomeError        Outcome = "error"
)

var outcomes = []struct {
	err     error
	outcome Outcome
}{
	{ErrUnauthorized, OutcomeUnauthorized},
	{ErrWrongProject, OutcomeWrongProject},
	{ErrTooLarge, OutcomeTooLarge},
	{ErrMalformed, OutcomeMalformed},
	{context.DeadlineExceeded, OutcomeTimeout},
	{ErrOutdated, OutcomeOutdated},
	{ErrNoSpecs, OutcomeNoSpecs},
}

// outcomeOf classifies err; nil is OutcomeUnchanged.
func outcomeOf(err error) Outcome {
	if err == nil {
		return OutcomeUnchanged
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.outcome
		}
	}
	if _, ok := errors.AsType[*StatusError](err); ok {
		return OutcomeStatus
	}
	return OutcomeError
}

// sourceErrors prints several errors in one line; errors.Join would print one per line, and conditions hold a sentence.
type sourceErrors []error

func (e sourceErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e sourceErrors) Unwrap() []error { return e }

// join returns nil for none, the error itself for one.
func join(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	default:
		return sourceErrors(errs)
	}
}
