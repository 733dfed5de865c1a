package specsync

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
)

const (
	// hashLength is the length of an ID's hash as text: the first eight characters of base64(SHA-256(id)).
	hashLength = 8
	// hashBits is what these characters amount to, six bits each.
	hashBits = 6 * hashLength
	// bucketSize is the average number of hashes in a bucket beyond which a set doubles its buckets: large enough to
	// make the bucket headers cheap, small enough to be copied and shifted in passing.
	bucketSize = 256
	// maxBucketBits bounds the buckets of a set at about a million.
	maxBucketBits = 20

	lineBuffer = 64 << 10
)

// idSet is an immutable set of hashes: sorted buckets, chosen by the hashes' leading bits. Sets that follow from each
// other share the buckets that did not change.
type idSet struct {
	bits    uint
	buckets [][]uint64
	n       int
	// sum tells sets apart whatever order they were made in: the sum of all hashes, each mixed.
	sum uint64
}

func newIDSet() *idSet { return &idSet{buckets: make([][]uint64, 1)} }

// idSetOf makes a set of hashes in ascending order, each once.
func idSetOf(hashes []uint64) *idSet {
	s := &idSet{n: len(hashes)}
	for len(hashes) > bucketSize<<s.bits && s.bits < maxBucketBits {
		s.bits++
	}
	s.buckets = make([][]uint64, 1<<s.bits)
	for i := range s.buckets {
		end := len(hashes)
		if i+1 < len(s.buckets) {
			end, _ = slices.BinarySearch(hashes, uint64(i+1)<<(hashBits-s.bits))
		}
		for _, hash := range hashes[:end] {
			s.sum += mixed(hash)
		}
		s.buckets[i], hashes = withRoom(hashes[:end]), hashes[end:]
	}
	return s
}

// mixed spreads a hash over 64 bits, so that sums of different hashes differ.
func mixed(hash uint64) uint64 {
	hash = (hash ^ hash>>30) * 0xbf58476d1ce4e5b9
	hash = (hash ^ hash>>27) * 0x94d049bb133111eb
	return hash ^ hash>>31
}

func (s *idSet) bucket(hash uint64) int {
	return int(hash >> (hashBits - s.bits)) //nolint:gosec // no more than maxBucketBits remain
}

func (s *idSet) contains(hash uint64) bool {
	_, found := slices.BinarySearch(s.buckets[s.bucket(hash)], hash)
	return found
}

func (s *idSet) equal(other *idSet) bool {
	if s.n != other.n {
		return false
	}
	for _, bucket := range s.buckets {
		for _, hash := range bucket {
			if !other.contains(hash) {
				return false
			}
		}
	}
	return true
}

// idSetBuilder makes a new set from an old one, which it leaves as it is.
type idSetBuilder struct {
	set idSet
	// owned tells the buckets that may be changed in place from those that the old set still uses.
	owned   []bool
	changed bool
}

func (s *idSet) edit() *idSetBuilder {
	b := &idSetBuilder{set: *s, owned: make([]bool, len(s.buckets))}
	b.set.buckets = slices.Clone(s.buckets)
	return b
}

// done returns the new set; the builder must not be used afterwards.
func (b *idSetBuilder) done() *idSet { return &b.set }

func (b *idSetBuilder) add(hash uint64) {
	i := b.set.bucket(hash)
	at, found := slices.BinarySearch(b.set.buckets[i], hash)
	if found {
		return
	}
	// Growing by an eighth, where append would double, keeps the unused room small.
	if bucket := b.set.buckets[i]; !b.owned[i] || len(bucket) == cap(bucket) {
		b.own(i)
	}
	b.set.buckets[i] = slices.Insert(b.set.buckets[i], at, hash)
	b.set.n++
	b.set.sum += mixed(hash)
	b.changed = true
	if b.set.n > bucketSize<<b.set.bits && b.set.bits < maxBucketBits {
		b.split()
	}
}

