package eval

import (
	"errors"
	"fmt"
)

// reader walks JSON text once, from front to back, and checks its grammar on the way. gjson can not serve here: it
// scans every enclosing object again for each level of nesting, and takes broken text for good. Text that isn't JSON
// ends the walk (err). A value of the wrong type doesn't: it is stepped over and remembered (mismatch), so that the
// caller can give up one spec and go on with the next.
type reader struct {
	doc      string
	pos      int
	err      error
	mismatch error
	// first is true between the opening of an object or array and its first member.
	first bool
	// stack is reused by skip for the brackets that are still open.
	stack []byte
	// unreadable tells about the value skipped last: it is JSON, but the reference decoder can't represent it.
	unreadable bool
	// legacy is true inside a v1 document, whose rules hold whole conditions and may leave out members.
	legacy bool
	// inlined holds the conditions of a v1 document by their text.
	inlined map[string]*rawCondition
	// ruleConditions are the conditions of all rules read so far; rules is reused from spec to spec.
	ruleConditions []ruleCondition
	rules          []rawRule
	// The blocks that specs and conditions are taken from.
	specs      slab[rawSpec]
	conditions slab[rawCondition]
}

// maxValueDepth is how deeply a value may nest before the reference decoder gives it up.
const maxValueDepth = 127

var errTruncated = errors.New("unexpected end of text")

// fail ends the walk. Moving to the end of the text ends every loop over members.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: "+format, append([]any{r.pos}, args...)...)
	}
	r.pos = len(r.doc)
}

// reject records that a value has the wrong type or range; the first one counts.
func (r *reader) reject(format string, args ...any) {
	if r.mismatch == nil {
		r.mismatch = fmt.Errorf(format, args...)
	}
}

// peek skips blanks and returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	for r.pos < len(r.doc) {
		c := r.doc[r.pos]
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		r.pos++
	}
	return 0
}

// open enters an object or array. Where the next value is of another type it is skipped and open returns false.
func (r *reader) open(bracket byte, want string) bool {
	if r.peek() != bracket {
		r.skip()
		r.reject("want %s", want)
		return false
	}
	r.pos++
	r.first = true
	return true
}

// more reports whether the object or array that was opened has another member, and steps over the comma before it.
func (r *reader) more(closing byte) bool {
	first := r.first
	r.first = false
	c := r.peek()
	switch {
	case c == closing:
		r.pos++
		return false
	case c == 0:
		r.failEnd()
		return false
	case first:
		return true
	case c == ',':
		r.pos++
		return true
	default:
		r.fail("unexpected %q after a value", c)
		return false
	}
}

func (r *reader) failEnd() {
	if r.pos < len(r.doc) {
		r.fail("unexpected NUL")
		return
	}
	r.fail("%w", errTruncated)
}

// key reads a member's name and the colon after it.
func (r *reader) key() string {
	if c := r.peek(); c != '"' {
		r.fail("want a member name")
		return ""
	}
	k, ok := r.text()
	if !ok {
		r.reject("member name holds a lone surrogate")
	}
	if r.peek() != ':' {
		r.fail("want a colon after a member name")
		return ""
	}
	r.pos++
	return k
}

// str reads a string; null and any other type are rejected.
func (r *reader) str() string {
	if r.peek() != '"' {
		r.skip()
		r.reject("want a string")
		return ""
	}
	s, ok := r.text()
	if !ok {
		r.reject("string holds a lone surrogate")
	}
	return s
}

// boolean reads true or false.
func (r *reader) boolean() bool { return r.tristate() == yes }

// captured returns the text of the value that read reads.
func (r *reader) captured(read func()) string {
	r.peek()
	start := r.pos
	read()
	if r.err != nil {
		return ""
	}
	return r.doc[start:r.pos]
}

// null steps over a null and reports whether there was one.
func (r *reader) null() bool {
	if r.peek() != 'n' {
		return false
	}
	r.skip()
	return true
}

// raw steps over one value of any type and returns its text.
func (r *reader) raw() string {
	return r.captured(r.skip)
}

// text reads the string that starts here. It reports false where an escape names half a surrogate pair, which has no
// UTF-8 form.
func (r *reader) text() (s string, ok bool) {
	start := r.pos + 1
	escaped := r.skipString()
	if r.err != nil {
		return "", true
	}
	s = r.doc[start : r.pos-1]
	if !escaped {
		return s, true
	}
	return unescape(s)
}

// stringValue decodes a JSON string; ok is false for any other value.
func stringValue(text string) (s string, ok bool) {
	if text == "" || text[0] != '"' {
		return "", false
	}
	r := &reader{doc: text}
	return r.str(), r.mismatch == nil
}
