package eval

import (
	"math"
	"testing"
)

func TestParseFloat(t *testing.T) {
	tests := map[string]struct {
		text   string
		want   float64
		reject bool
	}{
		"a decimal number is read":                         {text: "1.5", want: 1.5},
		"a plus sign may stand":                            {text: "+5", want: 5},
		"the whole part may be missing":                    {text: ".5", want: 0.5},
		"the fraction may be missing":                      {text: "5.", want: 5},
		"an exponent may have a sign":                      {text: "1e-2", want: 0.01},
		"a number too large is infinite":                   {text: "1e400", want: math.Inf(1)},
		"a number too small is zero":                       {text: "1e-400", want: 0},
		"infinity is read in any case":                     {text: "-INFinity", want: math.Inf(-1)},
		"inf is read":                                      {text: "inf", want: math.Inf(1)},
		"blanks are refused":                               {text: " 5", reject: true},
		"hexadecimal numbers are refused":                  {text: "0x5", reject: true},
		"hexadecimal exponents are refused":                {text: "0x1p2", reject: true},
		"underscores are refused":                          {text: "5_0", reject: true},
		"separators of thousands are refused":              {text: "1,000", reject: true},
		"a lone point is refused":                          {text: ".", reject: true},
		"a lone sign is refused":                           {text: "-", reject: true},
		"an exponent without digits is refused":            {text: "1e", reject: true},
		"an exponent without digits after sign is refused": {text: "1e+", reject: true},
		"the empty text is refused":                        {text: "", reject: true},
		"words are refused":                                {text: "infinitude", reject: true},
		"text behind a number is refused":                  {text: "1x", reject: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := parseFloat(tc.text)
			if ok == tc.reject || got != tc.want {
				t.Errorf("parseFloat(%q) = %v, %t; want %v, %t", tc.text, got, ok, tc.want, !tc.reject)
			}
		})
	}
	for _, text := range []string{"nan", "NaN", "-nan", "+NAN"} {
		if got, ok := parseFloat(text); !ok || !math.IsNaN(got) {
			t.Errorf("parseFloat(%q) = %v, %t; want NaN", text, got, ok)
		}
	}
}

func TestParseInt(t *testing.T) {
	for text, want := range map[string]int64{"5": 5, "+5": 5, "-5": -5, "9223372036854775807": math.MaxInt64, "007": 7} {
		if got, ok := parseInt(text); !ok || got != want {
			t.Errorf("parseInt(%q) = %d, %t; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "+", "5.0", " 5", "1_0", "9223372036854775808", "0x5", "--5"} {
		if got, ok := parseInt(text); ok {
			t.Errorf("parseInt(%q) = %d; want none", text, got)
		}
	}
}

func TestCanonicalNumber(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1", "1.0": "1.0", "1e0": "1.0", "1E21": "1e21", "-0": "-0.0", "-5": "-5", "0.1": "0.1",
		"18446744073709551615": "18446744073709551615", "18446744073709551616": "1.8446744073709552e19",
		"0.00001234": "0.00001234", "0.000001234": "1.234e-6", "1e15": "1000000000000000.0", "1e16": "1e16",
		"123456789012345678901234567890": "1.2345678901234568e29",
	} {
		if got := canonicalNumber(text); got != want {
			t.Errorf("canonicalNumber(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestFormatFloatWritesNoExponent(t *testing.T) {
	for f, want := range map[float64]string{
		9: "9", 0.5: "0.5", 1e21: "1000000000000000000000", 1e-7: "0.0000001", -2: "-2", 1 << 53: "9007199254740992",
	} {
		if got := formatFloat(f); got != want {
			t.Errorf("formatFloat(%g) = %q, want %q", f, got, want)
		}
	}
}
