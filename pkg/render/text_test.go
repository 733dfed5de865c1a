package render

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	cases := map[string]struct{ raw, want string }{
		"a string loses its quotes":             {`"green"`, "green"},
		"a string behind space too":             {"\n \"green\" ", "green"},
		"escapes in a string are resolved":      {`"a\n\"\u00e9\ud83d\ude00"`, "a\n\"é😀"},
		"half a surrogate pair is replaced":     {`"\ud800"`, "\uFFFD"},
		"an empty string is empty":              {`""`, ""},
		"numbers keep their digits":             {"1.10e+2", "1.10e+2"},
		"objects keep their order and escapes":  {"{ \"b\": \"\\u00e9\",\n\"a\": 1 }", `{"b":"\u00e9","a":1}`},
		"text that is not JSON stays":           {"dark  green", "dark  green"},
		"text that only begins like JSON stays": {`"dark" green`, `"dark" green`},
		"nothing stays nothing":                 {"", ""},
		"bytes that are not UTF-8 are replaced": {"[\"\xff\"]", "[\"\uFFFD\"]"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Text(tc.raw); got != tc.want {
				t.Errorf("Text(%q) = %q, want %q", tc.raw, got, tc.want)
			}
		})
	}
}

func TestDisplay(t *testing.T) {
	cases := map[string]struct{ raw, want string }{
		"a string loses its quotes":     {`"green"`, "green"},
		"128 runes fit":                 {`"` + strings.Repeat("é", 128) + `"`, strings.Repeat("é", 128)},
		"the 129th rune cuts":           {`"` + strings.Repeat("é", 129) + `"`, strings.Repeat("é", 127) + "…"},
		"a long document is cut":        {"[" + strings.Repeat("1, ", 500) + "1]", "[" + strings.Repeat("1,", 63) + "…"},
		"a kept text is shown as it is": {"dark green", "dark green"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Display(tc.raw)
			if got != tc.want {
				t.Errorf("Display gives %q, want %q", got, tc.want)
			}
			if n := utf8.RuneCountInString(got); n > 128 {
				t.Errorf("Display gives %d runes", n)
			}
		})
	}
}
