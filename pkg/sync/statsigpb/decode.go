package statsigpb

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// ErrDelta says that a stream holds changes to another document than the one held, or changes that cannot be applied to
// it. The whole document must be asked for. Such an error matches [eval.ErrMalformed] too.
var ErrDelta error = deltaError{}

type deltaError struct{}

func (deltaError) Error() string { return "the delta cannot be applied" }

func (deltaError) Is(target error) bool { return target == eval.ErrMalformed }

// maxSkipped bounds Document.Skipped, and maxShown the bytes of a name in it and in errors.
const (
	maxSkipped = 100
	maxShown   = 200
)

// Document is a decoded config specs document.
type Document struct {
	// JSON is the whole document in the form that eval.Decode reads. Each entity carries its checksum, so that deltas
	// can be applied to it.
	JSON []byte
	// Time is its last config update time in Unix milliseconds, and Checksum its checksum, "" when it has none.
	Time     int64
	Checksum string
	// Delta says that the stream held only what differs from the previous document.
	Delta bool
	// Skipped lists the entities that were left out because they could not be read, the first 100 of them.
	Skipped []Skipped
}

// Skipped is an entity that could not be read.
type Skipped struct {
	// Section is the member of the document that it would stand in, "" when that could not be read either.
	Section string
	// Name is its name, the first 200 bytes of it.
	Name string
	// Reason says what is wrong with it.
	Reason string
}

// Decode reads a stream, up to its end mark, from a body with content encoding [ContentEncoding]. A stream of changes
// is applied to previous, the JSON of a Document decoded before; nil when there is none. Both the decompressed stream
// and the document made of it are limited to limit bytes.
//
// An entity that cannot be read, such as one with an operator unknown here, is left out of a whole document and listed,
// as the official SDK does. Anything wrong in a stream of changes refuses it: a document that lacks something would
// lack it until somebody changes it again.
//
// Errors match [ErrDelta], [ErrTooLarge], [eval.ErrMalformed] or what r returned. Decode never panics.
func Decode(r io.Reader, previous []byte, limit int64) (*Document, error) {
	return decode(newStream(r, limit), previous, limit)
}

func decode(from *stream, previous []byte, limit int64) (*Document, error) {
	d := decoder{stream: from, previous: previous, limit: limit, next: newContent(limit)}
	for !d.done {
		data, err := d.stream.next()
		if err != nil {
			return nil, fmt.Errorf("reading a protobuf document: %w", err)
		}
		if err := d.envelope(data); err != nil {
			return nil, fmt.Errorf("reading a protobuf document: %w", err)
		}
	}
	document, err := d.document()
	if err != nil {
		return nil, fmt.Errorf("reading a protobuf document: %w", err)
	}
	return document, nil
}

type decoder struct {
	stream   *stream
	previous []byte
	limit    int64
	// base is the previous document taken apart, once it is needed.
	base *content
	next *content
	// begun says that something was put into next, deleted that deletions were applied.
	begun, deleted bool
	delta, done    bool
	skipped        []Skipped
	scratch        []byte
}

// envelope is the message that a stream consists of.
type envelope struct {
	kind           uint64
	name, checksum []byte
	data           []byte // nil when absent
}

var envelopeMessage = message[envelope]{
	1: func(e *envelope, f field) error { return f.uint(&e.kind) },
	2: func(e *envelope, f field) error { return f.text(&e.name) },
	3: func(e *envelope, f field) error { return f.text(&e.checksum) },
	4: func(e *envelope, f field) error { return f.data(&e.data) },
}

// envelope acts on one envelope.
func (d *decoder) envelope(data []byte) error {
	var e envelope
	if err := envelopeMessage.read(data, &e); err != nil {
		d.skip("", e.name, err)
		return nil
	}
	switch k := kind(e.kind); {
	case k == kindDone:
		d.done = true
		return nil
	case k == kindCopyPrevious:
		return d.copyPrevious()
	case k == kindTopLevel:
		d.begun = true
		return malformed("the top level", d.next.setTopLevel(e.data))
	case k == kindDeletions:
		return d.deletions(e.data)
	case k == kindChecksums:
		return d.checksums(e.data)
	case k.isEntity():
		d.begun = true
		return d.entity(k, e)
	case k == kindUnknown:
		return fmt.Errorf("%w: an envelope of no kind", eval.ErrMalformed)
	default:
		d.skip("", e.name, fmt.Errorf("an envelope of the unknown kind %d", e.kind))
		return nil
	}
}

