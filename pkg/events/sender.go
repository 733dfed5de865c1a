package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	// maxAttempts is how often a batch is sent at most.
	maxAttempts = 6
	// minBackoff doubles with each failure in a row, up to maxBackoff.
	minBackoff = time.Second
	maxBackoff = time.Minute
)

// request is one attempt at delivering a batch.
type request struct {
	body    []byte // gzip
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

// deliver sends b until it is delivered or given up, and resolves it. Failures are waited out here, so that an endpoint
// in trouble sees one request per backoff, whichever batch is next. Once ctx is done there are no more waits and no
// more retries; requests themselves end with sendCtx.
func (l *Logger) deliver(ctx, sendCtx context.Context, b *batch) {
	r := request{body: l.encoder.encode(b), events: b.len()}
	for ; ; r.attempt++ {
		if r.attempt > 0 {
			l.ledger.countRetry()
		}
		stopping := ctx.Err() != nil
		started := l.now()
		err := l.sender.send(sendCtx, r)
		if err == nil {
			ended := l.now()
			l.ledger.countDelivered(r.events, len(r.body), ended, ended.Sub(started))
			l.queue.resolve(b, nil)
			return
		}
		failures := l.ledger.countFailure(err)
		v := judge(err)
		isLast := v.isFinal || stopping || r.attempt+1 >= maxAttempts
		if isLast {
			if stopping && !v.isFinal {
				v.reason = ReasonShutdown
			}
			l.dropBatch(b, v.reason, err)
		}
		// A batch refused for what it holds says nothing about the next one; everything else does.
		if v.reason != ReasonRejected {
			pause(ctx, max(v.retryAfter, l.backoff(failures)))
		}
		if isLast {
			return
		}
	}
}

// dropBatch makes the exposures in b due again where another request may well carry them; a batch that was refused for
// what it holds would only be refused again.
func (l *Logger) dropBatch(b *batch, reason Reason, cause error) {
	if reason != ReasonRejected {
		l.dedupe.forget(b.pendingKeys())
	}
	l.ledger.countDropped(reason, b.len())
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

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// bodyEncoder builds compressed request bodies.
type bodyEncoder struct {
	metadata []byte // statsigMetadata without its end, up to the value of flushType
	writers  sync.Pool
}

func newBodyEncoder(metadata []byte) *bodyEncoder {
	return &bodyEncoder{
		metadata: metadata,
		writers: sync.Pool{New: func() any {
			w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid constant
			return w
		}},
	}
}

// encode returns a body of its own for each batch: the HTTP transport may read it for longer than the request lasts.
func (e *bodyEncoder) encode(b *batch) []byte {
	var body bytes.Buffer
	w := e.writers.Get().(*gzip.Writer)
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
