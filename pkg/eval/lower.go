package eval

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lower is Unicode's full lower-case mapping, as the reference applies it: other than strings.ToLower it maps the
// capital sigma at the end of a word to its final form, and the dotted capital I to two characters. A string that has
// no upper case is returned as it is.
func lower(s string) string {
	i := 0
	for i < len(s) && s[i] < utf8.RuneSelf && (s[i] < 'A' || 'Z' < s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	if isASCII(s[i:]) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s) + 2)
	for i, c := range s {
		switch c {
		case 'İ':
			b.WriteString("i̇")
		case 'Σ':
			if isFinalSigma(s[:i], s[i+len("Σ"):]) {
				b.WriteRune('ς')
			} else {
				b.WriteRune('σ')
			}
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isFinalSigma is Unicode's Final_Sigma condition: a cased letter before, none after, case-ignorable ones in between
// not counted.
func isFinalSigma(before, after string) bool {
	return casedBefore(before) && !casedAfter(after)
}

func casedBefore(s string) bool {
	for s != "" {
		c, n := utf8.DecodeLastRuneInString(s)
		if !isCaseIgnorable(c) {
			return isCased(c)
		}
		s = s[:len(s)-n]
	}
	return false
}

func casedAfter(s string) bool {
	for _, c := range s {
		if !isCaseIgnorable(c) {
			return isCased(c)
		}
	}
	return false
}

func isCased(c rune) bool {
	return unicode.In(c, unicode.Upper, unicode.Lower, unicode.Title, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

func isCaseIgnorable(c rune) bool {
	return unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", c)
}
