package statsigpb_test

import (
	"bytes"

	"github.com/andybalholm/brotli"
	"google.golang.org/protobuf/encoding/protowire"
)

// The kinds of envelopes, as the protocol numbers them.
const (
	done         = 1
	topLevel     = 2
	gate         = 3
	config       = 4
	layer        = 5
	store        = 6
	condition    = 7
	deletions    = 8
	checksums    = 9
	copyPrevious = 10
)

// limit is enough for every document of these tests.
const limit = 64 << 20

// wire writes messages field by field, without a word from the package under test.
type wire []byte

func (w wire) text(number protowire.Number, text string) wire {
	return protowire.AppendString(protowire.AppendTag(w, number, protowire.BytesType), text)
}

func (w wire) message(number protowire.Number, m wire) wire {
	return protowire.AppendBytes(protowire.AppendTag(w, number, protowire.BytesType), m)
}

func (w wire) varint(number protowire.Number, value uint64) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, number, protowire.VarintType), value)
}

func (w wire) fixed32(number protowire.Number, value uint32) wire {
	return protowire.AppendFixed32(protowire.AppendTag(w, number, protowire.Fixed32Type), value)
}

func (w wire) fixed64(number protowire.Number, value uint64) wire {
	return protowire.AppendFixed64(protowire.AppendTag(w, number, protowire.Fixed64Type), value)
}

// envelope is an envelope behind its length; nil data is left out.
func envelope(kind uint64, name, checksum string, data wire) []byte {
	e := wire{}.varint(1, kind).text(2, name).text(3, checksum)
	if data != nil {
		e = e.message(4, data)
	}
	return protowire.AppendBytes(nil, e)
}

// stream joins envelopes and adds the end mark.
func stream(envelopes ...[]byte) []byte {
	return append(bytes.Join(envelopes, nil), envelope(done, "DONE", "", wire{})...)
}

// compressed is how a stream travels.
func compressed(plain []byte) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, brotli.BestSpeed)
	_, _ = w.Write(plain)
	_ = w.Close()
	return out.Bytes()
}

// top is a top level of time 1000.
func top() []byte { return topAt(1000, "c1", `{"experiment_to_layer":{}}`) }

func topAt(time uint64, checksum, rest string) []byte {
	return envelope(topLevel, "TOP_LEVEL", checksum,
		wire{}.varint(1, 1).varint(2, time).text(3, "company").text(4, "dcs-v2").text(5, checksum).text(7, rest))
}

// gateMessage is a gate with the salt given and no rules.
func gateMessage(salt string) wire {
	return wire{}.text(1, salt).varint(2, 1).message(3, wire{}.varint(1, 0)).varint(4, 1).
		message(5, wire{}.varint(1, 1)).varint(6, 7)
}

func sums(of map[string]uint64) []byte {
	var m wire
	for _, name := range []string{"condition_map", "dynamic_configs", "feature_gates", "layer_configs", "param_stores"} {
		m = m.message(1, wire{}.text(1, name).varint(2, of[name]))
	}
	return envelope(checksums, "CHECKSUMS", "", m)
}
