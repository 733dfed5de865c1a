package specsync

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// verdict is what became of one source's answer: a new snapshot, or the held one confirmed (both nil), or an error.
type verdict struct {
	snapshot *eval.Snapshot
	err      error
	// document is the text that snapshot was made of.
	document string
	// withdrawn says that the source offers what is served, and no longer what the guard keeps from being served.
	withdrawn bool
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
	return memo{version: version, digest: digest, held: held, err: v.err, valid: !v.withdrawn}
}

// current reports whether the verdict still stands.
func (m *memo) current(held *eval.Snapshot) bool { return m.valid && m.held == held }

// judge decides over a document, in the order of Statsig's SDKs. hashedKey is what the document must have been made
// for, "" for anything.
func judge(document, origin string, held *eval.Snapshot, hashedKey string, now time.Time) verdict {
	doc, err := eval.DecodeString(document)
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
	return verdict{snapshot: snapshot, err: err, document: document}
}

// judge decides over an answer's document. One that is older than what the guard holds, but the very one that is served,
// takes that back: a ConfigMap that was put back to what it was, say.
func (s *Syncer) judge(document, origin string, served *eval.Snapshot) verdict {
	newest := s.newest(served)
	v := judge(document, origin, newest, s.hashedKey, now())
	if newest == served || !errors.Is(v.err, ErrOutdated) {
		return v
	}
	again := judge(document, origin, served, s.hashedKey, now())
	if again.err == nil && (again.snapshot == nil || again.snapshot.Hash() == served.Hash()) {
		return verdict{withdrawn: true}
	}
	return v
}
