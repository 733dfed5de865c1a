package eval

import (
	"strings"
	"unicode"
)

const (
	// maxSeconds is the first absolute value of a user's time that counts as milliseconds instead of seconds.
	maxSeconds = 10_000_000_000
	// Times of a user are texts of 8 to 20 bytes; longer ones, such as those with fractions of a second, are none.
	minTimeText, maxTimeText = 8, 20
	dayMilliseconds          = 86_400_000
)

// parseUserTime is the time view of a user's text: a whole number, or a date and time of limited length.
func parseUserTime(s string) (ms int64, ok bool) {
	if n, ok := parseInt(s); ok {
		return n, true
	}
	if len(s) < minTimeText || len(s) > maxTimeText || !strings.ContainsAny(s, "-T:") {
		return 0, false
	}
	return parseDateTime(s)
}

// parseTargetTime is the time view of a text in a document, which may have any length.
func parseTargetTime(s string) (ms int64, ok bool) {
	if n, ok := parseInt(s); ok {
		return n, true
	}
	return parseDateTime(s)
}

// parseDateTime reads RFC 3339, or "YYYY-MM-DD HH:MM:SS" in UTC, as Unix milliseconds.
func parseDateTime(s string) (ms int64, ok bool) {
	if ms, ok = parseRFC3339(s); ok {
		return ms, true
	}
	return parsePlainTime(s)
}

// scanner reads numbers and marks from the front of a text; after the first failure everything fails.
type scanner struct {
	rest string
	bad  bool
}

// number reads between least and most digits.
func (s *scanner) number(least, most int) int64 {
	n := min(digits(s.rest), most)
	if n < least {
		s.bad = true
		return 0
	}
	v, ok := parseInt(s.rest[:n])
	s.bad = s.bad || !ok
	s.rest = s.rest[n:]
	return v
}

// mark reads one of the bytes in set.
func (s *scanner) mark(set string) byte {
	if s.rest == "" || strings.IndexByte(set, s.rest[0]) < 0 {
		s.bad = true
		return 0
	}
	c := s.rest[0]
	s.rest = s.rest[1:]
	return c
}

func (s *scanner) blanks() { s.rest = strings.TrimLeftFunc(s.rest, unicode.IsSpace) }

// parseRFC3339 reads the strict form; the separator may be T, t or a blank.
func parseRFC3339(text string) (ms int64, ok bool) {
	s := scanner{rest: text}
	var t civil
	t.year = s.number(4, 4)
	s.mark("-")
	t.month = s.number(2, 2)
	s.mark("-")
	t.day = s.number(2, 2)
	s.mark("Tt ")
	t.hour = s.number(2, 2)
	s.mark(":")
	t.minute = s.number(2, 2)
	s.mark(":")
	t.second = s.number(2, 2)
	if !s.bad && strings.HasPrefix(s.rest, ".") {
		s.rest = s.rest[1:]
		t.millisecond = s.fraction()
	}
	offset := s.offset()
	if s.bad || s.rest != "" {
		return 0, false
	}
	ms, ok = t.unixMilli()
	return ms - offset*60_000, ok
}

// fraction reads the digits of a fraction of a second and returns its milliseconds.
func (s *scanner) fraction() int64 {
	n := digits(s.rest)
	if n == 0 {
		s.bad = true
		return 0
	}
	v, _ := parseInt((s.rest[:n] + "00")[:3])
	s.rest = s.rest[n:]
	return v
}

// offset reads a zone and returns its minutes east of UTC.
func (s *scanner) offset() int64 {
	sign := int64(1)
	switch s.mark("Zz+-") {
	case '+':
	case '-':
		sign = -1
	default:
		return 0
	}
	hours := s.number(2, 2)
	s.mark(":")
	minutes := s.number(2, 2)
	if hours > 23 || minutes > 59 {
		s.bad = true
	}
	return sign * (hours*60 + minutes)
}

// parsePlainTime reads "YYYY-MM-DD HH:MM:SS" as the reference's date library does: blanks may stand before each number,
// and leading zeros may be missing.
func parsePlainTime(text string) (ms int64, ok bool) {
	s := scanner{rest: text}
	var t civil
	s.blanks()
	t.year = s.year()
	s.mark("-")
	s.blanks()
	t.month = s.number(1, 2)
	s.mark("-")
	s.blanks()
	t.day = s.number(1, 2)
	s.blanks()
	t.hour = s.number(1, 2)
	s.mark(":")
	s.blanks()
	t.minute = s.number(1, 2)
	s.mark(":")
	s.blanks()
	t.second = s.number(1, 2)
	if s.bad || s.rest != "" {
		return 0, false
	}
	return t.unixMilli()
}

// year reads four digits, or any number of them behind a sign.
func (s *scanner) year() int64 {
	switch {
	case strings.HasPrefix(s.rest, "-"):
		s.rest = s.rest[1:]
		return -s.number(1, maxYearDigits)
	case strings.HasPrefix(s.rest, "+"):
		s.rest = s.rest[1:]
		return s.number(1, maxYearDigits)
	default:
		return s.number(1, 4)
	}
}

// civil is a date and time in UTC.
type civil struct {
	year, month, day, hour, minute, second, millisecond int64
}

// maxYearDigits bounds a year that is written with a sign; all such years are out of range long before.
const maxYearDigits = 16

// maxYear bounds the years the reference's date library knows, on both sides of year 0.
const maxYear = 262_142

// unixMilli reports false for a date that isn't in the calendar. Second 60 is allowed and is the next minute's second
// 0.
func (c civil) unixMilli() (ms int64, ok bool) {
	if c.year > maxYear || c.year < -maxYear || c.month < 1 || c.month > 12 || c.day < 1 ||
		c.day > daysIn(c.year, c.month) || c.hour > 23 || c.minute > 59 || c.second > 60 {
		return 0, false
	}
	seconds := ((daysSinceEpoch(c.year, c.month, c.day)*24+c.hour)*60+c.minute)*60 + c.second
	return seconds*1000 + c.millisecond, true
}

func isLeap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int64) int64 {
	switch {
	case month == 2 && isLeap(year):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	default:
		return 31
	}
}

// daysSinceEpoch counts days from 1970-01-01 in the proleptic Gregorian calendar. Years start in March here, so that
// the leap day is the last of its year.
func daysSinceEpoch(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return era*146_097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719_468
}
