package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// maxAttempts is how often a batch is sent at most, or with a spool, how often while the endpoint takes others.
	maxAttempts = 6
	// minBackoff doubles with each failure in a row, up to maxBackoff.
	minBackoff = time.Second
	maxBackoff = time.Minute
)

// request is one attempt at delivering a batch.
type request struct {
	body    []byte // compressed
	events  int
	attempt int // attempts made before
}

// sender makes one attempt. A nil error means that the batch is delivered.
type sender interface {
	send(ctx context.Context, r request) error
}

// verdict is what to do after a failed attempt.
type verdict struct {
	isFinal    bool          // another attempt cannot help
	reason     Reason        // why the batch is dropped if this was the last attempt
	retryAfter time.Duration // how long the endpoint asked to wait; 0 when it did not
}

// judge follows the official SDK: some statuses drop the batch at once, everything else is worth another attempt. It is
// more patient in one case: a 429 that says when to come back is retried then.
func judge(err error) verdict {
	var status *StatusError
	if !errors.As(err, &status) {
		return verdict{reason: ReasonExhausted}
	}
	switch status.Status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusNotImplemented:
		return verdict{isFinal: true, reason: ReasonRejected}
	case http.StatusForbidden:
		return verdict{isFinal: true, reason: ReasonUnauthorized}
	case http.StatusUnauthorized:
		return verdict{reason: ReasonUnauthorized, retryAfter: status.RetryAfter}
	case http.StatusTooManyRequests:
		return verdict{isFinal: status.RetryAfter == 0, reason: ReasonThrottled, retryAfter: status.RetryAfter}
	default:
		return verdict{reason: ReasonExhausted, retryAfter: status.RetryAfter}
	}
}

// attempt sends b once and does with it what the answer asks for. ticket is the breaker's. Once ctx is done there is no
// other attempt; the request itself ends with sendCtx.
func (l *Logger) attempt(ctx, sendCtx context.Context, b *batch, ticket int) {
	if l.options.DisableNetwork {
		l.breaker.succeeded()
		l.dropBatch(b, ReasonNetworkDisabled, errNetworkDisabled)
		return
	}
	if b.attempts == 0 {
		b.deliveries = l.ledger.deliveries()
	} else {
		l.ledger.countRetry()
	}
	r := request{body: l.encoder.encode(b), events: b.len(), attempt: b.attempts}
	b.attempts++
	started := l.now()
	err := l.sender.send(sendCtx, r)
	if err == nil {
		ended := l.now()
		l.breaker.succeeded()
		l.ledger.countDelivered(r.events, len(r.body), ended, ended.Sub(started))
		l.keeper.forget(b)
		l.queue.resolve(b, nil)
		return
	}
	l.ledger.countFailure(err)
	v := judge(err)
	// A batch refused for what it holds says nothing about the next one; everything else does.
	if v.reason == ReasonRejected {
		l.breaker.succeeded()
	} else {
		l.breaker.failed(ticket, v.retryAfter)
	}
	l.conclude(b, v, err, ctx.Err() != nil)
}

// conclude decides what becomes of a batch after a failed attempt. With a spool, only the batch's own fault ends it: the
// endpoint refused what it holds, or refuses it again and again while it takes others. Without, it ends as it does in
// the official SDK.
func (l *Logger) conclude(b *batch, v verdict, cause error, stopping bool) {
	isWornOut := b.attempts >= maxAttempts
	switch {
	case v.reason == ReasonRejected:
		l.setAside(b, v.reason, cause)
	case stopping && (l.keeper.isOn() || !v.isFinal):
		l.leave(b, cause)
	case !l.keeper.isOn() && (v.isFinal || isWornOut):
		l.dropBatch(b, v.reason, cause)
	case l.keeper.isOn() && isWornOut && l.ledger.deliveries() > b.deliveries:
		l.setAside(b, v.reason, cause)
	default:
		l.queue.putBack(b)
	}
}

// setAside keeps a batch that the endpoint does not want for people to look at, and drops it where there is no place.
func (l *Logger) setAside(b *batch, reason Reason, cause error) {
	if !l.keeper.setAside(b) {
		l.dropBatch(b, reason, cause)
		return
	}
	l.ledger.countSetAside(reason, b.len())
	l.keeper.forget(b)
	l.queue.resolve(b, fmt.Errorf("%w (%s): %w", ErrSetAside, reason, cause))
}

// leave ends the work on a batch for this process. What the spool has of it stays there.
func (l *Logger) leave(b *batch, cause error) {
	<-l.keeper.ended // it may be writing this very batch
	records := l.queue.detach(b)
	if len(records) > 0 {
		l.keeper.leave(records)
	}
	if rest := b.unspooled().events; rest > 0 {
		l.ledger.countDropped(ReasonShutdown, rest)
		l.queue.resolve(b, fmt.Errorf("%w (%s): %w", ErrDropped, ReasonShutdown, cause))
		return
	}
	l.queue.resolve(b, fmt.Errorf("%w: %w", ErrSpooled, cause))
}

// dropBatch makes the exposures in b due again where another request may well carry them; a batch that was refused for
// what it holds would only be refused again, and without network none would be carried.
func (l *Logger) dropBatch(b *batch, reason Reason, cause error) {
	if reason != ReasonRejected && reason != ReasonNetworkDisabled {
		l.dedupe.forget(b.pendingKeys())
	}
	l.ledger.countDropped(reason, b.len())
	l.keeper.forget(b)
	l.queue.resolve(b, fmt.Errorf("%w (%s): %w", ErrDropped, reason, cause))
}

// backoff doubles with each failure in a row and takes off up to half, so that operators restarted together do not
// retry together.
func (l *Logger) backoff(failures int) time.Duration {
	d := maxBackoff
	if doublings := failures - 1; doublings < 6 {
		d = min(minBackoff<<doublings, maxBackoff)
	}
	return d - time.Duration(l.jitter()*float64(d)/2)
}

// bodyEncoder builds compressed request bodies.
type bodyEncoder struct {
	metadata []byte // statsigMetadata without its end, up to the value of flushType
	writers  sync.Pool
}

func newBodyEncoder(metadata []byte, coding Compression) *bodyEncoder {
	return &bodyEncoder{
		metadata: metadata,
		writers:  sync.Pool{New: func() any { return newBodyWriter(coding) }},
	}
}

// encode returns a body of its own for each batch: the HTTP transport may read it for longer than the request lasts.
func (e *bodyEncoder) encode(b *batch) []byte {
	var body bytes.Buffer
	w := e.writers.Get().(bodyWriter)
	defer e.writers.Put(w)
	w.Reset(&body)
	// Writes to a buffer cannot fail.
	_, _ = w.Write([]byte(`{"events":[`))
	_, _ = w.Write(b.events())
	_, _ = w.Write([]byte(`],"statsigMetadata":`))
	_, _ = w.Write(e.metadata)
	_, _ = w.Write(appendString(nil, string(b.flush)))
	_, _ = w.Write([]byte(`}}`))
	_ = w.Close()
	return body.Bytes()
}
