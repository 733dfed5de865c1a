package events

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how request bodies are coded.
type Compression string

// The codings that Statsig takes. A body coded by zstd is about 40 % smaller, at the same price; gzip passes through every
// proxy that looks into bodies.
const (
	CompressionGzip Compression = "gzip"
	CompressionZstd Compression = "zstd"
)

func checkCompression(c Compression) error {
	switch c {
	case CompressionGzip, CompressionZstd:
		return nil
	default:
		return fmt.Errorf("compression is %q, neither %q nor %q", c, CompressionGzip, CompressionZstd)
	}
}

// bodyWriter compresses one body after the other.
type bodyWriter interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// newBodyWriter returns a writer for a coding that was checked.
func newBodyWriter(c Compression) bodyWriter {
	if c == CompressionZstd {
		// A batch repeats itself at short distances, so a small window finds nearly as much as a large one.
		const window = 1 << 20
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window),
			zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedFastest)) // the options are valid constants
		return w
	}
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid constant
	return w
}
