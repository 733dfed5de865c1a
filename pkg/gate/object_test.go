package gate

import (
	"reflect"
	"testing"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
)

func newObject(json string) *object { return &object{json: gjson.Parse(json)} }

func TestObjectsAreMaps(t *testing.T) {
	const json = `{"b": 1, "a": [true, null], "b": {"x": 1.5}, "c\u0041": "t"}`
	o := newObject(json)
	var names []string
	for it := o.Iterator(); it.HasNext() == types.True; {
		names = append(names, string(it.Next().(types.String)))
	}
	if diff := cmp.Diff([]string{"b", "a", "cA"}, names); diff != "" {
		t.Errorf("names, each once and in order (-want +got):\n%s", diff)
	}
	if got := o.Size(); got != types.Int(3) {
		t.Errorf("size %v, want 3", got)
	}
	native := types.DefaultTypeAdapter.NativeToValue(map[string]any{
		"b": map[string]any{"x": 1.5}, "a": []any{true, nil}, "cA": "t",
	})
	for name, equal := range map[string]ref.Val{"the object and a map": o.Equal(native), "a map and the object": native.Equal(o)} {
		if equal != types.True {
			t.Errorf("%s are not equal, though the last member of a name counts", name)
		}
	}
	if got, err := o.ConvertToNative(reflect.TypeFor[map[string]any]()); err != nil || len(got.(map[string]any)) != 3 {
		t.Errorf("as a Go map it is %v, %v", got, err)
	}
	if got := o.ConvertToType(types.MapType); types.IsError(got) {
		t.Errorf("it is no map: %v", got)
	}
	if got, ok := o.Value().(map[ref.Val]ref.Val); !ok || len(got) != 3 {
		t.Errorf("its value is %v", o.Value())
	}
}

func TestObjectsFindMembers(t *testing.T) {
	cases := map[string]struct {
		name string
		want ref.Val
	}{
		"a text":             {"text", types.String("on")},
		"an integer":         {"int", types.Int(-7)},
		"a fraction":         {"fraction", types.Double(2.5)},
		"an exponent":        {"exponent", types.Double(1000)},
		"a huge integer":     {"huge", types.Double(1e19)},
		"a bool":             {"bool", types.False},
		"null":               {"null", types.NullValue},
		"the last of a name": {"twice", types.Int(2)},
		"an escaped name":    {"é", types.Int(1)},
		"an empty name":      {"", types.Int(3)},
		"none":               {"none", nil},
	}
	const json = `{"text":"on","int":-7,"fraction":2.5,"exponent":1e3,"huge":10000000000000000000,"bool":false,"null":null,` +
		`"twice":1,"twice":2,"\u00e9":1,"":3}`
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			seasoned := newObject(json)
			seasoned.Find(types.String("other"))
			for name, o := range map[string]*object{"a fresh object": newObject(json), "one that was asked before": seasoned} {
				for range 2 {
					value, found := o.Find(types.String(tc.name))
					if found != (tc.want != nil) || value != tc.want {
						t.Errorf("%s gives %v, %t; want %v", name, value, found, tc.want)
					}
					if o.Contains(types.String(tc.name)) != types.Bool(tc.want != nil) {
						t.Errorf("%s contains the opposite of what it gives", name)
					}
					if got := o.Get(types.String(tc.name)); types.IsError(got) != (tc.want == nil) {
						t.Errorf("%s gets %v, want %v", name, got, tc.want)
					}
				}
			}
		})
	}
}

func TestObjectsRememberWhatTheyGave(t *testing.T) {
	o := newObject(`{"a": [1], "b": [2]}`)
	for _, name := range []types.String{"a", "b"} {
		first, _ := o.Find(name)
		again, _ := o.Find(name)
		if first.(traits.Lister) != again.(traits.Lister) {
			t.Errorf("%s is read again each time it is asked for", name)
		}
	}
	if _, found := o.Find(types.Int(1)); found {
		t.Error("a number finds a member")
	}
}

func TestComparingCostsWhatIsCompared(t *testing.T) {
	list := types.DefaultTypeAdapter.NativeToValue([]any{"a", "twenty characters, ok", map[string]any{"k": 1}})
	large := newObject(`{"text": "` + string(make([]byte, 1000)) + `"}`)
	cases := map[string]struct {
		function string
		args     []ref.Val
		want     uint64
	}{
		"an object costs its text":           {"_==_", []ref.Val{large, large}, 1 + 1012/bytesPerCost},
		"a list costs its elements":          {"_!=_", []ref.Val{list, list}, 1 + 1 + 3 + (1 + 1 + 1)},
		"the smaller operand is what counts": {"_==_", []ref.Val{list, large}, 8},
		"looking in a list costs the list":   {"@in", []ref.Val{large, list}, 8},
		"scalars cost what CEL charges":      {"_==_", []ref.Val{types.String("a"), large}, 0},
		"other functions too":                {"_<_", []ref.Val{large, large}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got uint64
			if cost := (costs{}).CallCost(tc.function, "", tc.args, nil); cost != nil {
				got = *cost
			}
			if got != tc.want {
				t.Errorf("cost %d, want %d", got, tc.want)
			}
		})
	}
}
