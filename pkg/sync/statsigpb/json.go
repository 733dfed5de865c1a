package statsigpb

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

// object appends the members of one JSON object to buf.
type object struct{ buf []byte }

func (o *object) begin() { o.buf = append(o.buf, '{') }
func (o *object) end()   { o.buf = append(o.buf, '}') }

// key begins a member.
func (o *object) key(name string) {
	o.separate()
	o.buf = appendString(o.buf, name)
	o.buf = append(o.buf, ':')
}

// separate puts a comma between two members or elements.
func (o *object) separate() {
	switch o.buf[len(o.buf)-1] {
	case '{', '[':
	default:
		o.buf = append(o.buf, ',')
	}
}

func (o *object) raw(name string, json []byte) {
	o.key(name)
	o.buf = append(o.buf, json...)
}

func (o *object) text(name string, text []byte) {
	o.key(name)
	o.buf = appendString(o.buf, text)
}

func (o *object) bool(name string, value bool) {
	o.key(name)
	o.buf = strconv.AppendBool(o.buf, value)
}

func (o *object) uint(name string, value uint64) {
	o.key(name)
	o.buf = strconv.AppendUint(o.buf, value, 10)
}

// texts leaves an empty list out.
func (o *object) texts(name string, texts [][]byte) {
	if len(texts) == 0 {
		return
	}
	o.key(name)
	o.list(texts)
}

func (o *object) list(texts [][]byte) {
	o.buf = append(o.buf, '[')
	for _, text := range texts {
		o.separate()
		o.buf = appendString(o.buf, text)
	}
	o.buf = append(o.buf, ']')
}

func (o *object) optionalText(name string, text []byte) {
	if text != nil {
		o.text(name, text)
	}
}

func (o *object) optionalBool(name string, value optional[bool]) {
	if value.set {
		o.bool(name, value.value)
	}
}

const hexDigits = "0123456789abcdef"

// appendString appends text, which is UTF-8, as a JSON string.
func appendString[T ~string | ~[]byte](buf []byte, text T) []byte {
	buf = append(buf, '"')
	start := 0
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		buf = append(buf, text[start:i]...)
		start = i + 1
		if c >= ' ' {
			buf = append(buf, '\\', c)
		} else {
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	buf = append(buf, text[start:]...)
	return append(buf, '"')
}

// appendDouble appends value so that it stays a floating-point number to a reader who tells 1.0 from 1. JSON has no word
// for what is not finite; null is what the official SDK makes of it.
func appendDouble(buf []byte, value float64) []byte {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return append(buf, "null"...)
	}
	start := len(buf)
	buf = strconv.AppendFloat(buf, value, 'g', -1, 64)
	for _, c := range buf[start:] {
		if c == '.' || c == 'e' {
			return buf
		}
	}
	return append(buf, ".0"...)
}

var errJSON = errors.New("is not JSON")

// checkJSON keeps text that would break the document around it out of it.
func checkJSON(text []byte) error {
	if !json.Valid(text) || !utf8.Valid(text) {
		return errJSON
	}
	return nil
}
