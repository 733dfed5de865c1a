package eval

import (
	"github.com/tidwall/gjson"
)

// Readable are the types that [As] reads.
type Readable interface {
	bool | string | int | int64 | float64 | []any | map[string]any
}

// As reads a parameter's JSON, as [Result.Parameter] and [Evaluator.Parameter] return it, as a T. Where it is of another
// kind, null or missing, that is the fallback and ok is false; a layer's parameter then counts as not read, and is not
// exposed. Kinds are not converted: "5" and true are no numbers, and only a number without fraction and exponent that
// fits is an integer. Numbers in arrays and objects are of type [encoding/json.Number].
func As[T Readable](json string, fallback T) (v T, ok bool) {
	var found any
	parsed := gjson.Parse(json)
	switch any(fallback).(type) {
	case bool:
		found, ok = parsed.Type == gjson.True, parsed.IsBool()
	case string:
		found, ok = parsed.Str, parsed.Type == gjson.String
	case int:
		found, ok = integer[int](parsed)
	case int64:
		found, ok = integer[int64](parsed)
	case float64:
		found, ok = parsed.Num, parsed.Type == gjson.Number
	case []any:
		found, ok = decodeAny(parsed), parsed.IsArray()
	case map[string]any:
		found, ok = decodeAny(parsed), parsed.IsObject()
	}
	if !ok {
		return fallback, false
	}
	v, ok = found.(T)
	return v, ok
}

// integer reads a number that is spelled as one.
func integer[T int | int64](n gjson.Result) (v T, ok bool) {
	if n.Type != gjson.Number || n.Raw == "-0" {
		return 0, false
	}
	parsed, ok := parseInt(n.Raw)
	return T(parsed), ok && int64(T(parsed)) == parsed
}
