package render

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// Format is how entries are written into a ConfigMap.
type Format string

const (
	// Keys has one key for each entry. A JSON string is written without its quotes, other values as compact JSON.
	Keys Format = "Keys"
	// JSON has one key, flags.json by default, with an object of all entries, one a line and sorted by name.
	JSON Format = "JSON"
)

// format is what tells one [Format] from another.
type format struct {
	// key is where the document goes by default; "" for a format without one.
	key string
	// value writes one value.
	value func(raw string) string
	// write puts the values of all entries together. It may reorder them.
	write func(members []member, key string) map[string]string
	// read is the inverse of write. It finds nothing in what it cannot read.
	read func(data map[string]string, key string) lookup
}

var formats = map[Format]format{
	Keys: {value: Text, write: writeKeys, read: readKeys},
	JSON: {key: "flags.json", value: compact, write: writeJSON, read: readJSON},
}

func writeKeys(members []member, _ string) map[string]string {
	data := make(map[string]string, len(members))
	for _, m := range members {
		data[m.name] = m.text
	}
	return data
}

func readKeys(data map[string]string, _ string) lookup {
	return func(name string) (string, bool) {
		text, ok := data[name]
		return text, ok
	}
}

func writeJSON(members []member, key string) map[string]string {
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	var b strings.Builder
	separator := "{\n  \""
	for _, m := range members {
		b.WriteString(separator)
		b.WriteString(m.name) // its characters need no escape
		b.WriteString(`": `)
		b.WriteString(m.text)
		separator = ",\n  \""
	}
	if len(members) == 0 {
		return map[string]string{key: "{}\n"}
	}
	b.WriteString("\n}\n")
	return map[string]string{key: b.String()}
}

func readJSON(data map[string]string, key string) lookup {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(data[key]), &members); err != nil {
		// What cannot be read holds nothing that could be kept.
		members = nil
	}
	return func(name string) (string, bool) {
		raw, ok := members[name]
		return compact(string(raw)), ok
	}
}
