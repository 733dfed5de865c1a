package specsync

import (
	"context"
)

// Origins of documents, as they show in evaluation details.
const (
	OriginNetwork   = "Network"
	OriginBootstrap = "Bootstrap"
	OriginFile      = "Adapter(FileBased)"
	OriginDataStore = "Adapter(DataStore)"
)

// MaxDocumentBytes bounds a config specs document, decompressed.
const MaxDocumentBytes = 128 << 20

// Have is what the asker holds; a source may answer "not modified" to it. The zero value asks for the document
// whatever it is.
type Have struct {
	// Time is the LCUT of the snapshot held, in Unix milliseconds; 0 when none is.
	Time int64
	// Checksum is the checksum of the snapshot held, "" when it has none.
	Checksum string
	// Version is the Answer.Version of the last document that this source gave, provided that it has been dealt with.
	Version string
}

// Answer is what a source gives.
type Answer struct {
	// Document is a config specs document, or `{"has_updates":false}`. The source must not change it afterwards.
	Document []byte
	// NotModified says that the answer would be the one given before; Document is nil then.
	NotModified bool
	// Version names this state of the source, so that it need not be read again to know that it is the same: a
	// resource version, an ETag. "" when the source has no such name.
	Version string
	// Origin is the first half of the reason in evaluation details: OriginNetwork, OriginBootstrap, …
	Origin string
}

// Source is a place that config specs come from. Fetch is called from one goroutine at a time, with a context that
// carries the request's deadline, and its errors must not hold a secret.
type Source interface {
	// Name is what users see, as in status and metric labels: CDN, ConfigMap.
	Name() string
	// Identity tells sources apart: two with the same identity give the same answers, and a Pool shares them. Never
	// shown.
	Identity() string
	// Fetch asks for the current document.
	Fetch(ctx context.Context, have Have) (Answer, error)
}

// NewSource makes a Source of a function.
func NewSource(name, identity string, fetch func(context.Context, Have) (Answer, error)) Source {
	return funcSource{name: name, identity: identity, fetch: fetch}
}

type funcSource struct {
	name, identity string
	fetch          func(context.Context, Have) (Answer, error)
}

func (s funcSource) Name() string     { return s.name }
func (s funcSource) Identity() string { return "func:" + s.name + ":" + s.identity }

func (s funcSource) Fetch(ctx context.Context, have Have) (Answer, error) { return s.fetch(ctx, have) }
