package statsigpb

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message as it stands on the wire.
type field struct {
	number protowire.Number
	kind   protowire.Type
	// bits is the value of a varint, fixed32 or fixed64 field.
	bits uint64
	// bytes is the value of a length-delimited field, a part of the message.
	bytes []byte
}

// message says how the fields of one type of message are read, by number. Numbers that it leaves out are unknown, and
// skipped as protobuf asks.
type message[T any] []func(into *T, f field) error

// read reads data into into. Where a field comes twice, the last one counts.
func (m message[T]) read(data []byte, into *T) error {
	for len(data) > 0 {
		f, n := consumeField(data)
		if n < 0 {
			return fmt.Errorf("reading a field: %w", protowire.ParseError(n))
		}
		data = data[n:]
		if int(f.number) >= len(m) || m[f.number] == nil {
			continue
		}
		if err := m[f.number](into, f); err != nil {
			return fmt.Errorf("field %d: %w", f.number, err)
		}
	}
	return nil
}

// consumeField returns the first field of data and its length, or as length a negative protowire error.
func consumeField(data []byte) (field, int) {
	number, kind, tag := protowire.ConsumeTag(data)
	if tag < 0 {
		return field{}, tag
	}
	f := field{number: number, kind: kind}
	data = data[tag:]
	var n int
	switch kind {
	case protowire.VarintType:
		f.bits, n = protowire.ConsumeVarint(data)
	case protowire.Fixed32Type:
		var bits uint32
		bits, n = protowire.ConsumeFixed32(data)
		f.bits = uint64(bits)
	case protowire.Fixed64Type:
		f.bits, n = protowire.ConsumeFixed64(data)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(data)
	default:
		n = protowire.ConsumeFieldValue(number, kind, data)
	}
	if n < 0 {
		return field{}, n
	}
	return f, tag + n
}

var (
	errWireType = errors.New("has another wire type than expected")
	errUTF8     = errors.New("is not UTF-8")
)

func (f field) is(kind protowire.Type) error {
	if f.kind != kind {
		return errWireType
	}
	return nil
}

func (f field) data(to *[]byte) error {
	// A field that is present but empty must not look like one that is absent.
	*to = slices.Clip(f.bytes)
	if *to == nil {
		*to = []byte{}
	}
	return f.is(protowire.BytesType)
}

func (f field) text(to *[]byte) error {
	if err := f.data(to); err != nil {
		return err
	}
	if !utf8.Valid(*to) {
		return errUTF8
	}
	return nil
}

func (f field) texts(to *[][]byte) error {
	var text []byte
	err := f.text(&text)
	*to = append(*to, text)
	return err
}

func (f field) uint(to *uint64) error {
	*to = f.bits
	return f.is(protowire.VarintType)
}

func (f field) bool(to *bool) error {
	*to = f.bits != 0
	return f.is(protowire.VarintType)
}

func (f field) double(to *float64) error {
	*to = math.Float64frombits(f.bits)
	return f.is(protowire.Fixed64Type)
}

func (f field) float(to *float64) error {
	*to = float64(math.Float32frombits(uint32(f.bits))) //nolint:gosec // a fixed32 field has no more bits
	return f.is(protowire.Fixed32Type)
}

// optional is a value that may be absent.
type optional[T any] struct {
	value T
	set   bool
}

func read[T any](to *optional[T], as func(*T) error) error {
	to.set = true
	return as(&to.value)
}
