package useragent

import "strings"

// token is a product, system or device that a user agent mentions. The version is empty when there is none.
type token struct{ tag, version string }

// windowsNames are the names that Windows versions have in place of numbers; all others have none.
var windowsNames = map[string]string{"5.1": "XP", "5.2": "XP", "6.0": "Vista", "6.1": "7", "6.3": "8.1", "10.0": "10"}

// versionText returns up to four parts of the version with dots between them. The second part is cut at its first
// character that is no digit.
func (t token) versionText() string {
	if t.version == "" {
		return noVersion
	}
	if t.tag == "Windows" {
		if name, ok := windowsNames[t.version]; ok {
			return name
		}
		return noVersion
	}
	limit := 4
	if t.tag == "YaBrowser" || t.tag == "Opera" || t.tag == "NetFront NX" {
		limit = 3
	}
	var space [64]byte
	text := space[:0]
	for part, rest := 0, t.version; part < limit && (part == 0 || rest != ""); part++ {
		var one string
		if end := strings.IndexAny(rest, "_,."); end < 0 {
			one, rest = rest, ""
		} else {
			one, rest = rest[:end], rest[end+1:]
		}
		if part == 1 {
			one = leadingDigits(one)
		}
		if part > 0 {
			text = append(text, '.')
		}
		text = append(text, one...)
	}
	// Most versions are written like this already, and need no memory of their own.
	if string(text) == t.version[:min(len(text), len(t.version))] {
		return t.version[:len(text)]
	}
	return string(text)
}

func leadingDigits(s string) string {
	end := 0
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	return s[:end]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