func (b *idSetBuilder) remove(hash uint64) {
	i := b.set.bucket(hash)
	at, found := slices.BinarySearch(b.set.buckets[i], hash)
	if !found {
		return
	}
	if !b.owned[i] {
		b.own(i)
	}
	b.set.buckets[i] = slices.Delete(b.set.buckets[i], at, at+1)
	b.set.n--
	b.set.sum -= mixed(hash)
	b.changed = true
}

// own replaces a bucket by a private copy with room for more.
func (b *idSetBuilder) own(i int) {
	b.set.buckets[i] = withRoom(b.set.buckets[i])
	b.owned[i] = true
}

// split doubles the buckets.
func (b *idSetBuilder) split() {
	old := b.set.buckets
	b.set.bits++
	b.set.buckets = make([][]uint64, 2*len(old))
	b.owned = make([]bool, 2*len(old))
	for i, bucket := range old {
		middle := uint64(2*i+1) << (hashBits - b.set.bits)
		at, _ := slices.BinarySearch(bucket, middle)
		b.set.buckets[2*i], b.set.buckets[2*i+1] = withRoom(bucket[:at]), withRoom(bucket[at:])
		b.owned[2*i], b.owned[2*i+1] = true, true
		old[i] = nil // lets the collector keep up with a large set
	}
}

// withRoom copies hashes and leaves room for some more.
func withRoom(hashes []uint64) []uint64 {
	return append(make([]uint64, 0, len(hashes)+len(hashes)/8+4), hashes...)
}

// sixBits are the values of the base64 characters, 0xff for others.
var sixBits = func() (values [256]byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range values {
		values[i] = 0xff
	}
	for i := range len(alphabet) {
		values[alphabet[i]] = byte(i)
	}
	return values
}()

// packHash turns a hash's text into a number. Another length or another character can be no ID's hash: ok is false.
func packHash[T string | []byte](text T) (hash uint64, ok bool) {
	if len(text) != hashLength {
		return 0, false
	}
	for i := range hashLength {
		value := sixBits[text[i]]
		if value == 0xff {
			return 0, false
		}
		hash = hash<<6 | uint64(value)
	}
	return hash, true
}

// lineCount is what applyLines saw.
type lineCount struct {
	// consumed are the bytes up to the last line break.
	consumed int64
	// marked counts the lines that begin with + or -, odd those that hold something else.
	marked, odd int
}

// applyLines applies an ID list file, `+hash` and `-hash` lines, to b. As in Statsig's SDKs the first character of
// the untrimmed line decides, lines that are blank but for one character and lines that begin otherwise are passed
// over, and a hash with anything more or less than its eight characters matches no ID. A last line without a line
// break is applied but not consumed, for it may have been cut. The number of hashes in b is kept to limit, else the
// error is ErrTooLarge.
func applyLines(b *idSetBuilder, body io.Reader, limit int) (lineCount, error) {
	var count lineCount
	in := bufio.NewReaderSize(body, lineBuffer)
	var skipped int64 // length so far of a line that exceeds the buffer
	for {
		line, err := in.ReadSlice('\n')
		last := errors.Is(err, io.EOF)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			skipped += int64(len(line))
			continue
		case err != nil && !last:
			return count, err
		case skipped > 0:
			count.odd++
		default:
			count.apply(b, line)
		}
		if b.set.n > limit {
			return count, ErrTooLarge
		}
		if last {
			return count, nil
		}
		count.consumed += skipped + int64(len(line))
		skipped = 0
	}
}

func (c *lineCount) apply(b *idSetBuilder, line []byte) {
	if len(line) > 0 && line[len(line)-1] == '\n' {
		line = bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'})
	}
	if len(bytes.TrimSpace(line)) <= 1 {
		return
	}
	if line[0] != '+' && line[0] != '-' {
		c.odd++
		return
	}
	c.marked++
	hash, ok := packHash(line[1:])
	switch {
	case !ok:
	case line[0] == '+':
		b.add(hash)
	default:
		b.remove(hash)
	}
}
