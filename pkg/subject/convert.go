package subject

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// typeNames replaces CEL's inner names of types by those that expressions use.
var typeNames = strings.NewReplacer(
	"google.protobuf.Timestamp", "timestamp", "google.protobuf.Duration", "duration", "null_type", "null")

func notText(got string) string {
	return fmt.Sprintf("gives %s, but a string is needed; convert it with string(…)", typeNames.Replace(got))
}

func notJSON(got string) string {
	return fmt.Sprintf("gives %s, which is no JSON value; convert it with string(…)", typeNames.Replace(got))
}

// givesText judges the type of an expression that has to give a string. A type that is known only at run time passes.
func givesText(t *cel.Type) error {
	switch present(t).Kind() {
	case types.StringKind, types.DynKind, types.TypeParamKind:
		return nil
	default:
		return errors.New(notText(t.String()))
	}
}

// givesJSON judges the type of an expression that has to give a JSON value. A type that is known only at run time
// passes.
func givesJSON(t *cel.Type) error {
	if !isJSON(present(t)) {
		return errors.New(notJSON(t.String()))
	}
	return nil
}

func isJSON(t *cel.Type) bool {
	switch t.Kind() {
	case types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.StringKind, types.NullTypeKind,
		types.DynKind, types.TypeParamKind:
		return true
	case types.ListKind:
		return isJSON(t.Parameters()[0])
	case types.MapKind:
		return givesText(t.Parameters()[0]) == nil && isJSON(t.Parameters()[1])
	default:
		return false
	}
}

// present returns the type that an optional type has when it is not empty, and any other type as it is.
func present(t *cel.Type) *cel.Type {
	if t.TypeName() == types.OptionalType.TypeName() && len(t.Parameters()) == 1 {
		return t.Parameters()[0]
	}
	return t
}

// plain returns a CEL value as the plain Go value that encoding/json would make of it, but with integers kept as such.
func plain(value ref.Val) (any, error) {
	switch v := value.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		return uint64(v), nil
	case types.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, errors.New("gives a number that is not finite, which is no JSON value")
		}
		return float64(v), nil
	case types.String:
		return string(v), nil
	case traits.Mapper:
		return plainMap(v)
	case traits.Lister:
		return plainList(v)
	}
	return nil, errors.New(notJSON(value.Type().TypeName()))
}

func plainList(list traits.Lister) (any, error) {
	size, _ := list.Size().(types.Int)
	out := make([]any, 0, size)
	for it := list.Iterator(); it.HasNext() == types.True; {
		element, err := plain(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, element)
	}
	return out, nil
}

func plainMap(m traits.Mapper) (any, error) {
	size, _ := m.Size().(types.Int)
	out := make(map[string]any, size)
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("gives a map with a key of type %s; JSON has only strings there", key.Type().TypeName())
		}
		element, err := plain(m.Get(key))
		if err != nil {
			return nil, err
		}
		out[string(name)] = element
	}
	return out, nil
}
