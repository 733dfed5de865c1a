package specsync

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/sync/statsigpb"
)

// asProtobuf answers with a protobuf stream.
func asProtobuf(stream []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", statsigpb.ContentType)
		w.Header().Set("Content-Encoding", statsigpb.ContentEncoding)
		_, _ = w.Write(stream)
	}
}

func protobufOf(t *testing.T, document string) []byte {
	t.Helper()
	stream, err := statsigpb.Encode([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func protobufOptions(t *testing.T, server *stub) Options {
	t.Helper()
	o := server.options(t)
	source, err := NewForwardProxySource(o.Client, "http://specs.test")
	if err != nil {
		t.Fatal(err)
	}
	o.Sources = []Source{source.WithProtobuf()}
	return o
}

// TestADayWithProtobuf goes from a whole document to a delta and to a server that has only JSON.
func TestADayWithProtobuf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := specs(100, "1", "first"), specs(200, "2", "second")
		delta, err := statsigpb.EncodeDelta([]byte(first), []byte(second))
		if err != nil {
			t.Fatal(err)
		}
		server := &stub{handler: asProtobuf(protobufOf(t, first))}
		s := newSyncer(t, protobufOptions(t, server))
		run(t, s)
		if got := s.State(); gateOf(t, got) != "first" || got.Err != nil {
			t.Fatalf("want the whole document, got %+v", got)
		}
		request := server.seen()[0].header
		if got := request.Get("Accept-Encoding"); got != "statsig-br, gzip, deflate, br, zstd" || request.Get("Statsig-Supports-Proto") != "true" {
			t.Errorf("the form is not announced: %v", request)
		}

		server.serve(asProtobuf(delta))
		time.Sleep(DefaultInterval)
		synctest.Wait()
		if got := s.State(); gateOf(t, got) != "second" || got.Err != nil {
			t.Errorf("want the delta applied, got %+v", got)
		}

		server.serve(body(specs(300, "3", "third")))
		time.Sleep(DefaultInterval)
		synctest.Wait()
		if got := s.State(); gateOf(t, got) != "third" || got.Err != nil {
			t.Errorf("want the JSON document, got %+v", got)
		}

		server.serve(body(noUpdates))
		time.Sleep(DefaultInterval)
		synctest.Wait()
		if got := s.State(); gateOf(t, got) != "third" || got.Err != nil {
			t.Errorf("want no change, got %+v", got)
		}
		const path = "GET /v2/download_config_specs/secret-Test%2FKey+%250123456789.json?"
		want := []string{
			path + "supports_proto=true",
			path + "accept_deltas=true&checksum=1&sinceTime=100&supports_proto=true",
			path + "accept_deltas=true&checksum=2&sinceTime=200&supports_proto=true",
			path + "checksum=3&sinceTime=300&supports_proto=true",
		}
		if diff := cmp.Diff(want, server.take()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}

func TestProtobufThatCannotBeUsed(t *testing.T) {
	whole := protobufOf(t, specs(100, "1", "first"))
	cases := map[string]struct {
		handler http.HandlerFunc
		wantErr error
	}{
		"a stream that is none":      {asProtobuf([]byte(testKey)), ErrMalformed},
		"a stream that is cut short": {asProtobuf(whole[:len(whole)-5]), ErrMalformed},
		"JSON under the encoding of protobuf": {
			encoded(statsigpb.ContentEncoding, compressed(t, "br", specs(100, "1", "first"))), ErrMalformed,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSyncer(t, protobufOptions(t, &stub{handler: tc.handler}))
			s.poll(t.Context())
			got := s.State()
			wantError(t, got.Err, tc.wantErr)
			wantClean(t, got.Err)
			if !strings.Contains(got.Err.Error(), "asking http://specs.test: ") {
				t.Errorf("want the server named, got %v", got.Err)
			}
		})
	}
}

func TestAProtobufBodyThatBreaksOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", statsigpb.ContentType)
		w.Header().Set("Content-Encoding", statsigpb.ContentEncoding)
		cutOff(string(protobufOf(t, specs(100, "1", "first"))[:20]))(w, r)
	}))
	defer server.Close()
	c, err := NewClient(ClientOptions{Key: secret.NewKey(testKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.closeIdle()
	source, err := NewHTTPSource(c, "HTTP", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.WithProtobuf().Fetch(t.Context(), Have{})
	wantClean(t, err)
	if !strings.HasSuffix(err.Error(), ": the answer was cut off") {
		t.Errorf("want an error of the connection, got %v", err)
	}
	if source.WithProtobuf().Identity() == source.Identity() {
		t.Error("both forms have the same identity")
	}
}
