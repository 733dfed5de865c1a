package statsigpb

import (
	"bufio"
	"bytes"
)

// DecodePlain is Decode for a stream that is not compressed, which is what a fuzzer can work on.
func DecodePlain(plain, previous []byte, limit int64) (*Document, error) {
	r := bytes.NewReader(plain)
	return decode(&stream{source: &source{r: r}, plain: bufio.NewReader(r), left: limit}, previous, limit)
}
