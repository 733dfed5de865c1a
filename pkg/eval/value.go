package eval

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// valueKind is the JSON kind of a user's value.
type valueKind uint8

const (
	kindNull valueKind = iota // also: missing
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// value is a user-side operand with all its views worked out: what it is as a number, a text, an instant, and so on.
// The zero value is a missing one. Values are shared by evaluations and never change, but for what nested holds. Its
// size is kept to one cache line: evaluating many users in turn is a matter of memory.
type value struct {
	kind       valueKind
	truth      bool
	hasNumber  bool
	hasInstant bool
	// hasText is false for null and objects, whose text reads as "" where an operator can do with that.
	hasText bool
	lower   string
	text    string
	number  float64
	instant int64 // Unix milliseconds
	nested  atomic.Pointer[nestedValue]
}

// nestedValue is what few values have.
type nestedValue struct {
	// elements are an array's members as texts.
	elements []element
	// members are an object's members as texts.
	members map[string]string
	// listHash is the text's hash in ID lists, worked out when first needed.
	listHash string
}

// elements are an array's members, nil for other values.
func (v *value) elements() []element {
	if n := v.nested.Load(); n != nil {
		return n.elements
	}
	return nil
}

// members are an object's members, nil for other values.
func (v *value) members() map[string]string {
	if n := v.nested.Load(); n != nil {
		return n.members
	}
	return nil
}

// element is a member of an array. Null and objects have no text, and equal nothing.
type element struct {
	text, lower string
	hasText     bool
}

// absent stands for a value the user doesn't have.
var absent = &value{}

func (v *value) setBool(b bool) {
	v.kind, v.truth = kindBool, b
	v.setText(strconv.FormatBool(b))
}

func (v *value) setNumber(f float64) {
	v.kind, v.number, v.hasNumber = kindNumber, f, true
	// Only whole numbers in the range of an int64 are times.
	if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
		v.setInstant(int64(f))
	}
	v.setText(formatFloat(f))
}

func (v *value) setInt(n int64) {
	v.setNumber(float64(n))
	v.setInstant(n)
}

func (v *value) setUint(n uint64) {
	if n > math.MaxInt64 {
		v.setNumber(float64(n))
		return
	}
	v.setInt(int64(n))
}

func (v *value) setString(s string) {
	v.kind = kindString
	v.setText(s)
	v.number, v.hasNumber = parseFloat(s)
	if ms, ok := parseUserTime(s); ok {
		v.setInstant(ms)
	}
}

// setInstant sets the view as a time. Small numbers are seconds, whatever form they were given in.
func (v *value) setInstant(n int64) {
	if -maxSeconds < n && n < maxSeconds {
		n *= 1000
	}
	v.instant, v.hasInstant = n, true
}

// setText sets the text view.
func (v *value) setText(s string) {
	v.text, v.hasText = s, true
	v.lower = lower(s)
}

// set fills v from a Go value; kinds that JSON doesn't have count as null.
func (v *value) set(x any) {
	switch x := x.(type) {
	case nil:
	case string:
		v.setString(x)
	case bool:
		v.setBool(x)
	case float64:
		v.setNumber(x)
	case int:
		v.setInt(int64(x))
	case json.Number:
		v.setLiteral(x)
	case []any:
		v.setArray(x)
	case map[string]any:
		v.setObject(x)
	default:
		v.setReflected(reflect.ValueOf(x))
	}
}

func (v *value) setArray(list []any) {
	v.kind = kindArray
	elements := make([]element, len(list))
	for i, e := range list {
		text, ok := textOf(e)
		elements[i] = element{text: text, lower: lower(text), hasText: ok}
	}
	v.nested.Store(&nestedValue{elements: elements})
	v.setText(string(appendJSON(nil, list, 1)))
}

func (v *value) setObject(m map[string]any) {
	v.kind = kindObject
	members := make(map[string]string, len(m))
	for name, e := range m {
		members[name], _ = textOf(e)
	}
	v.nested.Store(&nestedValue{members: members})
}

// setLiteral fills v from a number as it was spelled.
func (v *value) setLiteral(n json.Number) {
	if i, ok := parseInt(string(n)); ok && n != "-0" { // -0 is a double, which keeps its sign
		v.setInt(i)
		return
	}
	if f, ok := parseFloat(string(n)); ok && !math.IsInf(f, 0) {
		v.setNumber(f)
	}
}

