package events

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func TestDedupeAdmitsAnExposureOncePerWindow(t *testing.T) {
	type step struct {
		key    uint64
		at     time.Duration
		forget bool // instead of asking
	}
	tests := map[string]struct {
		limit int
		steps []step
		want  []bool
	}{
		"an exposure is repeated only after the window": {
			limit: 10,
			steps: []step{{key: 1, at: 0}, {key: 1, at: time.Hour - 1}, {key: 1, at: time.Hour}, {key: 1, at: time.Hour + 1}},
			want:  []bool{true, false, true, false},
		},
		"keys do not disturb each other": {
			limit: 10,
			steps: []step{{key: 1}, {key: 2}, {key: 1, at: 1}, {key: 2, at: 1}},
			want:  []bool{true, true, false, false},
		},
		"the key least recently asked for makes room": {
			limit: 2,
			steps: []step{{key: 1}, {key: 2}, {key: 1}, {key: 3}, {key: 1}, {key: 2}},
			want:  []bool{true, true, false, true, false, true},
		},
		"one key at a time is enough": {
			limit: 1,
			steps: []step{{key: 1}, {key: 1}, {key: 2}, {key: 1}},
			want:  []bool{true, false, true, true},
		},
		"a forgotten exposure is due again, once": {
			limit: 10,
			steps: []step{{key: 1}, {key: 1, forget: true}, {key: 9, forget: true}, {key: 1}, {key: 1}},
			want:  []bool{true, true, false},
		},
		"a slightly older call repeats nothing": {
			limit: 10,
			steps: []step{{key: 1, at: time.Minute}, {key: 1, at: 0}},
			want:  []bool{true, false},
		},
		"a clock set back by more than the window silences nobody": {
			limit: 10,
			steps: []step{{key: 1, at: 48 * time.Hour}, {key: 1, at: 0}, {key: 1, at: 1}},
			want:  []bool{true, true, false},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDedupe(tc.limit)
			var got []bool
			for _, s := range tc.steps {
				if s.forget {
					d.forget([]uint64{s.key})
					continue
				}
				got = append(got, d.admit(s.key, time.Unix(1e9, 0).Add(s.at), time.Hour))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("admitted differs (-want +got):\n%s", diff)
			}
			if keys, _ := d.stats(); keys > tc.limit {
				t.Errorf("dedupe holds %d keys, want at most %d", keys, tc.limit)
			}
		})
	}
}

func TestExposureKeyTellsApartWhatWasExposedToWhom(t *testing.T) {
	gate := eval.Result{Ref: eval.Ref{Kind: eval.KindGate, Name: "g"}, RuleID: "r", Pass: true}
	config := eval.Result{Ref: eval.Ref{Kind: eval.KindDynamicConfig, Name: "c"}, RuleID: "r", Value: `{"a":1}`}
	layer := eval.Result{Ref: eval.Ref{Kind: eval.KindLayer, Name: "l"}, RuleID: "r", Value: `{"a":1,"b":2,"same as a":1}`}
	tests := map[string]struct {
		a, b Exposure
		want bool
	}{
		"the same gate for the same user": {
			a: Exposure{Result: gate, User: []byte("u")}, b: Exposure{Result: gate, User: []byte("u")}, want: true,
		},
		"another user": {
			a: Exposure{Result: gate, User: []byte("u")}, b: Exposure{Result: gate, User: []byte("v")},
		},
		"the same unit, though its attributes changed": {
			a: Exposure{Result: gate, Unit: "shop/checkout", User: []byte("u")}, b: Exposure{Result: gate, Unit: "shop/checkout", User: []byte("v")},
			want: true,
		},
		"the same IDs, though attributes changed": {
			a:    Exposure{Result: gate, User: []byte(`{"userID":"u","customIDs":{"c":"1"},"custom":{"replicas":1}}`)},
			b:    Exposure{Result: gate, User: []byte(`{"userID":"u","email":"e","customIDs":{"c":"1"},"custom":{"replicas":2}}`)},
			want: true,
		},
		"another user ID": {
			a: Exposure{Result: gate, User: []byte(`{"userID":"u"}`)}, b: Exposure{Result: gate, User: []byte(`{"userID":"v"}`)},
		},
		"another custom ID": {
			a: Exposure{Result: gate, User: []byte(`{"userID":"u","customIDs":{"c":"1"}}`)},
			b: Exposure{Result: gate, User: []byte(`{"userID":"u","customIDs":{"c":"2"}}`)},
		},
		"another gate value": {
			a: Exposure{Result: gate}, b: Exposure{Result: with(gate, func(r *eval.Result) { r.Pass = false })},
		},
		"another rule": {
			a: Exposure{Result: gate}, b: Exposure{Result: with(gate, func(r *eval.Result) { r.RuleID = "s" })},
		},
		"another kind under the same name": {
			a: Exposure{Result: gate}, b: Exposure{Result: with(gate, func(r *eval.Result) { r.Kind = eval.KindExperiment })},
		},
		"text moved from the name to the rule": {
			a: Exposure{Result: with(gate, func(r *eval.Result) { r.Name, r.RuleID = "ab", "c" })},
			b: Exposure{Result: with(gate, func(r *eval.Result) { r.Name, r.RuleID = "a", "bc" })},
		},
		"another config value by the same rule": {
			a: Exposure{Result: config}, b: Exposure{Result: with(config, func(r *eval.Result) { r.Value = `{"a":2}` })},
		},
		"only a newer version of the spec": {
			a: Exposure{Result: config}, b: Exposure{Result: with(config, func(r *eval.Result) { r.Version = 2 })}, want: true,
		},
		"another parameter of the layer": {
			a: Exposure{Result: layer, Parameter: "a"}, b: Exposure{Result: layer, Parameter: "same as a"},
		},
		"another value of the parameter": {
			a: Exposure{Result: layer, Parameter: "a"},
			b: Exposure{Result: with(layer, func(r *eval.Result) { r.Value = `{"a":9,"b":2}` }), Parameter: "a"},
		},
		"another value of a parameter that was not read": {
			a: Exposure{Result: layer, Parameter: "a"},
			b: Exposure{Result: with(layer, func(r *eval.Result) { r.Value = `{"a":1,"b":9}` }), Parameter: "a"}, want: true,
		},
	}
	l := newLogger(mustOptions(t, Options{}), &fakeSender{})
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.a.key(l.seed) == tc.b.key(l.seed); got != tc.want {
				t.Errorf("keys equal = %t, want %t", got, tc.want)
			}
		})
	}
}

func with(r eval.Result, change func(*eval.Result)) eval.Result {
	change(&r)
	return r
}
