package eval

import "testing"

func TestLower(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"ASCII letters are lowered":                                {text: "MiXeD 1", want: "mixed 1"},
		"a text without upper case stays":                          {text: "plain ünïcode", want: "plain ünïcode"},
		"the dotted capital I becomes two characters":              {text: "İ", want: "i̇"},
		"the capital sharp s becomes the small one":                {text: "ẞ", want: "ß"},
		"the Kelvin sign becomes k":                                {text: "\u212a", want: "k"},
		"a sigma inside a word is the common one":                  {text: "ΣΑ", want: "σα"},
		"a sigma at the end of a word is the final one":            {text: "ΑΣ", want: "ας"},
		"a sigma before a blank is the final one":                  {text: "ΟΔΟΣ ΑΣ", want: "οδος ας"},
		"a lone sigma is the common one":                           {text: "Σ", want: "σ"},
		"an apostrophe does not end a word":                        {text: "ΑΣ'Α", want: "ασ'α"},
		"a sigma behind an apostrophe still ends a word":           {text: "Α'Σ", want: "α'ς"},
		"upper case behind the first byte that isn't ASCII counts": {text: "éA", want: "éa"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := lower(tc.text); got != tc.want {
				t.Errorf("lower(%q) = %q, want %q", tc.text, got, tc.want)
			}
		})
	}
}