// copyPrevious starts from the previous document.
func (d *decoder) copyPrevious() error {
	if d.begun {
		return fmt.Errorf("%w: the previous document is asked for behind other content", eval.ErrMalformed)
	}
	base, err := d.held()
	if err != nil {
		return err
	}
	d.next, d.begun = base, true
	return nil
}

// held takes the previous document apart, once. Whatever needs it is a delta.
func (d *decoder) held() (*content, error) {
	d.delta = true
	if d.base != nil {
		return d.base, nil
	}
	if d.previous == nil {
		return nil, fmt.Errorf("%w: no document is held that it builds on", ErrDelta)
	}
	base, err := parseContent(d.previous, d.limit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDelta, err)
	}
	d.base = base
	return base, nil
}

// deletions may come once: each costs as much as the maps that it takes from.
func (d *decoder) deletions(data []byte) error {
	if d.deleted {
		return fmt.Errorf("%w: deletions come twice", eval.ErrMalformed)
	}
	d.deleted = true
	return malformed("the deletions", d.next.remove(data))
}

func (d *decoder) checksums(data []byte) error {
	err := d.next.verify(data)
	if err != nil && d.delta {
		return fmt.Errorf("%w: %w", ErrDelta, err)
	}
	return malformed("the checksums", err)
}

var appendEntity = [...]func(buf, data []byte, checksum string) ([]byte, error){
	kindGate: appendSpec, kindConfig: appendSpec, kindLayer: appendSpec,
	kindStore: appendStore, kindCondition: appendCondition,
}

// entity adds one entity. An envelope without data says that the one held still is the right one.
func (d *decoder) entity(k kind, e envelope) error {
	if e.data == nil {
		return d.reuse(k, e)
	}
	checksum := string(e.checksum)
	text, err := appendEntity[k](d.scratch[:0], e.data, checksum)
	if err != nil {
		d.skip(sectionNames[k], e.name, err)
		// What was left out on purpose was not lost on the way.
		d.next.sections[k].sum += checksumNumber(checksum)
		return nil
	}
	d.scratch = text
	return d.next.put(k, entity{name: string(e.name), checksum: checksum, json: string(text)})
}

func (d *decoder) reuse(k kind, e envelope) error {
	base, err := d.held()
	if err != nil {
		return err
	}
	same, ok := base.sections[k].find(string(e.name))
	if !ok || same.checksum == "" || same.checksum != string(e.checksum) {
		return fmt.Errorf("%w: %q of %s is not held with that checksum", ErrDelta, shown(e.name), sectionNames[k])
	}
	return d.next.put(k, same)
}

func (d *decoder) skip(section string, name []byte, reason error) {
	if len(d.skipped) < maxSkipped {
		d.skipped = append(d.skipped, Skipped{Section: section, Name: shown(name), Reason: reason.Error()})
	}
}

// shown makes a name from the network fit for an error.
func shown(name []byte) string {
	return strings.ToValidUTF8(string(name[:min(len(name), maxShown)]), "?")
}

// document makes the result.
func (d *decoder) document() (*Document, error) {
	if d.delta && len(d.skipped) > 0 {
		s := d.skipped[0]
		return nil, fmt.Errorf("%w: %q of %s: %s", ErrDelta, s.Name, s.Section, s.Reason)
	}
	if d.next.members == nil {
		return nil, fmt.Errorf("%w: there is no top level", eval.ErrMalformed)
	}
	return &Document{
		JSON:     d.next.json(int(d.limit-d.next.left) + sectionOverhead),
		Time:     gjson.Parse(d.next.member("time")).Int(),
		Checksum: gjson.Parse(d.next.member("checksum")).String(),
		Delta:    d.delta,
		Skipped:  d.skipped,
	}, nil
}

// malformed says which part of a document an error is in.
func malformed(part string, err error) error {
	if err == nil || errors.Is(err, ErrTooLarge) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", eval.ErrMalformed, part, err)
}
