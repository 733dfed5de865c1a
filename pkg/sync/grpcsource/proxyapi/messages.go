package proxyapi

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// The numbers of the fields; 12 is a slip that became part of the protocol.
const (
	requestKey     protowire.Number = 1
	requestVersion protowire.Number = 3
	requestSince   protowire.Number = 12

	responseDocument protowire.Number = 1
	responseTime     protowire.Number = 2
)

// maxTime keeps odd times within an int64.
const maxTime = 1 << 62

// documentVersion asks for documents of the v2 form.
const documentVersion = 2

// Request asks for config specs.
type Request struct {
	// Key is the SDK key.
	Key secret.Key
	// Since is the last config update time of what the client holds, in Unix milliseconds; 0 asks for the config specs
	// whatever they are.
	Since int64
}

// Response is what a proxy knows.
type Response struct {
	// Document is a config specs document, or {"has_updates":false}.
	Document []byte
	// Time is its last config update time in Unix milliseconds, or that of the document that has not changed.
	Time int64
}

func (r *Request) marshal() []byte {
	b := protowire.AppendTag(nil, requestKey, protowire.BytesType)
	b = protowire.AppendString(b, r.Key.Reveal())
	b = protowire.AppendTag(b, requestVersion, protowire.VarintType)
	b = protowire.AppendVarint(b, documentVersion)
	if r.Since > 0 {
		b = protowire.AppendTag(b, requestSince, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(r.Since))
	}
	return b
}

func (r *Request) unmarshal(data []byte) error {
	return eachField(data, func(number protowire.Number, value uint64, text []byte) {
		switch number {
		case requestKey:
			r.Key = secret.NewKey(string(text))
		case requestSince:
			r.Since = int64(min(value, maxTime))
		default:
		}
	})
}

func (r *Response) marshal() []byte {
	b := protowire.AppendTag(nil, responseDocument, protowire.BytesType)
	b = protowire.AppendBytes(b, r.Document)
	b = protowire.AppendTag(b, responseTime, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(r.Time)) //nolint:gosec // never negative
}

// unmarshal takes data over: the document is a part of it.
func (r *Response) unmarshal(data []byte) error {
	return eachField(data, func(number protowire.Number, value uint64, text []byte) {
		switch number {
		case responseDocument:
			r.Document = text
		case responseTime:
			r.Time = int64(min(value, maxTime))
		default:
		}
	})
}

// eachField hands out the fields that are varints or length-delimited; a field of another type than expected counts as
// absent.
func eachField(data []byte, read func(number protowire.Number, value uint64, text []byte)) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		var value uint64
		var text []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(data)
		case protowire.BytesType:
			text, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		read(number, value, text)
		data = data[n:]
	}
	return nil
}

// Codec is for [grpc.ForceCodecV2] and [grpc.ForceServerCodecV2]. It stands in for the one of generated messages, with
// which a document of many megabytes would need one copy more.
type Codec struct{}

type message interface {
	marshal() []byte
	unmarshal(data []byte) error
}

var errMessage = errors.New("not a message of the forward proxy")

// Name implements encoding.CodecV2.
func (Codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(message)
	if !ok {
		return nil, errMessage
	}
	return mem.BufferSlice{mem.SliceBuffer(m.marshal())}, nil
}

// Unmarshal implements encoding.CodecV2.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(message)
	if !ok {
		return errMessage
	}
	if err := m.unmarshal(data.Materialize()); err != nil {
		return fmt.Errorf("reading a message of the forward proxy: %w", err)
	}
	return nil
}
