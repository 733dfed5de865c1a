package statsigpb

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strconv"

	"github.com/andybalholm/brotli"
	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protowire"
)

// encodeLevel is brotli's level: servers for tests need no better one.
const encodeLevel = 1

// Encode writes a config specs document of the v2 form as a server would answer it, with content encoding
// [ContentEncoding]. It is meant for servers in tests. Members that the protobuf form has no field for are lost; a
// condition type, operator or entity without a number is an error.
func Encode(document []byte) ([]byte, error) {
	c, err := parseContent(document, math.MaxInt64)
	if err != nil {
		return nil, fmt.Errorf("encoding a document: %w", err)
	}
	s, err := c.encode(nil)
	if err != nil {
		return nil, fmt.Errorf("encoding a document: %w", err)
	}
	return s.finish(), nil
}

// EncodeDelta writes what turns previous into document, both of the v2 form: whoever holds previous as [Decode] made it
// of an [Encode]d stream ends with document.
func EncodeDelta(previous, document []byte) ([]byte, error) {
	from, err := parseContent(previous, math.MaxInt64)
	if err != nil {
		return nil, fmt.Errorf("encoding a delta: %w", err)
	}
	to, err := parseContent(document, math.MaxInt64)
	if err != nil {
		return nil, fmt.Errorf("encoding a delta: %w", err)
	}
	s, err := to.encode(from)
	if err != nil {
		return nil, fmt.Errorf("encoding a delta: %w", err)
	}
	return s.finish(), nil
}

// streamWriter collects the envelopes of a stream.
type streamWriter struct{ plain []byte }

func (s *streamWriter) envelope(k kind, name, checksum string, data []byte) {
	var e []byte
	e = protowire.AppendTag(e, 1, protowire.VarintType)
	e = protowire.AppendVarint(e, uint64(k))
	e = appendText(e, 2, name)
	e = appendText(e, 3, checksum)
	e = appendMessage(e, 4, data)
	s.plain = protowire.AppendBytes(s.plain, e)
}

// finish adds the end mark and compresses.
func (s *streamWriter) finish() []byte {
	s.envelope(kindDone, "DONE", "", nil)
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, encodeLevel)
	_, _ = w.Write(s.plain) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// encode writes all of c, or with a base only what is not in it.
func (c *content) encode(base *content) (*streamWriter, error) {
	s := &streamWriter{}
	if base != nil {
		s.envelope(kindCopyPrevious, "COPY_PREV", "", nil)
	}
	top, err := c.encodeTopLevel()
	if err != nil {
		return nil, err
	}
	s.envelope(kindTopLevel, "TOP_LEVEL", gjson.Parse(c.member("checksum")).String(), top)
	totals := map[string]uint64{}
	var gone deletions
	for _, k := range [...]kind{kindGate, kindConfig, kindLayer, kindStore, kindCondition} {
		var held *section
		if base != nil {
			held = &base.sections[k]
		}
		if totals[sectionNames[k]], err = s.entities(k, &c.sections[k], held); err != nil {
			return nil, err
		}
		gone[slices.Index(deletionNames[:], sectionNames[k])] = held.without(&c.sections[k])
	}
	if base != nil {
		s.envelope(kindDeletions, "DELETIONS", "", gone.encode())
	}
	s.envelope(kindChecksums, "CHECKSUMS", "", encodeSums(totals))
	return s, nil
}

// entities writes the entities that are not in held, which may be nil, and returns the sum of all checksums.
func (s *streamWriter) entities(k kind, of, held *section) (uint64, error) {
	var total uint64
	for _, e := range of.entities {
		data, checksum, err := e.encode(k)
		if err != nil {
			return 0, fmt.Errorf("%s %q: %w", sectionNames[k], e.name, err)
		}
		total += checksumNumber(checksum)
		if held != nil {
			same, ok := held.find(e.name)
			if ok {
				if _, old, err := same.encode(k); err == nil && old == checksum {
					continue
				}
			}
		}
		s.envelope(k, e.name, checksum, data)
	}
	return total, nil
}

// without lists the names in s that other lacks.
func (s *section) without(other *section) [][]byte {
	if s == nil {
		return nil
	}
	var names [][]byte
	for _, e := range s.entities {
		if _, ok := other.find(e.name); !ok {
			names = append(names, []byte(e.name))
		}
	}
	return names
}

// encode returns an entity's message and its checksum, which is that of the message unless the JSON brings one.
func (e entity) encode(k kind) ([]byte, string, error) {
	var data []byte
	var err error
	switch k {
	case kindStore:
		data = []byte(e.json)
	case kindCondition:
		data, err = conditionMembers.encode(nil, gjson.Parse(e.json))
	default:
		data, err = specMembers.encode(nil, gjson.Parse(e.json))
	}
	if e.checksum != "" {
		return data, e.checksum, err
	}
	return data, strconv.FormatUint(uint64(crc32.ChecksumIEEE(data)), 10), err
}

func (c *content) encodeTopLevel() ([]byte, error) {
	time := gjson.Parse(c.member("time"))
	if time.Type != gjson.Number {
		return nil, errors.New("the document has no time")
	}
	rest := object{}
	rest.begin()
	for _, m := range c.members {
		if !isOwn(m.name) {
			rest.key(m.name)
			rest.buf = append(rest.buf, m.json...)
		}
	}
	rest.end()
	var b []byte
	b = appendBool(b, 1, gjson.Parse(c.member("has_updates")).Bool())
	b = appendUint(b, 2, time.Uint())
	b = appendText(b, 3, gjson.Parse(c.member("company_id")).String())
	b = appendText(b, 4, gjson.Parse(c.member("response_format")).String())
	b = appendText(b, 5, gjson.Parse(c.member("checksum")).String())
	return appendMessage(b, 7, rest.buf), nil
}

func (d *deletions) encode() []byte {
	var b []byte
	for number, names := range d {
		for _, name := range names {
			b = appendMessage(b, protowire.Number(number), name)
		}
	}
	return b
}

func encodeSums(totals map[string]uint64) []byte {
	var b []byte
	for _, k := range sections {
		name := sectionNames[k]
		b = appendMessage(b, 1, appendUint(appendText(nil, 1, name), 2, totals[name]))
	}
	return b
}
