package eval

import (
	"strconv"
	"strings"
)

// skip steps over one value. It does not recurse: a document may nest as deeply as its size allows.
func (r *reader) skip() {
	r.stack, r.unreadable = r.stack[:0], false
	for {
		switch c := r.peek(); c {
		case '{', '[':
			r.pos++
			if closing := c + 2; r.peek() == closing {
				r.pos++
				break
			}
			r.stack = append(r.stack, c)
			r.unreadable = r.unreadable || len(r.stack) > maxValueDepth
			if c == '{' {
				r.skipKey()
			}
			if r.err != nil {
				return
			}
			continue
		case '"':
			r.skipString()
		case 't':
			r.literal("true")
		case 'f':
			r.literal("false")
		case 'n':
			r.literal("null")
		case 0:
			r.failEnd()
		default:
			r.skipNumber()
		}
		if r.err != nil || !r.nextInStack() {
			return
		}
	}
}

// nextInStack moves from a value to the next one inside the open brackets; it reports false when all are closed.
func (r *reader) nextInStack() bool {
	for len(r.stack) > 0 {
		open := r.stack[len(r.stack)-1]
		switch c := r.peek(); c {
		case ',':
			r.pos++
			if open == '{' {
				r.skipKey()
			}
			return r.err == nil
		case open + 2:
			r.pos++
			r.stack = r.stack[:len(r.stack)-1]
		case 0:
			r.failEnd()
			return false
		default:
			r.fail("unexpected %q after a value", c)
			return false
		}
	}
	return false
}

func (r *reader) skipKey() {
	if r.peek() != '"' {
		r.fail("want a member name")
		return
	}
	r.skipString()
	if r.err == nil && r.peek() != ':' {
		r.fail("want a colon after a member name")
		return
	}
	r.pos++
}

func (r *reader) literal(want string) {
	if !strings.HasPrefix(r.doc[r.pos:], want) {
		r.fail("invalid literal")
		return
	}
	r.pos += len(want)
}

// skipNumber steps over a number in JSON's grammar.
func (r *reader) skipNumber() {
	n := numberLength(r.doc[r.pos:])
	if n == 0 {
		r.fail("want a value")
		return
	}
	r.unreadable = r.unreadable || overflows(r.doc[r.pos:r.pos+n])
	r.pos += n
}

// overflows reports whether a JSON number is too large for a double.
func overflows(number string) bool {
	if len(number) < 300 && !strings.ContainsAny(number, "eE") {
		return false
	}
	_, err := strconv.ParseFloat(number, 64)
	return err != nil
}

// numberLength is the length of the JSON number at the start of s, 0 where there is none.
func numberLength(s string) int {
	i := 0
	if i < len(s) && s[i] == '-' {
		i++
	}
	n := digits(s[i:])
	if n == 0 || (n > 1 && s[i] == '0') {
		return 0
	}
	i += n
	if i < len(s) && s[i] == '.' {
		n = digits(s[i+1:])
		if n == 0 {
			return 0
		}
		i += 1 + n
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		n = digits(s[i:])
		if n == 0 {
			return 0
		}
		i += n
	}
	return i
}

// digits counts the decimal digits at the start of s.
func digits(s string) int {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return i
}