// setReflected fills v from the less usual number types, slices and maps.
func (v *value) setReflected(x reflect.Value) {
	switch {
	case x.CanInt():
		v.setInt(x.Int())
	case x.CanUint():
		v.setUint(x.Uint())
	case x.CanFloat():
		v.setNumber(x.Float())
	case x.Kind() == reflect.Bool:
		v.setBool(x.Bool())
	case x.Kind() == reflect.String:
		v.setString(x.String())
	case isNested(x):
		if y := plain(x); y != nil {
			v.set(y)
		}
	}
}

// plain turns slices and string-keyed maps of any element type into []any and map[string]any, other maps into nil.
func plain(x reflect.Value) any {
	switch already := x.Interface().(type) {
	case []any, map[string]any:
		return already
	}
	if x.Kind() != reflect.Map {
		list := make([]any, x.Len())
		for i := range list {
			list[i] = x.Index(i).Interface()
		}
		return list
	}
	if x.Type().Key().Kind() != reflect.String {
		return nil
	}
	m := make(map[string]any, x.Len())
	for i := x.MapRange(); i.Next(); {
		m[i.Key().String()] = i.Value().Interface()
	}
	return m
}

// textOf is the text view of a member of an array or object; ok is false for null and objects, which have none.
func textOf(x any) (text string, ok bool) {
	if r := reflect.ValueOf(x); isNested(r) {
		if r.Kind() == reflect.Map {
			return "", false
		}
		return string(appendJSON(nil, x, 1)), true
	}
	var v value
	v.set(x)
	return v.text, v.hasText
}

func isNested(r reflect.Value) bool {
	return r.Kind() == reflect.Slice || r.Kind() == reflect.Array || r.Kind() == reflect.Map
}

// appendJSON appends x as compact JSON in the reference's spelling: whole numbers are integers, only what must be
// escaped is, members of objects are sorted by name. What nests deeper than the reference reads is null; depth is
// that of x.
func appendJSON(dst []byte, x any, depth int) []byte {
	switch x := x.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, x)
	case string:
		return appendJSONString(dst, x)
	case float64:
		return appendNestedFloat(dst, x)
	case json.Number:
		return append(dst, canonicalNumber(string(x))...)
	case []any, map[string]any:
		return appendJSONNested(dst, x, depth)
	}
	r := reflect.ValueOf(x)
	switch {
	case isNested(r):
		return appendJSONNested(dst, plain(r), depth)
	case r.CanInt():
		return strconv.AppendInt(dst, r.Int(), 10)
	case r.CanUint():
		return strconv.AppendUint(dst, r.Uint(), 10)
	case r.CanFloat():
		return appendNestedFloat(dst, r.Float())
	case r.Kind() == reflect.Bool:
		return strconv.AppendBool(dst, r.Bool())
	case r.Kind() == reflect.String:
		return appendJSONString(dst, r.String())
	default:
		return append(dst, "null"...)
	}
}

// appendJSONNested appends what plain returns.
func appendJSONNested(dst []byte, x any, depth int) []byte {
	if depth > maxValueDepth {
		return append(dst, "null"...)
	}
	switch x := x.(type) {
	case []any:
		dst = append(dst, '[')
		for i, e := range x {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, e, depth+1)
		}
		return append(dst, ']')
	case map[string]any:
		return appendJSONObject(dst, x, depth)
	default:
		return append(dst, "null"...)
	}
}

func appendJSONObject(dst []byte, m map[string]any, depth int) []byte {
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, name), ':')
		dst = appendJSON(dst, m[name], depth+1)
	}
	return append(dst, '}')
}

const hexDigits = "0123456789abcdef"

// appendJSONString appends s in quotes. Invalid UTF-8 is replaced, because no JSON text can carry it.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	if isPlain(s) {
		return append(append(dst, s...), '"')
	}
	for _, c := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case c == '"' || c == '\\':
			dst = utf8.AppendRune(append(dst, '\\'), c)
		case c >= ' ':
			dst = utf8.AppendRune(dst, c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(dst, '"')
}

// isPlain reports whether s can stand in JSON as it is, which nearly all names and rule IDs can.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
