package specsync

import (
	"crypto/sha256"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// verdict is what became of one source's answer: a new snapshot, or the held one confirmed (both nil), or an error.
type verdict struct {
	snapshot *eval.Snapshot
	err      error
}

// memo is the verdict on the document that a source gave last, so that the same document is not decoded again and
// again. It is worth something only while the held snapshot is the one it was judged against.
type memo struct {
	version string
	digest  [sha256.Size]byte
	held    *eval.Snapshot
	err     error
	valid   bool
}

// remember keeps a verdict for the next answer of the same source.
func remember(version string, digest [sha256.Size]byte, held *eval.Snapshot, v verdict) memo {
	if v.snapshot != nil {
		held = v.snapshot
	}
	return memo{version: version, digest: digest, held: held, err: v.err, valid: true}
}

// current reports whether the verdict still stands.
func (m *memo) current(held *eval.Snapshot) bool { return m.valid && m.held == held }

// judge decides over a document, in the order of Statsig's SDKs. hashedKey is what the document must have been made
// for, "" for anything.
func judge(document []byte, origin string, held *eval.Snapshot, hashedKey string, now time.Time) verdict {
	doc, err := eval.Decode(document)
	if err != nil {
		return verdict{err: err}
	}
	// Statsig's current SDKs don't look at this; the older ones do. A document of another project must never be served.
	if made := doc.HashedSDKKeyUsed(); made != "" && hashedKey != "" && made != hashedKey {
		return verdict{err: ErrWrongProject}
	}
	if held != nil {
		switch {
		case held.Time() > 0 && held.Time() > doc.Time() && doc.HasUpdates():
			return verdict{err: ErrOutdated}
		// The same checksum wins over a newer time and over other content; another checksum is applied even at the
		// same time.
		case held.Checksum() != "" && held.Checksum() == doc.Checksum():
			return verdict{}
		}
	}
	if !doc.HasUpdates() {
		if held == nil {
			return verdict{err: ErrNoSpecs}
		}
		return verdict{}
	}
	snapshot, err := eval.Compile(doc, eval.Origin{Source: origin, ReceivedAt: now})
	return verdict{snapshot: snapshot, err: err}
}
