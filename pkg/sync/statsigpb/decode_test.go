package statsigpb_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/sync/statsigpb"
)

func decode(t *testing.T, plain, previous []byte) *statsigpb.Document {
	t.Helper()
	d, err := statsigpb.Decode(bytes.NewReader(compressed(plain)), previous, limit)
	if err != nil {
		t.Fatalf("Decode() = %v", err)
	}
	return d
}

// member returns one member of a JSON document.
func member(t *testing.T, document []byte, path ...string) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("the document is not JSON: %v\n%s", err, document)
	}
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

func TestAWholeDocument(t *testing.T) {
	rule := wire{}.text(1, "rule \"one\"").varint(2, 0).text(3, "r1").text(4, "").text(5, "c").
		message(6, wire{}.text(2, "companyID")).message(7, wire{}.text(2, `{"a": 1.0}`)).text(8, "Test\x01").
		varint(10, 1).fixed32(12, math.Float32bits(201)).fixed64(13, math.Float64bits(0.5))
	plain := stream(
		topAt(1000, "c1", `{"experiment_to_layer":{"e":"l"},"feature_gates":{"smuggled":{}},"sdk_flags":{"f":true}}`),
		envelope(gate, "g", "11", gateMessage("s")),
		envelope(config, "e", "12", wire{}.text(1, "s").varint(4, 4).message(7, rule).varint(8, 1).text(9, "p")),
		envelope(layer, "l", "13", wire{}.varint(4, 5).message(3, wire{}.text(2, `{}`)).varint(12, 1)),
		envelope(store, "st", "14", wire(`{"parameters":{},"checksum":"old"}`)),
		envelope(condition, "c", "15", wire{}.varint(1, 6).varint(4, 11).text(5, "email").
			message(3, wire{}.text(6, `["x"]`)).text(6, `{"salt":"z"}`)),
		sums(map[string]uint64{
			"feature_gates": 11, "dynamic_configs": 12, "layer_configs": 13, "param_stores": 14, "condition_map": 15,
		}),
	)
	d := decode(t, plain, nil)
	want := `{"has_updates":true,"time":1000,"checksum":"c1","company_id":"company","response_format":"dcs-v2",` +
		`"experiment_to_layer":{"e":"l"},"sdk_flags":{"f":true},` +
		`"condition_map":{"c":{"checksum":"15","type":"user_field","idType":"","operator":"any","field":"email",` +
		`"targetValue":["x"],"additionalValues":{"salt":"z"}}},` +
		`"feature_gates":{"g":{"checksum":"11","type":"feature_gate","entity":"feature_gate","salt":"s","enabled":true,` +
		`"idType":"userID","version":7,"defaultValue":false,"rules":[]}},` +
		`"dynamic_configs":{"e":{"checksum":"12","type":"dynamic_config","entity":"experiment","salt":"s","enabled":false,` +
		`"idType":"","version":0,"defaultValue":null,"rules":[{"name":"rule \"one\"","id":"r1","salt":"",` +
		`"passPercentage":0.5,"conditions":["c"],"idType":"companyID","returnValue":{"a": 1.0},"groupName":"Test\u0001",` +
		`"isExperimentGroup":true,"samplingRate":201}],"isActive":true,"explicitParameters":["p"]}},` +
		`"layer_configs":{"l":{"checksum":"13","type":"dynamic_config","entity":"layer","salt":"","enabled":false,` +
		`"idType":"","version":0,"defaultValue":{},"rules":[],"useNewLayerEval":true}},` +
		`"param_stores":{"st":{"checksum":"14","parameters":{}}}}`
	if diff := cmp.Diff(want, string(d.JSON)); diff != "" {
		t.Errorf("the document (-want +got):\n%s", diff)
	}
	if d.Time != 1000 || d.Checksum != "c1" || d.Delta || len(d.Skipped) > 0 {
		t.Errorf("Decode() says time %d, checksum %q, delta %v, skipped %v", d.Time, d.Checksum, d.Delta, d.Skipped)
	}
	doc, err := eval.Decode(d.JSON)
	if err != nil || len(doc.Problems()) > 0 {
		t.Errorf("eval.Decode() = %v, problems %v", err, doc.Problems())
	}
}

