package statsigpb

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// How a client says that it reads this form, and how a server says that it answers in it.
const (
	// ContentEncoding stands first in the Accept-Encoding of a client, and in the Content-Encoding of an answer.
	ContentEncoding = "statsig-br"
	// ContentType is that of an answer.
	ContentType = "application/octet-stream"
	// SupportsHeader is sent with the value "true".
	SupportsHeader = "Statsig-Supports-Proto"
	// DeltasHeader is set, with any value, in an answer that is a delta.
	DeltasHeader = "X-Deltas-Used"

	querySupports = "supports_proto"
	queryDeltas   = "accept_deltas"
	queryTime     = "sinceTime"
	queryChecksum = "checksum"
)

// Is reports whether the headers of an answer announce this form. Both must: JSON under the same content encoding is
// not this form, and nobody reads it.
func Is(answer http.Header) bool {
	return strings.Contains(strings.ToLower(answer.Get("Content-Type")), ContentType) &&
		strings.Contains(strings.ToLower(answer.Get("Content-Encoding")), ContentEncoding)
}

// maxStalled is how many deltas in a row may bring no newer document before the whole one is asked for.
const maxStalled = 10

// Exchange is what one source has to remember from one request to the next: the document that deltas build on, and
// whether the next answer has to be a whole one. The zero value asks for whole documents only.
type Exchange struct {
	deltas bool
	// base is the last document read; nil unless deltas are on.
	base *Document
	// whole says that the next answer must not be a delta, nor depend on what is held.
	whole   bool
	stalled int
}

// NewExchange returns an Exchange that asks for deltas or not. With deltas it holds on to the last document.
func NewExchange(deltas bool) *Exchange { return &Exchange{deltas: deltas} }

// Query returns the query of the next request by an asker that holds a document with this time and checksum, both zero
// for none. Deltas are asked for when that is the document that they would be applied to. After an answer that could
// not be read, the request is for the document whatever it is.
func (e *Exchange) Query(time int64, checksum string) url.Values {
	q := url.Values{querySupports: {"true"}}
	if e.whole {
		return q
	}
	if time > 0 {
		q.Set(queryTime, strconv.FormatInt(time, 10))
	}
	if checksum != "" {
		q.Set(queryChecksum, checksum)
	}
	if e.deltas && e.base != nil && time > 0 && e.base.Time == time && e.base.Checksum == checksum {
		q.Set(queryDeltas, "true")
	}
	return q
}

// Read decodes the body of an answer for which [Is] holds, as [Decode] does. After content that could not be used the
// next [Exchange.Query] asks for a whole document, and also after ten deltas in a row that brought nothing newer. A
// connection that breaks changes nothing.
func (e *Exchange) Read(body io.Reader, limit int64) (*Document, error) {
	var previous []byte
	if e.base != nil {
		previous = e.base.JSON
	}
	d, err := Decode(body, previous, limit)
	if err != nil {
		e.whole = e.whole || errors.Is(err, eval.ErrMalformed) || errors.Is(err, ErrTooLarge)
		return nil, err
	}
	switch {
	case !d.Delta, d.Time > e.base.Time:
		e.whole, e.stalled = false, 0
	default:
		e.stalled++
		e.whole = e.stalled >= maxStalled
	}
	if e.deltas {
		e.base = d
	}
	return d, nil
}

// Plain notes that an answer came in another form and could be read.
func (e *Exchange) Plain() { e.whole, e.stalled = false, 0 }
