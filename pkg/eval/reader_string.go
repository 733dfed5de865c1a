package eval

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// skipString steps over a string and reports whether it holds escapes.
func (r *reader) skipString() (escaped bool) {
	doc, i := r.doc, r.pos+1
	for i < len(doc) {
		switch c := doc[i]; {
		case c == '"':
			r.pos = i + 1
			return escaped
		case c == '\\':
			escaped = true
			n, paired := escapeLength(doc[i:])
			if n == 0 {
				r.pos = i
				r.fail("invalid escape")
				return escaped
			}
			r.unreadable = r.unreadable || !paired
			i += n
		case c < ' ':
			r.pos = i
			r.fail("control character in a string")
			return escaped
		default:
			i++
		}
	}
	r.pos = len(doc)
	r.fail("%w", errTruncated)
	return escaped
}

// escapeLength is the length of the escape sequence at the start of s, 0 where it is none. A surrogate pair is one
// sequence; paired is false for half of one.
func escapeLength(s string) (n int, paired bool) {
	if len(s) < 2 {
		return 0, true
	}
	if s[1] != 'u' {
		if strings.IndexByte(`"\/bfnrt`, s[1]) < 0 {
			return 0, true
		}
		return 2, true
	}
	c := codeUnit(s)
	switch {
	case c < 0:
		return 0, true
	case !utf16.IsSurrogate(c):
		return 6, true
	case utf16.DecodeRune(c, codeUnit(s[6:])) == utf8.RuneError:
		return 6, false
	default:
		return 12, true
	}
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	default:
		return -1
	}
}

// unescape resolves the escapes of a string whose grammar was checked.
func unescape(s string) (string, bool) {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		if s[i+1] != 'u' {
			b.WriteByte(unescaped[s[i+1]])
			i += 2
			continue
		}
		c := codeUnit(s[i:])
		i += 6
		if utf16.IsSurrogate(c) {
			c = utf16.DecodeRune(c, codeUnit(s[i:]))
			if c == utf8.RuneError {
				return "", false
			}
			i += 6
		}
		b.WriteRune(c)
	}
	return b.String(), true
}

// codeUnit is the UTF-16 code unit of the \u escape at the start of s, negative where there is none.
func codeUnit(s string) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	return hexDigit(s[2])<<12 | hexDigit(s[3])<<8 | hexDigit(s[4])<<4 | hexDigit(s[5])
}

// unescaped maps the letter of a short escape to its character.
var unescaped = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}
