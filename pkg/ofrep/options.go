package ofrep

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

const (
	// defaultMaxBodyBytes holds a context of many custom fields with room to spare.
	defaultMaxBodyBytes = 64 << 10
	leastMaxBodyBytes   = 1 << 10
	mostMaxBodyBytes    = 1 << 20
)

// Project is what one request is answered from.
type Project struct {
	// Evaluator gives the answers. Nil says that there are no config specs yet: the request is answered 500.
	Evaluator *eval.Evaluator
	// Version names all that answers depend on beside the snapshot, the user and the clock: the settings of the evaluator,
	// the content of its ID lists, and the program's version. Processes with the same of all these should agree on it,
	// because a client's next request may go to another replica. It doesn't leave the process as it is. Empty says that
	// nobody knows: bulk answers then have no ETag.
	Version string
	// Expose is told of single evaluations that were answered; nil tells nobody. It is called before the answer is sent,
	// on the request's goroutine.
	Expose func(Exposure)
}

// Exposure says that a user got what an evaluation answered.
type Exposure struct {
	// Result is the evaluation, with its secondary exposures. Its slices are valid during the call only. A parameter of a
	// store is exposed by the evaluation it was read from.
	Result eval.Result
	// Parameter is the parameter that was read, "" for whole entities. It counts for layers.
	Parameter string
	// User is who was evaluated. [eval.Evaluator.LoggableUser] writes what of it may leave the process.
	User *eval.User
	// Time is the moment of the evaluation.
	Time time.Time
}

// Options configure a Handler. Project and Now are required; the zero value of any other field stands for its default.
type Options struct {
	// Project says what a request is answered from. Who may ask, and whether there is such a project, is settled before.
	Project func(*http.Request) Project
	// Now is the clock, commonly time.Now.
	Now func() time.Time
	// MaxBodyBytes bounds a request's body, 1 KiB to 1 MiB; default 64 KiB. Larger ones are answered PARSE_ERROR.
	MaxBodyBytes int
}

// Handler serves OFREP for any number of projects.
type Handler struct {
	options  Options
	catalogs catalogs
	scratch  sync.Pool
}

// New returns a handler. It fails where an option is missing or out of bounds.
func New(o Options) (*Handler, error) {
	if o.Project == nil || o.Now == nil {
		return nil, errors.New("options Project and Now are required")
	}
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = defaultMaxBodyBytes
	}
	if o.MaxBodyBytes < leastMaxBodyBytes || o.MaxBodyBytes > mostMaxBodyBytes {
		return nil, fmt.Errorf("option MaxBodyBytes is %d, want %d to %d", o.MaxBodyBytes, leastMaxBodyBytes, mostMaxBodyBytes)
	}
	h := &Handler{options: o}
	h.scratch.New = func() any { return &scratch{} }
	return h, nil
}
