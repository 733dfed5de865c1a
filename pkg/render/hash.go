package render

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
)

// shortHashLength is the number of hex digits of a short hash.
const shortHashLength = 8

// Hash returns the SHA-256 of the contents of targets, in hex. Contents hash equal when they are equal: in number and
// order, in keys and in values, whatever the order of the maps. A nil map equals an empty one.
func Hash(contents ...map[string]string) string {
	canonical := make([]byte, 0, canonicalSize(contents))
	canonical = appendNumber(canonical, len(contents))
	for _, data := range contents {
		canonical = appendNumber(canonical, len(data))
		keys := slices.AppendSeq(make([]string, 0, len(data)), maps.Keys(data))
		slices.Sort(keys)
		for _, key := range keys {
			canonical = appendText(canonical, key)
			canonical = appendText(canonical, data[key])
		}
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// ShortHash returns the first eight digits of a hash, for people to read.
func ShortHash(hash string) string { return hash[:min(len(hash), shortHashLength)] }

// numberSize is the size of a number in the canonical form, in bytes.
const numberSize = 8

func canonicalSize(contents []map[string]string) int {
	size := numberSize
	for _, data := range contents {
		size += numberSize + 2*numberSize*len(data) + sizeOf(data)
	}
	return size
}

// appendText puts the length first, so that no two sequences of texts run into the same bytes.
func appendText(dst []byte, text string) []byte {
	return append(appendNumber(dst, len(text)), text...)
}

func appendNumber(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)) //nolint:gosec // lengths are never negative
}
