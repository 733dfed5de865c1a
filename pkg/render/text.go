package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxDisplay bounds what [Display] returns, in runes.
const maxDisplay = 128

// Text returns a JSON value as format Keys writes it: the content of a string, anything else as compact JSON. What is
// not JSON comes back as it is. The result is valid UTF-8, as Kubernetes demands.
func Text(raw string) string {
	if strings.HasPrefix(strings.TrimLeft(raw, " \t\r\n"), `"`) {
		var text string
		if json.Unmarshal([]byte(raw), &text) == nil {
			return text
		}
	}
	return compact(raw)
}

// compact returns a JSON value without insignificant space. Numbers, escapes and the order of keys stay as they are.
// What is not JSON comes back as it is. The result is valid UTF-8.
func compact(raw string) string {
	if strings.ContainsAny(raw, " \t\r\n") {
		var b bytes.Buffer
		if json.Compact(&b, []byte(raw)) == nil {
			raw = b.String()
		}
	}
	return strings.ToValidUTF8(raw, "\uFFFD")
}

// Display returns a JSON value, or the text of an [Outcome], for people to read: as [Text] does, but at most 128 runes,
// the last of which is … where something was cut off.
func Display(raw string) string {
	text := Text(raw)
	if utf8.RuneCountInString(text) <= maxDisplay {
		return text
	}
	end, runes := 0, 0
	for end = range text {
		if runes == maxDisplay-1 {
			break
		}
		runes++
	}
	return text[:end] + "…"
}
