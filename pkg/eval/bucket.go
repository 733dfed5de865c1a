package eval

import (
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"hash"
)

const (
	// passBuckets is how finely a pass percentage divides users: a hundredth of a percent.
	passBuckets = 10_000
	// userBuckets is the number of values a user_bucket condition can see.
	userBuckets = 1_000
	// hashBuffer holds salts and unit ID; only longer ones cost an allocation.
	hashBuffer = 256
)

// hashUnit is Statsig's evaluation hash: the first eight bytes of SHA-256 over a salt and a unit ID.
func hashUnit(salt, unitID string) uint64 {
	var buffer [hashBuffer]byte
	text := append(append(buffer[:0], salt...), '.')
	return hashText(append(text, unitID...))
}

// hashUnits is the evaluation hash over two salts and a unit ID.
func hashUnits(outerSalt, salt, unitID string) uint64 {
	var buffer [hashBuffer]byte
	text := append(append(buffer[:0], outerSalt...), '.')
	text = append(append(text, salt...), '.')
	return hashText(append(text, unitID...))
}

func hashText(text []byte) uint64 {
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:8])
}

// salts are what a rule's unit IDs are hashed behind. Salts that fill a block of SHA-256 are hashed once, when the
// document is compiled, and each evaluation goes on from the state that leaves: salts are UUIDs, two of which do fill a
// block, and so a check costs one block instead of two.
type salts struct {
	outer, inner string
	state        []byte // nil for short salts
}

// saltHasher prepares salts.
type saltHasher struct {
	hash hash.Hash
	text []byte
}

func newSaltHasher() saltHasher { return saltHasher{hash: sha256.New()} }

func (h *saltHasher) salts(outer, inner string) *salts {
	s := &salts{outer: outer, inner: inner}
	if len(outer)+len(inner)+len("..") < sha256.BlockSize {
		return s
	}
	h.hash.Reset()
	h.text = append(append(h.text[:0], outer...), '.')
	h.text = append(append(h.text, inner...), '.')
	_, _ = h.hash.Write(h.text) // a hash never fails to write
	if m, ok := h.hash.(encoding.BinaryMarshaler); ok {
		// Without the state, which every SHA-256 of the standard library can give, the salts are hashed each time.
		s.state, _ = m.MarshalBinary()
	}
	return s
}

// resumedHash is a SHA-256 that goes on from a state, with the buffers that spare allocations.
type resumedHash struct {
	hash.Hash
	text, sum []byte
}

func newResumedHash() any {
	return &resumedHash{Hash: sha256.New(), text: make([]byte, 0, hashBuffer), sum: make([]byte, 0, sha256.Size)}
}

// from hashes a text behind what led to state.
func (h *resumedHash) from(state []byte, text string) (sum uint64, ok bool) {
	u, ok := h.Hash.(encoding.BinaryUnmarshaler)
	if !ok || u.UnmarshalBinary(state) != nil {
		return 0, false
	}
	h.text = append(h.text[:0], text...)
	_, _ = h.Write(h.text) // a hash never fails to write
	return binary.BigEndian.Uint64(h.Sum(h.sum[:0])), true
}

// hash is the evaluation hash of a unit ID behind salts.
func (s *Snapshot) hash(l *salts, unitID string) uint64 {
	if l.state != nil {
		h := s.hashes.Get().(*resumedHash)
		sum, ok := h.from(l.state, unitID)
		s.hashes.Put(h)
		if ok {
			return sum
		}
	}
	return hashUnits(l.outer, l.inner, unitID)
}

// IDListHash is the form in which ID lists hold a unit ID: the first eight characters of its SHA-256 in base64.
func IDListHash(unitID string) string {
	sum := sha256.Sum256([]byte(unitID))
	return base64.StdEncoding.EncodeToString(sum[:])[:8]
}

// idListHash is the value as ID lists hold it, worked out once.
func (v *value) idListHash() string {
	n := v.nested.Load()
	if n != nil && n.listHash != "" {
		return n.listHash
	}
	next := &nestedValue{listHash: IDListHash(v.text)}
	if n != nil {
		next.elements, next.members = n.elements, n.members
	}
	v.nested.Store(next)
	return next.listHash
}

// bucketValues are the values of user_bucket conditions, prepared once for all.
var bucketValues = newBucketValues()

func newBucketValues() *[userBuckets]value {
	var values [userBuckets]value
	for i := range values {
		values[i].setInt(int64(i))
	}
	return &values
}
