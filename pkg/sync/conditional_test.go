package specsync

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fileServer answers with a document and its ETag, as a server of files does.
func fileServer(document, etag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		body(document)(w, r)
	}
}

func TestETags(t *testing.T) {
	const etag = `W/"abc"`
	long := `"` + strings.Repeat("x", maxETagBytes) + `"`
	cases := map[string]struct {
		handler       http.HandlerFunc
		have          Have
		want          Answer
		wantCondition string
		wantStatus    int
	}{
		"a document with an ETag has a version": {
			handler: fileServer(noUpdates, etag), want: Answer{Document: []byte(noUpdates), Version: etag, Origin: OriginNetwork},
		},
		"a document that is known is not sent again": {
			handler: fileServer(noUpdates, etag), have: Have{Version: etag}, wantCondition: etag,
			want: Answer{NotModified: true, Version: etag, Origin: OriginNetwork},
		},
		"a document in the place of the known one": {
			handler: fileServer(noUpdates, `"other"`), have: Have{Version: etag}, wantCondition: etag,
			want: Answer{Document: []byte(noUpdates), Version: `"other"`, Origin: OriginNetwork},
		},
		"an ETag that is too long is left out": {
			handler: fileServer(noUpdates, long), want: Answer{Document: []byte(noUpdates), Origin: OriginNetwork},
		},
		"not modified, where nobody asked whether": {handler: status(http.StatusNotModified), wantStatus: http.StatusNotModified},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := &stub{handler: tc.handler}
			source, err := NewHTTPSource(server.client(t, testKey), "HTTP", "http://specs.test")
			if err != nil {
				t.Fatal(err)
			}
			got, err := source.Fetch(t.Context(), tc.have)
			wantStatus(t, err, tc.wantStatus)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if sent := server.seen()[0].header.Get("If-None-Match"); sent != tc.wantCondition {
				t.Errorf("condition: want %q, got %q", tc.wantCondition, sent)
			}
		})
	}
}

// TestAFileServerSendsADocumentOnce polls a server that knows nothing of sinceTime and checksum.
func TestAFileServerSendsADocumentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		answer := func(document, etag string) http.HandlerFunc {
			file := fileServer(document, etag)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") != etag {
					sent++
				}
				file(w, r)
			}
		}
		server := &stub{handler: answer(specs(100, "", "first"), `"1"`)}
		s := newSyncer(t, server.options(t))
		run(t, s)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := s.State(); sent != 1 || gateOf(t, got) != "first" || got.Err != nil || time.Since(got.LastSuccess) > DefaultInterval {
			t.Errorf("the document was sent %d times, state %+v", sent, got)
		}
		server.serve(answer(specs(200, "", "second"), `"2"`))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := s.State(); sent != 2 || gateOf(t, got) != "second" || got.Err != nil {
			t.Errorf("the documents were sent %d times, state %+v", sent, got)
		}
	})
}
