package events

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

func TestBodiesAreCodedAsTheirHeaderSays(t *testing.T) {
	decoders := map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	}
	tests := map[string]struct {
		option Compression
		want   string
	}{
		"gzip by default": {want: "gzip"},
		"gzip":            {option: CompressionGzip, want: "gzip"},
		"zstd":            {option: CompressionZstd, want: "zstd"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var bodies []any
			o := mustOptions(t, Options{Compression: tc.option, Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
				if got := r.Header.Values("Content-Encoding"); len(got) != 1 || got[0] != tc.want {
					t.Errorf("content encoding %v, want %s", got, tc.want)
				}
				plain, err := decoders[tc.want](r.Body)
				if err != nil {
					return nil, err
				}
				text, err := io.ReadAll(plain)
				if err != nil {
					return nil, err
				}
				bodies = append(bodies, decodeJSON(t, text).(map[string]any)["events"])
				return response(r, http.StatusAccepted, "", `{"success":true}`), nil
			})})
			l := newLogger(o, newHTTPSender(o))
			for _, name := range []string{"first", strings.Repeat("long", 1<<20), "last"} {
				// One batch after the other through the same writer: none must leave anything to the next.
				b := &batch{flush: flushManual}
				b.append([]byte(`{"eventName":"`+name+`"}`), noKey)
				if err := l.sender.send(t.Context(), request{body: l.encoder.encode(b), events: b.len()}); err != nil {
					t.Fatalf("send: %v", err)
				}
			}
			want := []any{
				[]any{map[string]any{"eventName": "first"}},
				[]any{map[string]any{"eventName": strings.Repeat("long", 1<<20)}},
				[]any{map[string]any{"eventName": "last"}},
			}
			if diff := cmp.Diff(want, bodies); diff != "" {
				t.Errorf("bodies differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnUnknownCompressionIsRefused(t *testing.T) {
	o := Options{Disabled: true, Now: time.Now, Compression: "br"}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), `"br"`) {
		t.Errorf("New = %v, want an error that names the compression", err)
	}
}

// BenchmarkCompression compares codings on a batch of a thousand exposures of as many units.
func BenchmarkCompression(b *testing.B) {
	units := unitNames()
	var events []byte
	for i := range 1000 {
		e := benchmarkExposure()
		e.User = bytes.Replace(benchmarkUser, []byte("shop/checkout-7d9f8b6c5d-x2x7k"), []byte(units[i]), 1)
		events = append(appendExposure(events, &e, testEpoch), ',')
	}
	for _, coding := range []Compression{CompressionGzip, CompressionZstd} {
		b.Run(string(coding), func(b *testing.B) {
			w := newBodyWriter(coding)
			var body bytes.Buffer
			b.SetBytes(int64(len(events)))
			b.ReportAllocs()
			for b.Loop() {
				body.Reset()
				w.Reset(&body)
				if _, err := w.Write(events); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(body.Len()), "bytes/batch")
		})
	}
}
