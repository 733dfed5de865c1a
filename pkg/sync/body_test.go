package specsync

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// encodings are the content codings that readBody undoes.
var encodings = []string{"gzip", "deflate", "br", "zstd"}

func compressed(tb testing.TB, encoding, text string) string {
	tb.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	var err error
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "deflate":
		w = zlib.NewWriter(&buf)
	case "br":
		w = brotli.NewWriterLevel(&buf, brotli.BestSpeed)
	case "zstd":
		w, err = zstd.NewWriter(&buf)
	}
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = io.WriteString(w, text)
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

func encoded(encoding, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", encoding)
		_, _ = io.WriteString(w, text)
	}
}

// cutOff promises more than it sends.
func cutOff(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, text)
	}
}

// fetchBody asks for a body with this limit.
func fetchBody(t *testing.T, answer http.HandlerFunc, limit int64) ([]byte, error) {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	c, err := NewClient(ClientOptions{Key: secret.NewKey(testKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.closeIdle()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c.fetch(t.Context(), request{
		method: http.MethodGet, url: target, header: map[string]string{"Accept-Encoding": acceptEncoding},
	}, limit)
}

func TestFetchBodies(t *testing.T) {
	const limit = 4096
	long := strings.Repeat("x", limit)
	cases := map[string]struct {
		answer  http.HandlerFunc
		want    string
		wantErr error
	}{
		"plain": {answer: body("text"), want: "text"},
		"a body of exactly the limit passes": {
			answer: body(long), want: long,
		},
		"a plain body beyond the limit is refused":      {answer: body(long + "x"), wantErr: ErrTooLarge},
		"an encoding that was not offered is malformed": {answer: encoded("compress", "text"), wantErr: ErrMalformed},
		"two encodings at once are malformed":           {answer: encoded("gzip, br", "text"), wantErr: ErrMalformed},
		"a body that breaks off is an error of the connection": {
			answer: cutOff("text"), wantErr: io.ErrUnexpectedEOF,
		},
		"a compressed body that breaks off is an error of the connection": {
			answer: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "br")
				cutOff(compressed(t, "br", long)[:8])(w, r)
			},
			wantErr: io.ErrUnexpectedEOF,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := fetchBody(t, tc.answer, limit)
			wantError(t, err, tc.wantErr)
			if string(got) != tc.want {
				t.Errorf("want %d bytes, got %d", len(tc.want), len(got))
			}
		})
	}
}

func TestFetchCompressedBodies(t *testing.T) {
	const limit = 4096
	long := strings.Repeat("x", limit)
	for _, encoding := range encodings {
		whole := compressed(t, encoding, long)
		type bodyCase struct {
			body    string
			want    string
			wantErr error
		}
		cases := map[string]bodyCase{
			"a body":                         {body: compressed(t, encoding, "text"), want: "text"},
			"an empty text":                  {body: compressed(t, encoding, "")},
			"exactly the limit passes":       {body: whole, want: long},
			"one that swells is refused":     {body: compressed(t, encoding, long+"x"), wantErr: ErrTooLarge},
			"a bomb is refused":              {body: compressed(t, encoding, strings.Repeat("x", 1<<20)), wantErr: ErrTooLarge},
			"another text is malformed":      {body: "{\"has_updates\":false}", wantErr: ErrMalformed},
			"one that ends early":            {body: whole[:len(whole)-3], wantErr: ErrMalformed},
			"its encoding may be in capital": {body: compressed(t, encoding, "text"), want: "text"},
		}
		if encoding != "zstd" { // no frame at all is a proper zstd stream of nothing
			cases["one with nothing is malformed"] = bodyCase{wantErr: ErrMalformed}
		}
		for name, tc := range cases {
			t.Run(encoding+": "+name, func(t *testing.T) {
				header := encoding
				if strings.Contains(name, "capital") {
					header = strings.ToUpper(encoding)
				}
				got, err := fetchBody(t, encoded(header, tc.body), limit)
				wantError(t, err, tc.wantErr)
				if string(got) != tc.want {
					t.Errorf("want %d bytes, got %d", len(tc.want), len(got))
				}
			})
		}
	}
}

// TestABombCostsLittleMemory has bodies of a few kilobytes that would swell to 32 times the limit.
func TestABombCostsLittleMemory(t *testing.T) {
	const limit, allowed = 1 << 20, 24 << 20
	for _, encoding := range encodings {
		t.Run(encoding, func(t *testing.T) {
			bomb := compressed(t, encoding, strings.Repeat("\x00", 32*limit))
			resp := &http.Response{Header: http.Header{"Content-Encoding": {encoding}}, Body: io.NopCloser(strings.NewReader(bomb))}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := readBody(resp, limit)
			runtime.ReadMemStats(&after)
			wantError(t, err, ErrTooLarge)
			if got := after.TotalAlloc - before.TotalAlloc; got > allowed {
				t.Errorf("want at most %d bytes allocated, got %d", allowed, got)
			}
		})
	}
}

// TestLargeWindowsAreRefused has a zstd frame that asks for a window of 2 GiB.
func TestLargeWindowsAreRefused(t *testing.T) {
	// The magic number, a descriptor without flags, the window, and the header of an empty last block.
	frame := "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"
	_, err := fetchBody(t, encoded("zstd", frame), MaxDocumentBytes)
	wantError(t, err, ErrTooLarge)
}

// TestCompressedBodiesLeaveTheConnectionUsable is about decompressors that stop before the end of the body.
func TestCompressedBodiesLeaveTheConnectionUsable(t *testing.T) {
	for _, encoding := range append([]string{""}, encodings...) {
		for name, flush := range map[string]bool{"with a length": false, "in chunks": true} {
			t.Run(encoding+" "+name, func(t *testing.T) {
				text := "text"
				if encoding != "" {
					text = compressed(t, encoding, text)
				}
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if encoding != "" {
						w.Header().Set("Content-Encoding", encoding)
					}
					_, _ = io.WriteString(w, text)
					if flush {
						_ = http.NewResponseController(w).Flush()
					}
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
				reused := 0
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
					if info.Reused {
						reused++
					}
				}})
				for range 3 {
					if answer, err := source.Fetch(ctx, Have{}); err != nil || string(answer.Document) != "text" {
						t.Fatalf("got %q, %v", answer.Document, err)
					}
				}
				if reused != 2 {
					t.Errorf("want the connection used again twice, it was %d times", reused)
				}
			})
		}
	}
}

func FuzzReadBody(f *testing.F) {
	for _, encoding := range encodings {
		f.Add(encoding, []byte("text"))
	}
	f.Fuzz(func(t *testing.T, encoding string, text []byte) {
		const limit = 1 << 16
		resp := &http.Response{Header: http.Header{"Content-Encoding": {encoding}}, Body: io.NopCloser(bytes.NewReader(text))}
		if got, err := readBody(resp, limit); len(got) > limit || err != nil && got != nil {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	})
}
