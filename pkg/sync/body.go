package specsync

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const (
	// acceptEncoding lists what readBody undoes: what Statsig's SDKs announce, in their order, and zstd, the fastest to
	// undo.
	acceptEncoding = "gzip, deflate, br, zstd"
	// maxZstdWindow is what RFC 9659 allows servers. The other codings have windows of 16 MiB and less by their nature.
	maxZstdWindow = 8 << 20
)

// readBody reads and decompresses a body. The limit holds for the decompressed bytes, so a small body cannot fill the
// memory. What cannot be decompressed is malformed; an error of the connection comes back as it is.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	wire := &trackingReader{r: resp.Body}
	encoding := strings.ToLower(resp.Header.Get("Content-Encoding"))
	plain, err := decompress(encoding, wire, limit)
	if err != nil {
		return nil, bodyError(wire, err)
	}
	defer func() { _ = plain.Close() }()
	var buf bytes.Buffer
	if size := resp.ContentLength; size > 0 && encoding == "" {
		buf.Grow(int(min(size, limit)) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(plain, limit+1))
	switch {
	case n > limit || errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, ErrTooLarge
	case err != nil:
		return nil, bodyError(wire, err)
	}
	readEnd(wire)
	return buf.Bytes(), nil
}

// readEnd reads the end of a body, before which decompressors may stop: only a body read to its end leaves the
// connection to the next request.
func readEnd(body io.Reader) {
	var end [1]byte
	_, _ = body.Read(end[:])
}

func decompress(encoding string, r io.Reader, limit int64) (io.ReadCloser, error) {
	switch encoding {
	case "", "identity":
		return io.NopCloser(r), nil
	case "gzip", "x-gzip":
		return gzip.NewReader(r)
	case "deflate":
		return zlib.NewReader(r)
	case "br":
		return io.NopCloser(brotli.NewReader(r)), nil
	case "zstd":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow),
			// Frames may ask for a window that is larger than what they hold.
			zstd.WithDecoderMaxMemory(uint64(max(limit, maxZstdWindow))))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	default:
		return nil, errors.New("another content encoding than asked for")
	}
}

func bodyError(wire *trackingReader, err error) error {
	if wire.err != nil {
		return wire.err
	}
	return malformedError("the answer cannot be decompressed: " + err.Error())
}

// trackingReader counts the bytes that a connection brings and remembers its error, which a decompressor would report
// as its own.
type trackingReader struct {
	r   io.Reader
	n   int64
	err error
}

func (t *trackingReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}
