package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unique"
)

// Redacted is what stands where a key would have been.
const Redacted = "[redacted]"

// Key is a Statsig SDK key, or any other credential. Formatting, logging or marshalling it gives [Redacted]; only
// [Key.Reveal] gives the text, so a search for that name finds every place where a key can leave the process. The zero
// Key is empty. Keys are comparable: equal texts make equal keys.
type Key struct {
	// handle is a pointer in disguise. Package fmt asks no method of a value in an unexported field, nor of one under a
	// verb that it rejects, and prints its fields instead; what is behind a pointer it leaves alone.
	handle unique.Handle[string]
}

// NewKey wraps text.
func NewKey(text string) Key {
	if text == "" {
		return Key{}
	}
	return Key{handle: unique.Make(text)}
}

// Reveal returns the key itself, for the request that needs it.
func (k Key) Reveal() string {
	if k.IsZero() {
		return ""
	}
	return k.handle.Value()
}

// IsZero reports whether the key is empty.
func (k Key) IsZero() bool { return k == Key{} }

// Equal reports whether both keys are the same text.
func (k Key) Equal(other Key) bool { return k == other }

// Fingerprint returns the first 12 hex digits of the key's SHA-256: enough to tell keys apart, useless to guess one.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256([]byte(k.Reveal()))
	return hex.EncodeToString(sum[:6])
}

// String returns [Redacted].
func (k Key) String() string { return Redacted }

// GoString returns [Redacted], so that %#v gives nothing away.
func (k Key) GoString() string { return Redacted }

// Format writes [Redacted] for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// MarshalText returns [Redacted], which covers JSON and YAML.
func (k Key) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
