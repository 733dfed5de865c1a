package eval

import (
	"cmp"
	"math/bits"
	"strings"
)

// versionPart is a part of a version between two dots: a whole number of up to 127 bits, as in the reference. A part
// that is no number is bad.
type versionPart struct {
	high, low uint64
	bad       bool
}

func (p *versionPart) compare(q *versionPart) int {
	if p.high != q.high {
		return cmp.Compare(p.high, q.high)
	}
	return cmp.Compare(p.low, q.low)
}

// versionText drops what follows the first hyphen: pre-release and build marks don't count.
func versionText(s string) string {
	text, _, _ := strings.Cut(s, "-")
	return text
}

func parseVersion(s string) []versionPart {
	var parts []versionPart
	for part := range strings.SplitSeq(versionText(s), ".") {
		parts = append(parts, parseVersionPart(part))
	}
	return parts
}

// fewDigits is a number of digits that always fits 64 bits.
const fewDigits = 18

// parseVersionPart reads one part. Blanks around it are dropped; a plus sign may stand, a minus sign can't because the
// version was cut there.
func parseVersionPart(s string) versionPart {
	if s == "" || s[0] < '0' || s[len(s)-1] > '9' || s[len(s)-1] < '0' {
		if s = strings.TrimPrefix(strings.TrimSpace(s), "+"); s == "" {
			return versionPart{bad: true}
		}
	}
	var p versionPart
	for i := range len(s) {
		digit := uint64(s[i] - '0')
		if digit > 9 {
			return versionPart{bad: true}
		}
		if i < fewDigits {
			p.low = p.low*10 + digit
		} else if !p.append(digit) {
			return versionPart{bad: true}
		}
	}
	return p
}

// append appends a digit; it reports false when the number gets too large.
func (p *versionPart) append(digit uint64) bool {
	highest, high := bits.Mul64(p.high, 10)
	carry, low := bits.Mul64(p.low, 10)
	low, c := bits.Add64(low, digit, 0)
	high, overflow := bits.Add64(high, carry, c)
	p.high, p.low = high, low
	return highest|overflow == 0 && high>>63 == 0
}

// compareVersion compares from the left up to the first difference, a missing part counting as 0. A bad part makes the
// versions incomparable, but only if the comparison gets that far.
func compareVersion(a string, b []versionPart) (order int, ok bool) {
	a = versionText(a)
	more := true
	for i := 0; more || i < len(b); i++ {
		var p, q versionPart
		if more {
			var part string
			part, a, more = strings.Cut(a, ".")
			p = parseVersionPart(part)
		}
		if i < len(b) {
			q = b[i]
		}
		if p.bad || q.bad {
			return 0, false
		}
		if order = p.compare(&q); order != 0 {
			return order, true
		}
	}
	return 0, true
}
