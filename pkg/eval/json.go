package eval

import (
	"encoding/json"

	"github.com/tidwall/gjson"
)

// parseAny decodes JSON into nil, bool, string, json.Number, []any and map[string]any. Numbers keep their spelling.
func parseAny(text string) any { return decodeAny(gjson.Parse(text)) }

func decodeAny(j gjson.Result) any {
	switch j.Type {
	case gjson.True, gjson.False:
		return j.Type == gjson.True
	case gjson.Number:
		return json.Number(j.Raw)
	case gjson.String:
		return j.Str
	case gjson.JSON:
	default:
		return nil
	}
	if j.IsArray() {
		list := []any{}
		j.ForEach(func(_, e gjson.Result) bool {
			list = append(list, decodeAny(e))
			return true
		})
		return list
	}
	m := map[string]any{}
	j.ForEach(func(name, e gjson.Result) bool {
		m[name.Str] = decodeAny(e)
		return true
	})
	return m
}
