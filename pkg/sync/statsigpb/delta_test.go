package statsigpb_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/sync/statsigpb"
)

// held is a document with two gates, a config, and an experiment in a layer.
func held(t *testing.T) *statsigpb.Document {
	t.Helper()
	return decode(t, stream(
		topAt(1000, "c1", `{"experiment_to_layer":{"e":"l","f":"l"},"sdk_configs":{"a":1,"b":2}}`),
		envelope(gate, "g1", "1", gateMessage("one")),
		envelope(gate, "g2", "2", gateMessage("two")),
		envelope(config, "e", "4", wire{}.varint(4, 4)),
	), nil)
}

func TestDeltas(t *testing.T) {
	newer := topAt(2000, "c2", `{"experiment_to_layer":{"e":"l","f":"l"},"sdk_configs":{"a":1,"b":2}}`)
	for name, tc := range map[string]struct {
		envelopes [][]byte
		wantTime  int64
		wantGates map[string]string // name to salt
	}{
		"nothing changes": {
			[][]byte{envelope(copyPrevious, "", "", nil)}, 1000, map[string]string{"g1": "one", "g2": "two"},
		},
		"a gate is replaced, another added": {
			[][]byte{
				envelope(copyPrevious, "", "", nil), newer,
				envelope(gate, "g2", "20", gateMessage("changed")), envelope(gate, "g3", "3", gateMessage("three")),
				sums(map[string]uint64{"feature_gates": 24, "dynamic_configs": 4}),
			}, 2000, map[string]string{"g1": "one", "g2": "changed", "g3": "three"},
		},
		"a gate is deleted": {
			[][]byte{
				envelope(copyPrevious, "", "", nil), newer, envelope(deletions, "", "", wire{}.text(2, "g1").text(2, "absent")),
				sums(map[string]uint64{"feature_gates": 2, "dynamic_configs": 4}),
			}, 2000, map[string]string{"g2": "two"},
		},
		"a gate is named by its checksum alone, without a copy": {
			[][]byte{newer, envelope(gate, "g2", "2", nil)}, 2000, map[string]string{"g2": "two"},
		},
		"a gate deleted and written anew": {
			[][]byte{
				envelope(copyPrevious, "", "", nil), newer, envelope(deletions, "", "", wire{}.text(2, "g1")),
				envelope(gate, "g1", "9", gateMessage("again")),
			}, 2000, map[string]string{"g1": "again", "g2": "two"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := decode(t, stream(tc.envelopes...), held(t).JSON)
			if !d.Delta || d.Time != tc.wantTime {
				t.Errorf("Decode() says delta %v, time %d; want true, %d", d.Delta, d.Time, tc.wantTime)
			}
			gates, _ := member(t, d.JSON, "feature_gates").(map[string]any)
			got := map[string]string{}
			for name, g := range gates {
				spec, _ := g.(map[string]any)
				got[name], _ = spec["salt"].(string)
			}
			if diff := cmp.Diff(tc.wantGates, got); diff != "" {
				t.Errorf("gates (-want +got):\n%s", diff)
			}
			if doc, err := eval.Decode(d.JSON); err != nil || len(doc.Problems()) > 0 {
				t.Errorf("eval.Decode() = %v on %s", err, d.JSON)
			}
		})
	}
}

func TestDeletionsFromWhatIsNoEntity(t *testing.T) {
	d := decode(t, stream(
		envelope(copyPrevious, "", "", nil), envelope(deletions, "", "", wire{}.text(4, "f").text(6, "a").text(8, "absent")),
	), held(t).JSON)
	if diff := cmp.Diff(map[string]any{"e": "l"}, member(t, d.JSON, "experiment_to_layer")); diff != "" {
		t.Errorf("experiment_to_layer (-want +got):\n%s", diff)
	}
	if got := member(t, d.JSON, "sdk_configs", "a"); got != nil {
		t.Errorf("sdk_configs still has a: %v", got)
	}
}

func TestADeltaIsRefused(t *testing.T) {
	start := envelope(copyPrevious, "", "", nil)
	for name, tc := range map[string]struct {
		envelopes [][]byte
		previous  []byte
		want      error
	}{
		"checksums that do not add up": {
			[][]byte{start, sums(map[string]uint64{"feature_gates": 4})}, held(t).JSON, statsigpb.ErrDelta,
		},
		"a gate that cannot be read": {
			[][]byte{start, envelope(gate, "g1", "7", wire{}.varint(4, 99))}, held(t).JSON, statsigpb.ErrDelta,
		},
		"an envelope of an unknown kind": {[][]byte{start, envelope(77, "", "", nil)}, held(t).JSON, statsigpb.ErrDelta},
		"a gate held with another checksum": {
			[][]byte{start, envelope(gate, "g1", "7", nil)}, held(t).JSON, statsigpb.ErrDelta,
		},
		"a gate that is not held":         {[][]byte{start, envelope(gate, "g9", "1", nil)}, held(t).JSON, statsigpb.ErrDelta},
		"a gate without any checksum":     {[][]byte{start, envelope(gate, "g1", "", nil)}, held(t).JSON, statsigpb.ErrDelta},
		"a document held that is no JSON": {[][]byte{start}, []byte("x"), statsigpb.ErrDelta},
		"a document held in the v1 form":  {[][]byte{start}, []byte(`{"feature_gates":[]}`), statsigpb.ErrDelta},
		"a copy behind other content":     {[][]byte{top(), start}, held(t).JSON, eval.ErrMalformed},
		"two copies":                      {[][]byte{start, start}, held(t).JSON, eval.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := statsigpb.Decode(bytes.NewReader(compressed(stream(tc.envelopes...))), tc.previous, limit)
			if d != nil || !errors.Is(err, tc.want) || !errors.Is(err, eval.ErrMalformed) {
				t.Errorf("Decode() = %v, %v; want an error that matches %v", d, err, tc.want)
			}
		})
	}
}
