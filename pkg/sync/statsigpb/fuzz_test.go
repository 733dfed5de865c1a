package statsigpb_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/sync/statsigpb"
)

// FuzzDecode feeds streams without their compression, which a fuzzer would hardly get through.
func FuzzDecode(f *testing.F) {
	whole := stream(top(), envelope(gate, "g", "1", gateMessage("s")), envelope(condition, "c", "2", wire{}.varint(1, 1)))
	d, err := statsigpb.Decode(bytes.NewReader(compressed(whole)), nil, limit)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, []byte(nil))
	f.Add(stream(top(), envelope(config, "c", "3", wire{}.varint(4, 4).message(7, wire{}.text(1, "r").fixed32(12, 0x42c80000).
		message(6, wire{}.text(2, "companyID")).message(7, wire{}.text(2, `{"a":1}`)).fixed64(13, 0x4049000000000000)))), []byte(nil))
	f.Add(stream(top(), envelope(store, "s", "4", wire(`{"parameters":{"p":{"ref_type":"static","param_type":"string","value":"v"}}}`)),
		envelope(condition, "c", "5", wire{}.varint(1, 9).varint(4, 3).message(3, wire{}.varint(3, 5)).text(6, `{"salt":"x"}`))), []byte(nil))
	f.Add(stream(envelope(copyPrevious, "", "", nil), envelope(deletions, "", "", wire{}.text(2, "g").text(6, "x"))), d.JSON)
	f.Add(stream(top(), envelope(gate, "g", "1", nil), sums(map[string]uint64{"feature_gates": 1})), d.JSON)
	const fuzzLimit = 1 << 20
	f.Fuzz(func(t *testing.T, plain, previous []byte) {
		if !json.Valid(previous) || !utf8.Valid(previous) {
			previous = nil
		}
		d, err := statsigpb.DecodePlain(plain, previous, fuzzLimit)
		if err != nil {
			return
		}
		if !json.Valid(d.JSON) || !utf8.Valid(d.JSON) {
			t.Fatalf("the document is not JSON: %q", d.JSON)
		}
		if len(d.JSON) > fuzzLimit+1000 {
			t.Fatalf("the document has %d bytes, more than allowed", len(d.JSON))
		}
		// What is wrong with an entity that is JSON is the evaluator's business; it must stay up.
		if doc, err := eval.Decode(d.JSON); err == nil && doc.Time() != d.Time && d.Time >= 0 && doc.HasUpdates() {
			t.Fatalf("the time is %d, and %d to the evaluator", d.Time, doc.Time())
		}
	})
}

// FuzzBody feeds bodies as they come from the network.
func FuzzBody(f *testing.F) {
	f.Add(compressed(stream(top())))
	f.Add([]byte(`{"has_updates":false}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := statsigpb.Decode(bytes.NewReader(body), nil, 1<<20)
		if (d == nil) == (err == nil) {
			t.Fatalf("Decode() = %v, %v", d, err)
		}
	})
}
