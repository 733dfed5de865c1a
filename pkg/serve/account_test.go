package serve

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEveryRequestIsAccountedFor(t *testing.T) {
	for name, tc := range map[string]struct {
		answer     func(http.ResponseWriter, *http.Request, *Account)
		wantPanic  bool
		wantStatus int
	}{
		"A status is told": {
			answer:     func(w http.ResponseWriter, _ *http.Request, _ *Account) { w.WriteHeader(http.StatusTeapot) },
			wantStatus: http.StatusTeapot,
		},
		"The first status counts": {
			answer: func(w http.ResponseWriter, _ *http.Request, _ *Account) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, "no")
			},
			wantStatus: http.StatusForbidden,
		},
		"A body alone is a good answer": {
			answer:     func(w http.ResponseWriter, _ *http.Request, _ *Account) { _, _ = io.WriteString(w, "yes") },
			wantStatus: http.StatusOK,
		},
		"Nothing is a good answer": {
			answer:     func(http.ResponseWriter, *http.Request, *Account) {},
			wantStatus: http.StatusOK,
		},
		"A panic is none": {
			answer:     func(http.ResponseWriter, *http.Request, *Account) { panic(http.ErrAbortHandler) },
			wantStatus: http.StatusInternalServerError,
			wantPanic:  true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got *Account
			at := noon
			e := &Endpoint{
				Name: "gates", Timeout: time.Minute, MaxBodyBytes: 100, Account: func(a *Account) { got = a },
				Now: func() time.Time { at = at.Add(time.Second); return at },
				Answer: func(w http.ResponseWriter, r *http.Request, a *Account) {
					a.Caller = "ann"
					tc.answer(w, r, a)
				},
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = "10.1.2.3:4567"
			func() {
				defer func() {
					if (recover() != nil) != tc.wantPanic {
						t.Error("a panic is kept from the server, or made up")
					}
				}()
				e.ServeHTTP(httptest.NewRecorder(), r)
			}()
			want := &Account{Endpoint: "gates", Remote: "10.1.2.3", Status: tc.wantStatus, Took: time.Second, Caller: "ann"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestsAreBounded(t *testing.T) {
	e := &Endpoint{
		Timeout: time.Minute, MaxBodyBytes: 100, Now: func() time.Time { return noon }, Account: func(*Account) {},
		Answer: func(_ http.ResponseWriter, r *http.Request, _ *Account) {
			if _, ok := r.Context().Deadline(); !ok {
				t.Error("the context has no deadline")
			}
			var tooLarge *http.MaxBytesError
			if n, err := io.Copy(io.Discard, r.Body); n != 100 || !errors.As(err, &tooLarge) {
				t.Errorf("read %d bytes of the body, and then %v", n, err)
			}
		},
	}
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 101))))
}
