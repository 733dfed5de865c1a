package eval

import (
	"testing"
	"time"
)

func TestParseUserTime(t *testing.T) {
	const noon = 1_768_478_400_000 // 2026-01-15T12:00:00Z
	tests := map[string]struct {
		text string
		want int64
		none bool
	}{
		"a whole number is taken as it is":             {text: "1768478400000", want: noon},
		"RFC 3339 in UTC is read":                      {text: "2026-01-15T12:00:00Z", want: noon},
		"a blank may separate date and time":           {text: "2026-01-15 12:00:00Z", want: noon},
		"date and time without a zone are UTC":         {text: "2026-01-15 12:00:00", want: noon},
		"single digits are read":                       {text: "2026-1-15 12:0:0", want: noon},
		"two blanks are read":                          {text: "2026-1-15  12:0:0", want: noon},
		"second 60 is the next minute":                 {text: "2026-01-15 11:59:60", want: noon},
		"years before the epoch are read":              {text: "1969-12-31 23:59:59", want: -1000},
		"leap days are in the calendar":                {text: "2024-02-29 00:00:00", want: 1_709_164_800_000},
		"days not in the calendar are none":            {text: "2023-02-29 00:00:00", none: true},
		"months not in the calendar are none":          {text: "2023-13-01 00:00:00", none: true},
		"a date alone is none":                         {text: "2026-01-15", none: true},
		"fractions of a second make the text too long": {text: "2026-01-15T12:00:00.000Z", none: true},
		"an offset makes the text too long":            {text: "2026-01-15T12:00:00+01:00", none: true},
		"a short text is none":                         {text: "12:00", none: true},
		"the letter T without a zone is none":          {text: "2026-01-15T12:00:00", none: true},
		"hour 24 is none":                              {text: "2026-01-15 24:00:00", none: true},
		"text behind the time is none":                 {text: "2026-01-15 12:00:0x", none: true},
		"a number with a fraction is none":             {text: "1768478400.5", none: true},
		"the empty text is none":                       {text: "", none: true},
		"a year of many digits is out of range":        {text: "+999999999-1-1 1:1:1", none: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := parseUserTime(tc.text)
			if ok == tc.none || got != tc.want {
				t.Errorf("parseUserTime(%q) = %d, %t; want %d, %t", tc.text, got, ok, tc.want, !tc.none)
			}
		})
	}
}

func TestParseTargetTimeReadsTextsOfAnyLength(t *testing.T) {
	for text, want := range map[string]int64{
		"2026-01-15T12:00:00.000Z":     1_768_478_400_000,
		"2026-01-15T12:00:00.1234567Z": 1_768_478_400_123,
		"2026-01-15T12:00:00+01:00":    1_768_474_800_000,
		"2026-01-15T12:00:00-00:30":    1_768_480_200_000,
		"2026-01-15t12:00:00z":         1_768_478_400_000,
		"9223372036854775807":          9_223_372_036_854_775_807,
		"2026-01-15T12:00:00.5+00:00":  1_768_478_400_500,
	} {
		if got, ok := parseTargetTime(text); !ok || got != want {
			t.Errorf("parseTargetTime(%q) = %d, %t; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"2026-01-15T12:00:00.Z", "2026-01-15T12:00:00+24:00", "2026-01-15T12:00:00+0100", "2026-1-15T12:00:00Z", "abc",
	} {
		if got, ok := parseTargetTime(text); ok {
			t.Errorf("parseTargetTime(%q) = %d, want none", text, got)
		}
	}
}

func TestCalendarAgreesWithTheStandardLibrary(t *testing.T) {
	for days := int64(-800_000); days < 800_000; days += 37 {
		want := time.Unix(days*86_400, 0).UTC()
		c := civil{year: int64(want.Year()), month: int64(want.Month()), day: int64(want.Day())}
		if got, ok := c.unixMilli(); !ok || got != want.UnixMilli() {
			t.Fatalf("%s = %d, %t; want %d", want.Format(time.DateOnly), got, ok, want.UnixMilli())
		}
	}
}
