package render

import (
	"encoding/json"
	"strings"
	"testing"
)

const document = `{
  "tiers": {"gold": {"rps": 100}, "a.b": 1, "@at": 2},
  "list": [{"n": "p", "v": 1}, {"n": "q", "v": [2]}],
  "text": "x\"y", "none": null, "big": 12345678901234567890123, "\u00e9\u0061": 7, "": 8, "[k": 9, "twice": 1, "twice": 2
}`

func TestSelect(t *testing.T) {
	cases := map[string]struct {
		path string
		want string
		none bool
	}{
		"an empty path is the whole value":            {path: "", want: document},
		"dots lead into objects":                      {path: "tiers.gold.rps", want: "100"},
		"a part is returned as it is written":         {path: "tiers.gold", want: `{"rps": 100}`},
		"a string keeps its quotes":                   {path: "text", want: `"x\"y"`},
		"a large number keeps its digits":             {path: "big", want: "12345678901234567890123"},
		"null is a part":                              {path: "none", want: "null"},
		"a dot in a key is escaped":                   {path: `tiers.a\.b`, want: "1"},
		"a key that starts like a modifier too":       {path: `tiers.\@at`, want: "2"},
		"a key that starts like a multipath too":      {path: `\[k`, want: "9"},
		"an index leads into an array":                {path: "list.1.n", want: `"q"`},
		"a hash counts":                               {path: "list.#", want: "2"},
		"a hash collects":                             {path: "list.#.v", want: "[1,[2]]"},
		"a query finds":                               {path: `list.#(n=="q").v`, want: "[2]"},
		"a query in brackets finds":                   {path: `list.#[n=="q"].v`, want: "[2]"},
		"a pipe is a dot":                             {path: "list|0|v", want: "1"},
		"a wildcard matches":                          {path: "tier*.gold.rp?", want: "100"},
		"what is not there is not found":              {path: "tiers.silver.rps", none: true},
		"a modifier is not followed":                  {path: "@this", none: true},
		"nor one further in":                          {path: "tiers.@this", none: true},
		"nor one behind a pipe":                       {path: "tiers|@pretty", none: true},
		"nor one in a query":                          {path: "list.#( @this==1)", none: true},
		"a multipath is not followed":                 {path: "[tiers,list]", none: true},
		"nor one with names":                          {path: `tiers.{"x":gold}`, none: true},
		"nor one in a query in brackets":              {path: "list.#[[n,v]==1]", none: true},
		"a literal is not followed":                   {path: `!"x"`, none: true},
		"JSON lines are not followed":                 {path: "..#", none: true},
		"a path that is too long is not followed":     {path: "tiers" + strings.Repeat("|gold", 60), none: true},
		"a path into a text or a number finds nought": {path: "text.x", none: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := Select(document, tc.path)
			if got != tc.want || ok == tc.none {
				t.Errorf("Select gives %q, %v, want %q, %v", got, ok, tc.want, !tc.none)
			}
		})
	}
	if got, ok := Select("", ""); ok {
		t.Errorf("selecting all of nothing gives %q", got)
	}
}

func TestValidatePath(t *testing.T) {
	cases := map[string]string{
		"tiers.gold":              "",
		`\@at.a\.@b`:              "",
		"":                        "",
		"a@b.c[d.e{f.g!h":         "",
		"a.@this":                 `the path has '@' at the start of a key; write \@ for a key that starts so`,
		".a":                      "the path starts with a dot",
		strings.Repeat("a", 257):  "the path has 257 bytes, at most 256 are allowed",
		`a".@this`:                `the path has '@' at the start of a key; write \@ for a key that starts so`,
		`a\\.@this`:               `the path has '@' at the start of a key; write \@ for a key that starts so`,
		"a.#(#(@this==1)#.b==2)#": `the path has '@' at the start of a key; write \@ for a key that starts so`,
	}
	for path, want := range cases {
		got := ""
		if err := ValidatePath(path); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("ValidatePath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestParameter(t *testing.T) {
	cases := map[string]struct {
		value, name string
		want        string
		none        bool
	}{
		"a member is found":                      {value: document, name: "text", want: `"x\"y"`},
		"a name is no path":                      {value: `{"a.b": 1, "a": {"b": 2}}`, name: "a.b", want: "1"},
		"a name may start like a modifier":       {value: `{"@this": 1}`, name: "@this", want: "1"},
		"an escaped name is found":               {value: document, name: "éa", want: "7"},
		"an empty name is a name":                {value: document, name: "", want: "8"},
		"the last of two members counts":         {value: document, name: "twice", want: "2"},
		"null is a value":                        {value: document, name: "none", want: "null"},
		"a nested member is not found":           {value: document, name: "gold", none: true},
		"nothing is found in an array":           {value: `["a"]`, name: "0", none: true},
		"nothing is found in nothing":            {value: "", name: "a", none: true},
		"nothing is found in what is not closed": {value: `{"b": {`, name: "a", none: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := Parameter(tc.value, tc.name)
			if got != tc.want || ok == tc.none {
				t.Errorf("Parameter gives %q, %v, want %q, %v", got, ok, tc.want, !tc.none)
			}
		})
	}
}

// FuzzSelect checks that no path makes more of a value than there is, and that what it selects is JSON.
func FuzzSelect(f *testing.F) {
	for _, path := range []string{
		"tiers.gold.rps", "list.#.v", `list.#(n=="q")#.v`, "list.#", "*", "list|@this", "[a,b]|[0,0]", `\@at`,
	} {
		f.Add(document, path)
	}
	f.Fuzz(func(t *testing.T, value, path string) {
		raw, ok := Select(value, path)
		if !ok || !json.Valid([]byte(value)) {
			return
		}
		if len(raw) > 2*len(value)+20 {
			t.Errorf("%q makes %d bytes of %d", path, len(raw), len(value))
		}
		if !json.Valid([]byte(raw)) {
			t.Errorf("%q selects %q, which is not JSON, from %q", path, raw, value)
		}
	})
}

func BenchmarkSelect(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Select(document, "tiers.gold.rps"); !ok {
			b.Fatal("nothing is found")
		}
	}
}
