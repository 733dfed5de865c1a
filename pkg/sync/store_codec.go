package specsync

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

// maxStoredBytes bounds what a stored payload may decompress to: a document and as many IDs as are held by default.
const maxStoredBytes = MaxDocumentBytes + DefaultMaxIDs*hashLength

// storedMeta is the part of a Stored that is kept beside its payload, so that it can be renewed alone.
type storedMeta struct {
	Format      int       `json:"format"`
	Scope       string    `json:"scope"`
	Time        int64     `json:"time"`
	Checksum    string    `json:"checksum,omitempty"`
	Origin      string    `json:"origin"`
	ReceivedAt  time.Time `json:"receivedAt"`
	ConfirmedAt time.Time `json:"confirmedAt"`
}

// storedFormat is raised when older programs could not read what is written.
const storedFormat = 1

func encodeMeta(s *Stored) []byte {
	meta, _ := json.Marshal(storedMeta{ // such a struct always has a JSON form
		Format: storedFormat, Scope: s.Scope, Time: s.Time, Checksum: s.Checksum, Origin: s.Origin,
		ReceivedAt: s.ReceivedAt.UTC(), ConfirmedAt: s.ConfirmedAt.UTC(),
	})
	return meta
}

func decodeMeta(text []byte) (*Stored, error) {
	var meta storedMeta
	if err := json.Unmarshal(text, &meta); err != nil {
		return nil, malformedError("what is stored has no readable description")
	}
	if meta.Format != storedFormat {
		return nil, malformedError(fmt.Sprintf("what is stored has the format %d, which this program does not know", meta.Format))
	}
	return &Stored{
		Scope: meta.Scope, Time: meta.Time, Checksum: meta.Checksum, Origin: meta.Origin,
		ReceivedAt: meta.ReceivedAt, ConfirmedAt: meta.ConfirmedAt,
	}, nil
}

// encodePayload compresses the document and the ID lists. Equal contents give equal payloads.
func encodePayload(s *Stored) ([]byte, error) {
	var payload bytes.Buffer
	w, err := zstd.NewWriter(&payload, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	e := encoder{w: w}
	e.text(s.Document)
	e.number(uint64(len(s.lists)))
	for _, name := range slices.Sorted(maps.Keys(s.lists)) {
		e.list(name, s.lists[name])
	}
	e.flush()
	if e.err == nil {
		e.err = w.Close()
	}
	if e.err != nil {
		return nil, fmt.Errorf("compressing: %w", e.err)
	}
	return payload.Bytes(), nil
}

// encoder writes numbers and texts; after an error it writes no more.
type encoder struct {
	w   io.Writer
	buf []byte
	err error
}

func (e *encoder) flush() {
	if e.err == nil {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

func (e *encoder) number(n uint64) {
	if e.buf = binary.AppendUvarint(e.buf, n); len(e.buf) >= lineBuffer {
		e.flush()
	}
}

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.flush()
	if e.err == nil {
		_, e.err = io.WriteString(e.w, s)
	}
}

// list writes hashes as the distances between them: in order, they take five bytes or less.
func (e *encoder) list(name string, l *heldList) {
	e.text(name)
	e.text(l.fileID)
	for _, n := range []int64{l.created, l.offset, l.size} {
		e.number(uint64(n)) //nolint:gosec // read back as it was
	}
	e.number(uint64(l.set.n)) //nolint:gosec // a count
	last := uint64(0)
	for _, bucket := range l.set.buckets {
		for _, hash := range bucket {
			e.number(hash - last)
			last = hash
		}
	}
}

// decodePayload is the reverse of encodePayload, into s. What it reads may be anything.
func decodePayload(payload []byte, s *Stored) error {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxStoredBytes))
	if err != nil {
		return fmt.Errorf("decompressing: %w", err)
	}
	defer z.Close()
	plain, err := z.DecodeAll(payload, nil)
	if err != nil {
		return malformedError("what is stored cannot be decompressed: " + err.Error())
	}
	d := decoder{rest: plain}
	s.Document = d.text()
	lists := map[string]*heldList{}
	for range d.count(minListBytes) {
		name := d.text()
		lists[name] = d.list()
	}
	if len(lists) > 0 {
		s.lists = lists
	}
	if d.failed || len(d.rest) > 0 {
		return malformedError("what is stored ends early, or goes on behind its end")
	}
	return nil
}

// minListBytes is the least that an ID list takes: two texts and four numbers.
const minListBytes = 6

// decoder reads what an encoder wrote; after a failure it reads zeros.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) fail() {
	d.rest, d.failed = nil, true
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// count reads how many things follow, each of at least size bytes: a number that the rest cannot hold is none.
func (d *decoder) count(size int) int {
	n := d.number()
	if n > uint64(len(d.rest)/size) { //nolint:gosec // lengths are not negative
		d.fail()
		return 0
	}
	return int(n) //nolint:gosec // not more than a length
}

func (d *decoder) text() string {
	n := d.count(1)
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}

func (d *decoder) list() *heldList {
	l := &heldList{fileID: d.text()}
	for _, n := range []*int64{&l.created, &l.offset, &l.size} {
		*n = int64(d.number()) //nolint:gosec // written from one
	}
	n := d.count(1)
	hashes := make([]uint64, 0, n)
	last := uint64(0)
	for range n {
		distance := d.number()
		if distance == 0 && len(hashes) > 0 || distance >= 1<<hashBits-last {
			d.fail()
			break
		}
		last += distance
		hashes = append(hashes, last)
	}
	if l.offset < 0 || l.size < l.offset {
		d.fail()
	}
	l.set = idSetOf(hashes)
	return l
}
