package eval

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReaderAcceptsWhatIsJSON(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, `null`, `true`, `false`, `0`, `-0.5e+10`, `"a\u00e9\n\ud83d\ude00"`, `[1,[2,{"a":[]}],"x"]`,
		` { "a" : 1 , "b" : [ ] } `, `""`, `[[[[[]]]]]`, `{"":{"":{}}}`,
	} {
		r := &reader{doc: text}
		r.skip()
		if r.err != nil {
			t.Errorf("%s: %v", text, r.err)
		}
	}
}

func TestReaderRefusesWhatIsNot(t *testing.T) {
	for _, text := range []string{
		``, ` `, `{`, `[`, `"`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[1 2]`, `{"a":1 "b":2}`, `{a:1}`, `01`, `1.`, `.5`,
		`+1`, `1e`, `-`, `tru`, `nul`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\x00\"", "\"\n\"", `[}`, `{]`, `[,1]`, `{"a":1]`,
		"[\x00]", `'a'`,
	} {
		r := &reader{doc: text}
		r.skip()
		if r.err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestReaderMarksWhatTheReferenceCanNotRepresent(t *testing.T) {
	tests := map[string]struct {
		text string
		want bool
	}{
		"ordinary values are readable":         {text: `{"a":[1,2.5,"x"]}`},
		"127 levels are readable":              {text: strings.Repeat("[", 127) + strings.Repeat("]", 127)},
		"128 levels with a member are not":     {text: strings.Repeat("[", 128) + "1" + strings.Repeat("]", 128), want: true},
		"numbers beyond a double are not":      {text: `{"a":1e400}`, want: true},
		"integers beyond a double are not":     {text: strings.Repeat("9", 400), want: true},
		"numbers below a double are readable":  {text: `1e-400`},
		"half a surrogate pair is not":         {text: `"\ud800"`, want: true},
		"the other half alone is not":          {text: `"\udc00x"`, want: true},
		"a pair in the wrong order is not":     {text: `"\udc00\ud800"`, want: true},
		"a surrogate pair is readable":         {text: `"\ud83d\ude00"`},
		"half a pair before another escape is": {text: `"\ud800\n"`, want: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := &reader{doc: tc.text}
			r.skip()
			if r.err != nil || r.unreadable != tc.want {
				t.Errorf("unreadable = %t, %v; want %t", r.unreadable, r.err, tc.want)
			}
		})
	}
}

func TestReaderSkipsDeepNestingWithoutRecursion(t *testing.T) {
	r := &reader{doc: strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20)}
	r.skip()
	if r.err != nil || r.pos != len(r.doc) {
		t.Errorf("stopped at %d: %v", r.pos, r.err)
	}
}

// FuzzReaderAgreesWithEncodingJSON holds the grammar against the standard library's.
func FuzzReaderAgreesWithEncodingJSON(f *testing.F) {
	for _, text := range []string{`{"a":[1,2e3,"x\u0041"],"b":null}`, `[true,false]`, `"\ud800"`, `{"a"`, `-0.0`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip("Decode refuses such text before it is read")
		}
		r := &reader{doc: text}
		r.skip()
		valid := r.err == nil && r.peek() == 0 && r.pos == len(text)
		if valid != json.Valid([]byte(text)) {
			t.Errorf("%q: valid = %t (%v)", text, valid, r.err)
		}
		if !valid || r.unreadable || text[0] != '"' {
			return
		}
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := stringValue(text); !ok || got != want {
			t.Errorf("%q reads %q, want %q", text, got, want)
		}
	})
}
