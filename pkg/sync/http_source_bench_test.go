package specsync

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// silentTransport answers from memory, and allocates nothing worth mentioning.
type silentTransport struct{ resp http.Response }

func (s *silentTransport) RoundTrip(*http.Request) (*http.Response, error) {
	resp := s.resp
	resp.Body = io.NopCloser(strings.NewReader(noUpdates))
	return &resp, nil
}

// BenchmarkFetch is a source's part of a poll that brings nothing.
func BenchmarkFetch(b *testing.B) {
	c, err := NewClient(ClientOptions{Key: secret.NewKey(testKey), Transport: &silentTransport{resp: http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(noUpdates))}}})
	if err != nil {
		b.Fatal(err)
	}
	source, err := NewHTTPSource(c, "HTTP", "http://specs.test")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := source.Fetch(b.Context(), Have{Time: 1767920036437, Checksum: "6221227889497997000"}); err != nil {
			b.Fatal(err)
		}
	}
}
