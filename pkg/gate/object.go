package gate

import (
	"reflect"
	"strconv"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/tidwall/gjson"
)

// object is a JSON object as a CEL map from strings to anything. It reads its text in place, since an expression mostly
// wants one member of it, and remembers what it has read, since loops want the same again and again. Unlike CEL's own
// maps it has an order, that of the text, so that an expression that lists members gives the same verdict each time. It
// belongs to one evaluation.
type object struct {
	json gjson.Result
	// first is the member that was looked up first, nil before that.
	first *member
	// members are all of them, nil until more than one is wanted.
	members *members
}

// member is one name's value, which is nil where there is none.
type member struct {
	name  string
	value ref.Val
}

// members are all members of an object.
type members struct {
	// names are in the order of the text, each once.
	names []string
	// texts has the last value where there are several of a name, as everywhere in the evaluator. values has those
	// looked up.
	texts  map[string]gjson.Result
	values map[string]ref.Val
	// whole is a map of CEL's own, nil until it is wanted.
	whole traits.Mapper
}

// memberOf returns the last member of a name.
func memberOf(json gjson.Result, name string) (value gjson.Result, found bool) {
	json.ForEach(func(key, v gjson.Result) bool {
		if key.Str == name {
			value, found = v, true
		}
		return true
	})
	return value, found
}

// all returns all members.
func (o *object) all() *members {
	if o.members != nil {
		return o.members
	}
	m := &members{names: []string{}, texts: map[string]gjson.Result{}, values: map[string]ref.Val{}}
	o.json.ForEach(func(key, value gjson.Result) bool {
		if _, ok := m.texts[key.Str]; !ok {
			m.names = append(m.names, key.Str)
		}
		m.texts[key.Str] = value
		return true
	})
	o.members = m
	return m
}

// value returns a member's value, nil when there is none.
func (m *members) value(name string) ref.Val {
	if value, ok := m.values[name]; ok {
		return value
	}
	text, ok := m.texts[name]
	if !ok {
		return nil
	}
	value := valueOf(text)
	m.values[name] = value
	return value
}

// native returns the object as a map of CEL's own.
func (o *object) native() traits.Mapper {
	m := o.all()
	if m.whole == nil {
		values := make(map[ref.Val]ref.Val, len(m.names))
		for _, name := range m.names {
			values[types.String(name)] = m.value(name)
		}
		m.whole = types.NewRefValMap(types.DefaultTypeAdapter, values)
	}
	return m.whole
}

// Find implements [traits.Mapper].
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	text, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	name := string(text)
	if o.first == nil {
		o.first = &member{name: name}
		if value, found := memberOf(o.json, name); found {
			o.first.value = valueOf(value)
		}
	}
	value := o.first.value
	if o.first.name != name {
		value = o.all().value(name)
	}
	return value, value != nil
}

// Get implements [traits.Mapper].
func (o *object) Get(key ref.Val) ref.Val {
	if value, found := o.Find(key); found {
		return value
	}
	return noSuchKey(key)
}

// noSuchKey is CEL's error for a missing member.
func noSuchKey(key ref.Val) ref.Val { return types.NewErr(noSuchKeyPrefix+"%v", key) }

// Contains implements [traits.Mapper].
func (o *object) Contains(key ref.Val) ref.Val {
	_, found := o.Find(key)
	return types.Bool(found)
}

// Size implements [traits.Mapper].
func (o *object) Size() ref.Val { return types.Int(len(o.all().names)) }

// Iterator implements [traits.Mapper].
func (o *object) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, o.all().names).Iterator()
}

// Equal implements [ref.Val].
func (o *object) Equal(other ref.Val) ref.Val { return o.native().Equal(other) }

// ConvertToNative implements [ref.Val].
func (o *object) ConvertToNative(desc reflect.Type) (any, error) {
	return o.native().ConvertToNative(desc)
}

// ConvertToType implements [ref.Val].
func (o *object) ConvertToType(t ref.Type) ref.Val { return o.native().ConvertToType(t) }

// Type implements [ref.Val].
func (o *object) Type() ref.Type { return types.MapType }

// Value implements [ref.Val].
func (o *object) Value() any { return o.native().Value() }

// valueOf returns a JSON value as CEL knows it. A number that is spelled as an integer, and fits one, is an int:
// doubles hold integers above 2^53 inexactly.
func valueOf(json gjson.Result) ref.Val {
	switch json.Type {
	case gjson.True, gjson.False:
		return types.Bool(json.Type == gjson.True)
	case gjson.Number:
		if n, err := strconv.ParseInt(json.Raw, 10, 64); err == nil {
			return types.Int(n)
		}
		return types.Double(json.Num)
	case gjson.String:
		return types.String(json.Str)
	case gjson.JSON:
		if json.IsObject() {
			return &object{json: json}
		}
		elements := []ref.Val{}
		json.ForEach(func(_, element gjson.Result) bool {
			elements = append(elements, valueOf(element))
			return true
		})
		return types.NewRefValList(types.DefaultTypeAdapter, elements)
	default:
		return types.NullValue
	}
}
