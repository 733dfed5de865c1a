package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"
)

// Document is a decoded, not yet compiled config specs document. It is immutable and safe for concurrent use.
//
// A Document, and every Snapshot compiled from it, holds the document's text. That is deliberate:
// names, salts, rule IDs and values are parts of that one string instead of allocations of their own, values are handed
// out as the service spelled them, and Diff compares the text of two specs without hashing either.
type Document struct{ doc }

// facts is what a document says beside its specs; a Snapshot keeps it.
type facts struct {
	time               int64
	hash               string
	checksum           string
	hashedKey          string
	appID              string // JSON, "" when absent
	appIDs             string // JSON from client key to app ID, "" when absent
	hashedAppIDs       string // the same from the keys' djb2 hashes
	replay             string // JSON of the session replay settings, "" when absent
	sdkConfigs         string // JSON of the SDKs' settings, "" when absent
	defaultEnvironment string
	problems           []Problem
	overrides          map[string][]rawMapping
	overrideTexts      map[string]string
	overrideRuleTexts  map[string]string
}

// doc holds what the members of the document's object say.
type doc struct {
	facts
	hasUpdates     tristate
	gates          []*rawSpec
	configs        []*rawSpec
	layers         []*rawSpec
	conditions     map[string]*rawCondition
	ruleConditions []ruleCondition
	stores         map[string]*rawStore
	bandits        map[string]*rawBandit
	overrideRules  map[string]*rawRule
	// seen holds the members that only a v2 document must have.
	seen map[string]bool
}

// Problem is one spec that was skipped, and why.
type Problem struct {
	Kind    Kind
	Name    string
	Message string
}

// Decode reads a config specs document of the v2 form, or of the v1 form in which conditions stand inside rules. A spec
// that can't be read is left out and listed in Problems, as the reference SDK does; a document that can't be read is
// refused with an error that wraps ErrMalformed. Text behind the document's closing brace is ignored. The text is
// copied, so it may be reused afterwards. Decode never panics.
func Decode(text []byte) (*Document, error) { return DecodeString(string(text)) }

// DecodeString is Decode for a text that need not be copied.
func DecodeString(text string) (*Document, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: text is not UTF-8", ErrMalformed)
	}
	// Hashing takes a sixth of the whole and needs nothing of the rest, so it goes on beside it.
	var hash string
	var hashing sync.WaitGroup
	hashing.Go(func() { hash = hashDocument(text) })
	defer hashing.Wait()
	d := &Document{}
	d.conditions = map[string]*rawCondition{}
	r := &reader{doc: text}
	documentObject.read(r, &d.doc)
	d.ruleConditions = r.ruleConditions
	d.requireV2Members(r)
	switch {
	case r.err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformed, r.err)
	case d.hasUpdates == no:
		// The reference reads nothing else of an answer without updates, so nothing else can be wrong with it.
		d.doc = doc{hasUpdates: no, facts: facts{time: d.time, checksum: d.checksum}}
	case r.mismatch != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformed, r.mismatch)
	}
	hashing.Wait()
	d.hash = hash
	return d, nil
}

// hashDocument hashes a text in pieces, because as a whole it would have to be copied into bytes.
func hashDocument(text string) string {
	h := sha256.New()
	var piece [1 << 12]byte
	for text != "" {
		n := copy(piece[:], text)
		_, _ = h.Write(piece[:n]) // a hash never fails to write
		text = text[n:]
	}
	return hex.EncodeToString(h.Sum(nil)[:documentHashSize])
}

// documentHashSize is the size of Snapshot.Hash in bytes.
const documentHashSize = 16

// requireV2Members rejects a v2 document without the members that a v1 document doesn't have.
func (d *doc) requireV2Members(r *reader) {
	if r.legacy {
		return
	}
	for _, name := range []string{"layer_configs", "condition_map", "experiment_to_layer"} {
		if !d.seen[name] {
			r.reject("missing field %q", name)
		}
	}
}

// HasUpdates is false for the service's answer that nothing changed; such a document holds no specs.
func (d *Document) HasUpdates() bool { return d.hasUpdates == yes }

// Time is the document's last config update time in Unix milliseconds.
func (d *Document) Time() int64 { return d.time }

// Checksum is the service's checksum of the document, "" when it carries none.
func (d *Document) Checksum() string { return d.checksum }

// HashedSDKKeyUsed is the djb2 hash of the SDK key the document was made for, "" when it does not say.
func (d *Document) HashedSDKKeyUsed() string { return d.hashedKey }

// Problems lists the specs that were left out, in document order.
func (d *Document) Problems() []Problem { return append([]Problem(nil), d.problems...) }

// DJB2 is Statsig's djb2 hash over the code points of s, printed as an unsigned decimal.
func DJB2(s string) string { return strconv.FormatUint(uint64(djb2(s)), 10) }

func djb2(s string) uint32 {
	var h uint32
	for _, c := range s {
		h = h*31 + uint32(c) //nolint:gosec // a code point is never negative
	}
	return h
}
