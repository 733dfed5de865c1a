//go:build !race

package ofrep

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// quietWriter takes an answer and keeps nothing.
type quietWriter struct{ header http.Header }

func (w *quietWriter) Header() http.Header         { return w.header }
func (w *quietWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *quietWriter) WriteHeader(int)             {}

// request is a request that can be served again and again.
type repeatedRequest struct {
	*http.Request
	body *strings.Reader
	text string
}

func newRepeatedRequest(path, body string, header ...string) *repeatedRequest {
	r := &repeatedRequest{body: strings.NewReader(body), text: body}
	r.Request = httptest.NewRequest(http.MethodPost, path, http.NoBody)
	r.Body = noClose{r.body}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

type noClose struct{ *strings.Reader }

func (noClose) Close() error { return nil }

func (r *repeatedRequest) serve(h http.Handler, w *quietWriter) {
	r.body.Reset(r.text)
	clear(w.header)
	h.ServeHTTP(w, r.Request)
}

const (
	plainContext = `{"context":{"targetingKey":"alice"}}`
	richContext  = `{"context":{"targetingKey":"alice","email":"alice@example.com","plan":"pro","level":7,"beta":true}}`
)

func TestAnAnswerHardlyAllocates(t *testing.T) {
	f := newFixture(t, shop(), eval.Options{})
	f.project.Expose = nil
	tag := f.post(flags, richContext).Header().Get("Etag")
	tests := map[string]struct {
		request *repeatedRequest
		most    float64
	}{
		"a gate for a plain context": {newRepeatedRequest(flags+"/half", plainContext), 4},
		"a gate for a rich context":  {newRepeatedRequest(flags+"/staff", richContext), 10},
		"a parameter":                {newRepeatedRequest(flags+"/limits.rps", plainContext), 4},
		"all flags, known already":   {newRepeatedRequest(flags, richContext, "If-None-Match", tag), 12},
		"all flags":                  {newRepeatedRequest(flags, richContext), 20},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := &quietWriter{header: http.Header{}}
			tc.request.serve(f, w) // fills what is kept for reuse
			if got := testing.AllocsPerRun(1000, func() { tc.request.serve(f, w) }); got > tc.most {
				t.Errorf("an answer allocates %v times, want at most %v", got, tc.most)
			} else {
				t.Logf("%v allocations", got)
			}
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	f := newFixture(b, shop(), eval.Options{})
	f.project.Expose = nil
	tag := f.post(flags, richContext).Header().Get("Etag")
	for name, request := range map[string]*repeatedRequest{
		"gate":           newRepeatedRequest(flags+"/half", plainContext),
		"gateRich":       newRepeatedRequest(flags+"/staff", richContext),
		"parameter":      newRepeatedRequest(flags+"/limits.rps", plainContext),
		"bulk":           newRepeatedRequest(flags, richContext),
		"bulkUnmodified": newRepeatedRequest(flags, richContext, "If-None-Match", tag),
	} {
		b.Run(name, func(b *testing.B) {
			w := &quietWriter{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				request.serve(f, w)
			}
		})
	}
}
