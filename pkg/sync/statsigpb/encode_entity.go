package statsigpb

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protowire"
)

// members says which member of a JSON object becomes which field; others are left out, and so is null.
type members map[string]func(buf []byte, value gjson.Result) ([]byte, error)

func (m members) encode(buf []byte, value gjson.Result) ([]byte, error) {
	var err error
	value.ForEach(func(key, value gjson.Result) bool {
		write, ok := m[key.String()]
		if !ok || value.Type == gjson.Null {
			return true
		}
		if buf, err = write(buf, value); err != nil {
			err = fmt.Errorf("%s: %w", key.String(), err)
		}
		return err == nil
	})
	return buf, err
}

var specMembers = members{
	"salt":                asText(1),
	"enabled":             asBool(2),
	"defaultValue":        asReturnValue(3),
	"entity":              asName(4, entityNames),
	"idType":              asIDType(5),
	"version":             asUint(6),
	"rules":               asRules,
	"isActive":            asBool(8),
	"explicitParameters":  asTexts(9),
	"hasSharedParams":     asBool(10),
	"targetAppIDs":        asTexts(11),
	"useNewLayerEval":     asBool(12),
	"forwardAllExposures": asBool(13),
	"fieldsUsed":          asTexts(14),
}

var ruleMembers = members{
	"name":              asText(1),
	"passPercentage":    asPercentage,
	"id":                asText(3),
	"salt":              asText(4),
	"conditions":        asTexts(5),
	"idType":            asIDType(6),
	"returnValue":       asReturnValue(7),
	"groupName":         asText(8),
	"configDelegate":    asText(9),
	"isExperimentGroup": asBool(10),
	"isControlGroup":    asBool(11),
	"samplingRate":      asFloat(12),
}

var conditionMembers = members{
	"type":             asName(1, conditionNames),
	"idType":           asIDType(2),
	"targetValue":      asAnyValue,
	"operator":         asName(4, operatorNames),
	"field":            asText(5),
	"additionalValues": asRaw(6),
}

func appendText(b []byte, number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), text)
}

func appendMessage(b []byte, number protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), message)
}

func appendUint(b []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), value)
}

func appendBool(b []byte, number protowire.Number, value bool) []byte {
	return appendUint(b, number, protowire.EncodeBool(value))
}

type writeFunc = func([]byte, gjson.Result) ([]byte, error)

func asText(number protowire.Number) writeFunc {
	return func(b []byte, v gjson.Result) ([]byte, error) { return appendText(b, number, v.String()), nil }
}

func asTexts(number protowire.Number) writeFunc {
	return func(b []byte, v gjson.Result) ([]byte, error) {
		for _, text := range v.Array() {
			b = appendText(b, number, text.String())
		}
		return b, nil
	}
}

func asRaw(number protowire.Number) writeFunc {
	return func(b []byte, v gjson.Result) ([]byte, error) { return appendText(b, number, v.Raw), nil }
}

func asBool(number protowire.Number) writeFunc {
	return func(b []byte, v gjson.Result) ([]byte, error) { return appendBool(b, number, v.Bool()), nil }
}

func asUint(number protowire.Number) writeFunc {
	return func(b []byte, v gjson.Result) ([]byte, error) { return appendUint(b, number, v.Uint()), nil }
}

func asFloat(number protowire.Number) writeFunc {
	return func(b []byte, v gjson.Result) ([]byte, error) {
		b = protowire.AppendTag(b, number, protowire.Fixed32Type)
		return protowire.AppendFixed32(b, math.Float32bits(float32(v.Float()))), nil
	}
}

func asName(number protowire.Number, names []string) writeFunc {
	return func(b []byte, v gjson.Result) ([]byte, error) {
		i := slices.Index(names, v.String())
		if i <= 0 {
			return nil, fmt.Errorf("there is no number for %q", v.String())
		}
		return appendUint(b, number, uint64(i)), nil
	}
}

func asIDType(number protowire.Number) writeFunc {
	return func(b []byte, v gjson.Result) ([]byte, error) {
		if i := slices.Index(idTypeNames, v.String()); i > 0 {
			return appendMessage(b, number, appendUint(nil, 1, uint64(i))), nil
		}
		return appendMessage(b, number, appendText(nil, 2, v.String())), nil
	}
}

func asReturnValue(number protowire.Number) writeFunc {
	return func(b []byte, v gjson.Result) ([]byte, error) {
		if v.IsBool() {
			return appendMessage(b, number, appendBool(nil, 1, v.Bool())), nil
		}
		return appendMessage(b, number, appendText(nil, 2, v.Raw)), nil
	}
}

func asRules(b []byte, v gjson.Result) ([]byte, error) {
	for _, rule := range v.Array() {
		data, err := ruleMembers.encode(nil, rule)
		if err != nil {
			return nil, err
		}
		b = appendMessage(b, 7, data)
	}
	return b, nil
}

// asPercentage writes both fields: the old one, for whole numbers, and the one that is preferred.
func asPercentage(b []byte, v gjson.Result) ([]byte, error) {
	if whole := v.Float(); whole >= 0 && whole <= math.MaxUint32 {
		b = appendUint(b, 2, uint64(whole))
	}
	b = protowire.AppendTag(b, 13, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(v.Float())), nil
}

// asAnyValue keeps the spelling of whatever is not a string, a boolean or a whole number.
func asAnyValue(b []byte, v gjson.Result) ([]byte, error) {
	var value []byte
	whole, err := strconv.ParseInt(v.Raw, 10, 64)
	switch {
	case v.Type == gjson.String:
		value = appendText(value, 1, v.String())
	case v.IsBool():
		value = appendBool(value, 2, v.Bool())
	case err == nil && strconv.FormatInt(whole, 10) == v.Raw:
		value = appendUint(value, 3, uint64(whole)) //nolint:gosec // an int64 travels as its bits
	default:
		value = appendText(value, 6, v.Raw)
	}
	return appendMessage(b, 3, value), nil
}
