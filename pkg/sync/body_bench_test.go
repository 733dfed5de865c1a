package specsync

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkReadBody reads what most polls bring, and a document.
func BenchmarkReadBody(b *testing.B) {
	for name, text := range map[string]string{"no updates": noUpdates, "document": strings.Join(manyGates(5_000), ",")} {
		for _, encoding := range append([]string{"identity"}, encodings...) {
			packed := []byte(text)
			if encoding != "identity" {
				packed = []byte(compressed(b, encoding, text))
			}
			b.Run(name+"/"+encoding, func(b *testing.B) {
				resp := &http.Response{Header: http.Header{"Content-Encoding": {encoding}}}
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					resp.Body = io.NopCloser(bytes.NewReader(packed))
					if _, err := readBody(resp, MaxDocumentBytes); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
