package eval

import (
	"math"
	"strconv"
	"strings"
)

// parseFloat reads a number as the reference does: decimal and exponent forms, "inf", "infinity" and "nan" in any case,
// an optional sign; no blanks, hexadecimals or underscores. Numbers too large for a double are infinite.
func parseFloat(s string) (float64, bool) {
	if !floatSyntax(s) {
		return 0, false
	}
	if last := s[len(s)-1] | 0x20; last == 'n' {
		// strconv knows NaN without a sign only.
		return math.NaN(), true
	}
	// The only error left is a range error, and then the value is the infinity or zero wanted.
	f, _ := strconv.ParseFloat(s, 64)
	return f, true
}

// floatSyntax checks the grammar first: strconv accepts more, and allocates an error for each word it refuses.
func floatSyntax(s string) bool {
	s = unsigned(s)
	if s == "" {
		return false
	}
	if s[0] > '9' {
		return strings.EqualFold(s, "inf") || strings.EqualFold(s, "infinity") || strings.EqualFold(s, "nan")
	}
	whole := digits(s)
	s = s[whole:]
	fraction := 0
	if s != "" && s[0] == '.' {
		fraction = digits(s[1:])
		s = s[1+fraction:]
	}
	if s == "" {
		return whole+fraction > 0
	}
	exponent := unsigned(s[1:])
	return whole+fraction > 0 && s[0]|0x20 == 'e' && exponent != "" && digits(exponent) == len(exponent)
}

// unsigned drops a sign.
func unsigned(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

// parseInt reads a signed 64-bit decimal integer with an optional sign.
func parseInt(s string) (int64, bool) {
	if u := unsigned(s); u == "" || digits(u) != len(u) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// formatFloat prints a number in full: no exponent, and no fraction where it is whole.
func formatFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// appendJSONFloat prints a double as the reference's JSON writer does: always with a fraction or an exponent, and with
// an exponent only outside 1e-5 … 1e16.
func appendJSONFloat(dst []byte, f float64) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	mark := strings.LastIndexByte(string(dst[start:]), 'e')
	if mark < 0 {
		return append(dst[:start], "null"...) // NaN and infinities have no JSON form
	}
	exponent, _ := strconv.Atoi(string(dst[start+mark+1:]))
	if exponent < -5 || exponent >= 16 {
		dst = append(dst[:start+mark+1], strconv.Itoa(exponent)...)
		return dst
	}
	dst = strconv.AppendFloat(dst[:start], f, 'f', -1, 64)
	if strings.IndexByte(string(dst[start:]), '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendNestedFloat prints a double inside an array or object, where the reference reads whole ones as integers.
func appendNestedFloat(dst []byte, f float64) []byte {
	if math.Abs(f) >= 1e21 || math.IsNaN(f) {
		return appendJSONFloat(dst, f)
	}
	return append(dst, canonicalNumber(formatFloat(f+0))...)
}

// canonicalNumber is the text of a number in a document after the reference has read it and prints it again: whole
// numbers that fit 64 bits stay, all others become doubles.
func canonicalNumber(text string) string {
	if digits(text) == len(text) {
		if _, err := strconv.ParseUint(text, 10, 64); err == nil {
			return text
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n != 0 {
		return text
	}
	f, _ := strconv.ParseFloat(text, 64)
	return string(appendJSONFloat(nil, f))
}