func TestTargetValues(t *testing.T) {
	for name, tc := range map[string]struct {
		value wire
		want  string
	}{
		"a text is quoted":                           {wire{}.text(1, "a\"\\\n<é"), `"a\"\\\u000a<é"`},
		"a boolean":                                  {wire{}.varint(2, 1), `true`},
		"a negative integer":                         {wire{}.varint(3, math.MaxUint64), `-1`},
		"an unsigned integer":                        {wire{}.varint(4, math.MaxUint64), `18446744073709551615`},
		"a double that is whole stays a double":      {wire{}.fixed64(5, math.Float64bits(1)), `1.0`},
		"a double with an exponent":                  {wire{}.fixed64(5, math.Float64bits(1e21)), `1e+21`},
		"a double that is no number has no JSON":     {wire{}.fixed64(5, math.Float64bits(math.NaN())), `null`},
		"JSON keeps its spelling":                    {wire{}.text(6, `[1.0, 1e0]`), `[1.0, 1e0]`},
		"the last of several counts":                 {wire{}.varint(2, 1).text(1, "x"), `"x"`},
		"a field of a later protocol is passed over": {wire{}.text(1, "x").text(99, "y").fixed32(98, 1), `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			d := decode(t, stream(top(), envelope(condition, "c", "", wire{}.varint(1, 6).message(3, tc.value))), nil)
			want := `{"checksum":"","type":"user_field","idType":"","targetValue":` + tc.want + `}`
			if !strings.Contains(string(d.JSON), want) || !json.Valid(d.JSON) {
				t.Errorf("the document is %s, without %s", d.JSON, want)
			}
		})
	}
}

func TestAnEntityThatCannotBeReadIsLeftOutAlone(t *testing.T) {
	good := envelope(gate, "good", "1", gateMessage("s"))
	for name, tc := range map[string]struct {
		bad         []byte
		wantSection string
	}{
		"an entity type unknown here":       {envelope(gate, "bad", "2", gateMessage("s").varint(4, 99)), "feature_gates"},
		"an entity without a type":          {envelope(config, "bad", "2", wire{}.text(1, "s")), "dynamic_configs"},
		"an operator unknown here":          {envelope(condition, "bad", "2", wire{}.varint(1, 1).varint(4, 32)), "condition_map"},
		"a condition type unknown here":     {envelope(condition, "bad", "2", wire{}.varint(1, 12)), "condition_map"},
		"a condition without a type":        {envelope(condition, "bad", "2", wire{}.text(5, "f")), "condition_map"},
		"an ID type unknown here":           {envelope(gate, "bad", "2", gateMessage("s").message(5, wire{}.varint(1, 3))), "feature_gates"},
		"a value that is not JSON":          {envelope(gate, "bad", "2", gateMessage("s").message(3, wire{}.text(2, `{`))), "feature_gates"},
		"a value of no kind":                {envelope(gate, "bad", "2", gateMessage("s").message(3, wire{})), "feature_gates"},
		"JSON that is not UTF-8":            {envelope(gate, "bad", "2", gateMessage("s").message(3, wire{}.text(2, "\"\xff\""))), "feature_gates"},
		"a text that is not UTF-8":          {envelope(gate, "bad", "2", gateMessage("\xff")), "feature_gates"},
		"a field of another wire type":      {envelope(gate, "bad", "2", gateMessage("s").text(2, "true")), "feature_gates"},
		"a message that is cut off":         {envelope(gate, "bad", "2", wire{0x0a, 0x05, 'x'}), "feature_gates"},
		"a percentage that is no number":    {envelope(gate, "bad", "2", gateMessage("s").message(7, wire{}.fixed64(13, math.Float64bits(math.Inf(1))))), "feature_gates"},
		"half a sampling rate":              {envelope(gate, "bad", "2", gateMessage("s").message(7, wire{}.fixed32(12, math.Float32bits(0.5)))), "feature_gates"},
		"additional values of another type": {envelope(condition, "bad", "2", wire{}.varint(1, 1).text(6, `{"salt":1}`)), "condition_map"},
		"a parameter store that is no JSON": {envelope(store, "bad", "2", wire("x")), "param_stores"},
		"a parameter store without content": {envelope(store, "bad", "2", wire(`{}`)), "param_stores"},
		"an envelope of an unknown kind":    {envelope(999, "bad", "2", wire{}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := decode(t, stream(top(), tc.bad, good), nil)
			if len(d.Skipped) != 1 || d.Skipped[0].Section != tc.wantSection || d.Skipped[0].Name != "bad" {
				t.Errorf("Skipped = %v, want one of section %q", d.Skipped, tc.wantSection)
			}
			if doc, err := eval.Decode(d.JSON); err != nil || len(doc.Problems()) > 0 {
				t.Errorf("eval.Decode() = %v on %s", err, d.JSON)
			}
			if member(t, d.JSON, "feature_gates", "good") == nil {
				t.Errorf("the other gate is gone: %s", d.JSON)
			}
			if tc.wantSection != "" && member(t, d.JSON, tc.wantSection, "bad") != nil {
				t.Errorf("the bad entity is there: %s", d.JSON)
			}
		})
	}
}

func TestWhatIsSaidOfEntitiesLeftOutIsBounded(t *testing.T) {
	bad := slices.Repeat([][]byte{envelope(gate, strings.Repeat("é", 1000), "", wire{}), envelope(gate, "\xff", "", wire{})}, 100)
	d := decode(t, stream(append([][]byte{top()}, bad...)...), nil)
	if len(d.Skipped) != 100 {
		t.Errorf("%d entities are listed, want 100", len(d.Skipped))
	}
	for _, s := range d.Skipped {
		if len(s.Name) > 200 || !utf8.ValidString(s.Name) {
			t.Fatalf("the name is %q", s.Name)
		}
	}
}

func TestAnEntityLeftOutStillCountsForTheChecksums(t *testing.T) {
	d := decode(t, stream(top(),
		envelope(gate, "bad", "5", wire{}), envelope(gate, "good", "6", gateMessage("s")), sums(map[string]uint64{"feature_gates": 11}),
	), nil)
	if len(d.Skipped) != 1 {
		t.Errorf("Skipped = %v, want one", d.Skipped)
	}
}

func TestADocumentIsRefused(t *testing.T) {
	cut := func(b []byte, n int) []byte { return b[:len(b)-n] }
	whole := stream(top(), envelope(gate, "g", "", gateMessage("s")))
	errBroken := errors.New("connection reset")
	for name, tc := range map[string]struct {
		body io.Reader
		want error
	}{
		"nothing at all":                     {bytes.NewReader(nil), eval.ErrMalformed},
		"no brotli":                          {strings.NewReader(`{"has_updates":false}`), eval.ErrMalformed},
		"brotli cut off":                     {bytes.NewReader(cut(compressed(whole), 5)), eval.ErrMalformed},
		"no end mark":                        {bytes.NewReader(compressed(top())), eval.ErrMalformed},
		"cut off within an envelope":         {bytes.NewReader(compressed(cut(whole, 3))), eval.ErrMalformed},
		"a length that is no number":         {bytes.NewReader(compressed(bytes.Repeat([]byte{0xff}, 20))), eval.ErrMalformed},
		"a length beyond the limit":          {bytes.NewReader(compressed(protowire.AppendVarint(nil, limit))), statsigpb.ErrTooLarge},
		"a length beyond all numbers":        {bytes.NewReader(compressed(protowire.AppendVarint(nil, math.MaxUint64))), statsigpb.ErrTooLarge},
		"no top level":                       {bytes.NewReader(compressed(stream())), eval.ErrMalformed},
		"a top level without the rest":       {bytes.NewReader(compressed(stream(envelope(topLevel, "", "", wire{}.varint(1, 1))))), eval.ErrMalformed},
		"a top level whose rest is a list":   {bytes.NewReader(compressed(stream(topAt(1, "", `[]`)))), eval.ErrMalformed},
		"an envelope of no kind":             {bytes.NewReader(compressed(stream(envelope(0, "", "", nil)))), eval.ErrMalformed},
		"checksums that do not add up":       {bytes.NewReader(compressed(stream(top(), sums(map[string]uint64{"feature_gates": 1})))), eval.ErrMalformed},
		"checksums of nothing":               {bytes.NewReader(compressed(stream(top(), envelope(checksums, "", "", wire{})))), eval.ErrMalformed},
		"deletions twice":                    {bytes.NewReader(compressed(stream(top(), envelope(deletions, "", "", wire{}), envelope(deletions, "", "", wire{})))), eval.ErrMalformed},
		"a delta without a document held":    {bytes.NewReader(compressed(stream(envelope(copyPrevious, "", "", nil), top()))), statsigpb.ErrDelta},
		"an entity without data or document": {bytes.NewReader(compressed(stream(top(), envelope(gate, "g", "1", nil)))), statsigpb.ErrDelta},
		"a connection that breaks":           {io.MultiReader(bytes.NewReader(cut(compressed(whole), 5)), iotest.ErrReader(errBroken)), errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := statsigpb.Decode(tc.body, nil, limit)
			if d != nil || !errors.Is(err, tc.want) {
				t.Errorf("Decode() = %v, %v; want an error that matches %v", d, err, tc.want)
			}
		})
	}
}

func TestADocumentLargerThanTheLimit(t *testing.T) {
	var gates [][]byte
	for name := range strings.SplitSeq("abcdefghijklmnopqrstuvwxyz", "") {
		gates = append(gates, envelope(gate, name, "", gateMessage("s")))
	}
	plain := stream(append([][]byte{top()}, gates...)...)
	for name, tc := range map[string]struct {
		plain []byte
		limit int64
		want  error
	}{
		"the stream fits, and so does the document": {plain, 6000, nil},
		"the stream fits, the document does not":    {plain, 3000, statsigpb.ErrTooLarge},
		"the stream does not fit":                   {plain, 300, statsigpb.ErrTooLarge},
		"a name that grows when it is quoted": {
			stream(top(), envelope(gate, strings.Repeat("\x01", 1000), "", gateMessage("s"))), 3000, statsigpb.ErrTooLarge,
		},
		"the same entity again and again": {
			stream(append([][]byte{top()}, slices.Repeat([][]byte{envelope(gate, "g", "", gateMessage("s"))}, 40)...)...), 5000,
			statsigpb.ErrTooLarge,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := statsigpb.Decode(bytes.NewReader(compressed(tc.plain)), nil, tc.limit)
			if !errors.Is(err, tc.want) {
				t.Fatalf("Decode() = %v, want %v", err, tc.want)
			}
			if err == nil && int64(len(d.JSON)) > tc.limit {
				t.Errorf("the document has %d bytes, more than %d", len(d.JSON), tc.limit)
			}
		})
	}
}
