package serve

import (
	"context"
	"net/http"
	"time"
)

// Account is what there is to say of one request when it is over. It holds no token and nothing of a request's body.
type Account struct {
	// Endpoint is the name of what was asked, one of a few.
	Endpoint string
	// Remote is the address that the request came from.
	Remote string
	// Status is what was answered.
	Status int
	// Took is how long that took.
	Took time.Duration

	// Caller is who asked, empty where nobody knows; Object is what for; Answer is what was handed out. The handler fills
	// them in.
	Caller, Object, Answer string
}

// Endpoint answers requests of one kind.
type Endpoint struct {
	// Name names it in accounts.
	Name string
	// Timeout bounds the context of a request; MaxBodyBytes its body. Both must be positive.
	Timeout      time.Duration
	MaxBodyBytes int64
	// Now is the clock.
	Now func() time.Time
	// Answer answers, and fills in the account.
	Answer func(http.ResponseWriter, *http.Request, *Account)
	// Account is told of every request.
	Account func(*Account)
}

// ServeHTTP implements [http.Handler].
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := e.Now()
	ctx, cancel := context.WithTimeout(r.Context(), e.Timeout)
	defer cancel()
	account := &Account{Endpoint: e.Name, Remote: Remote(r)}
	recorder := &statusRecorder{ResponseWriter: w}
	request := r.WithContext(ctx)
	request.Body = http.MaxBytesReader(w, r.Body, e.MaxBodyBytes)
	answered := false
	defer func() {
		account.Status, account.Took = recorder.status, e.Now().Sub(begun)
		switch {
		case account.Status != 0:
		case answered:
			account.Status = http.StatusOK
		default: // a panic, which the server turns into a cut connection
			account.Status = http.StatusInternalServerError
		}
		e.Account(account)
	}()
	e.Answer(recorder, request, account)
	answered = true
}

// statusRecorder remembers the status of an answer, 0 for none yet.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p) //nolint:wrapcheck // whoever writes knows what
}

// Unwrap lets http.ResponseController reach what the server gave.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
