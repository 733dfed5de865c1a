package specsync

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// Chunks are a Stored cut up for places that bound the size of one object, such as a Secret. The chunks of one
// generation make sense only together; what describes them, everything but Chunks, is to be written last and at once:
// until then the generation before is the one that counts.
type Chunks struct {
	// Generation names the chunks: equal contents have equal generations.
	Generation string
	// Meta describes the content; it may be renewed without the chunks.
	Meta []byte
	// Sum is a checksum over Meta and all chunks.
	Sum string
	// Chunks are never empty.
	Chunks [][]byte
}

// generationDigits is the length of Chunks.Generation.
const generationDigits = 16

// Split compresses s and cuts it into chunks of at most chunkBytes each. More than maxChunks are [ErrTooLarge].
func Split(s *Stored, chunkBytes, maxChunks int) (*Chunks, error) {
	payload, err := encodePayload(s)
	if err != nil {
		return nil, err
	}
	if len(payload) > chunkBytes*maxChunks {
		return nil, fmt.Errorf("%w: %d bytes, compressed, where there is room for %d", ErrTooLarge, len(payload), chunkBytes*maxChunks)
	}
	sum := sha256.Sum256(payload)
	c := &Chunks{
		Generation: hex.EncodeToString(sum[:])[:generationDigits], Meta: encodeMeta(s),
		Chunks: slices.Collect(slices.Chunk(payload, chunkBytes)),
	}
	c.Sum = c.sum()
	return c, nil
}

// Join is the reverse of [Split]. Chunks that are damaged, missing or of another generation are ErrMalformed.
func Join(c *Chunks) (*Stored, error) {
	if c.sum() != c.Sum {
		return nil, malformedError("what is stored is damaged: its checksum is wrong")
	}
	s, err := decodeMeta(c.Meta)
	if err != nil {
		return nil, err
	}
	if err := decodePayload(slices.Concat(c.Chunks...), s); err != nil {
		return nil, err
	}
	return s, nil
}

func (c *Chunks) sum() string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d:", len(c.Meta)) // a hash takes everything
	_, _ = h.Write(c.Meta)
	for _, chunk := range c.Chunks {
		_, _ = h.Write(chunk)
	}
	return hex.EncodeToString(h.Sum(nil))
}
