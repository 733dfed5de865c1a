package statsigpb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// ErrTooLarge says that a stream, or the document made of it, exceeds its limit.
var ErrTooLarge = errors.New("the protobuf document is larger than allowed")

// readSize is how much is decompressed at a time.
const readSize = 32 << 10

// stream reads messages that each follow their length, out of brotli.
type stream struct {
	source *source
	plain  *bufio.Reader
	// left is how many decompressed bytes may still come.
	left int64
	// buf holds the message read last.
	buf bytes.Buffer
}

// source remembers the error of the reader below brotli, which would report it as its own.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func newStream(r io.Reader, limit int64) *stream {
	from := &source{r: r}
	return &stream{source: from, plain: bufio.NewReaderSize(brotli.NewReader(from), readSize), left: limit}
}

// next returns the next message, which is good until the following call.
func (s *stream) next() ([]byte, error) {
	length, err := binary.ReadUvarint(s.plain)
	if err != nil {
		return nil, s.failure(err)
	}
	if s.left <= 0 || length >= uint64(s.left) {
		return nil, ErrTooLarge
	}
	n := int64(length) //nolint:gosec // less than left
	s.left -= n + 1
	// The buffer grows with what comes, not with what a length promises.
	s.buf.Reset()
	if _, err := io.CopyN(&s.buf, s.plain, n); err != nil {
		return nil, s.failure(err)
	}
	return s.buf.Bytes(), nil
}

// failure tells a broken connection from broken content.
func (s *stream) failure(err error) error {
	switch {
	case s.source.err != nil:
		return s.source.err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the stream ends before its end mark", eval.ErrMalformed)
	default:
		return fmt.Errorf("%w: the stream cannot be decompressed: %s", eval.ErrMalformed, err.Error())
	}
}
