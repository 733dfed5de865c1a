package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestConfigMap(t *testing.T) {
	values := []Entry{
		{Name: "newCheckout", State: Evaluated, Value: "true"},
		{Name: "color", State: Evaluated, Value: `"dark \"green\"\n"`, Default: `"blue"`},
		{Name: "limits", State: Evaluated, Value: "{ \"rps\" : 1.50e3,\n \"b\": [1, 2], \"a\": \"\\u00e9 <&>\" }"},
		{Name: "none", State: Evaluated, Value: "null"},
		{Name: "rps", State: Default, Default: " 10 "},
		{Name: "gone", State: Default},
	}
	wantStates := []Outcome{
		{Name: "newCheckout", State: Evaluated}, {Name: "color", State: Evaluated}, {Name: "limits", State: Evaluated},
		{Name: "none", State: Evaluated}, {Name: "rps", State: Default}, {Name: "gone", State: Absent},
	}
	unknown := []Entry{
		{Name: "kept", State: Missing, Default: `"unused"`},
		{Name: "defaulted", State: Missing, Default: `"d"`},
		{Name: "absent", State: Missing},
		{Name: "fresh", State: Evaluated, Value: `"f"`},
		{Name: "reset", State: Default, Default: "1"},
	}
	cases := map[string]struct {
		options  Options
		entries  []Entry
		previous map[string]string
		want     map[string]string
		// wantOutcomes is compared without the texts, which are those of want.
		wantOutcomes []Outcome
	}{
		"keys hold strings without quotes and the rest as compact JSON": {
			entries: values,
			want: map[string]string{
				"newCheckout": "true", "color": "dark \"green\"\n", "limits": `{"rps":1.50e3,"b":[1,2],"a":"\u00e9 <&>"}`,
				"none": "null", "rps": "10",
			},
			wantOutcomes: wantStates,
		},
		"a JSON document is sorted and has a line for each entry": {
			options: Options{Format: JSON},
			entries: values,
			want: map[string]string{"flags.json": `{
  "color": "dark \"green\"\n",
  "limits": {"rps":1.50e3,"b":[1,2],"a":"\u00e9 <&>"},
  "newCheckout": true,
  "none": null,
  "rps": 10
}
`},
			wantOutcomes: wantStates,
		},
		"no entries make no keys": {
			entries: nil,
			want:    map[string]string{},
		},
		"no entries make an empty document": {
			options: Options{Format: JSON, Key: "my.json"},
			want:    map[string]string{"my.json": "{}\n"},
		},
		"an unknown value keeps its key, or takes its default": {
			entries:  unknown,
			previous: map[string]string{"kept": "as it was", "fresh": "old", "reset": "old", "other": "x"},
			want:     map[string]string{"kept": "as it was", "defaulted": "d", "fresh": "f", "reset": "1"},
			wantOutcomes: []Outcome{
				{Name: "kept", State: Kept}, {Name: "defaulted", State: Default}, {Name: "absent", State: Absent},
				{Name: "fresh", State: Evaluated}, {Name: "reset", State: Default},
			},
		},
		"an unknown value keeps its member, or takes its default": {
			options:  Options{Format: JSON},
			entries:  unknown,
			previous: map[string]string{"flags.json": `{"kept": {"a": 1.0}, "fresh": "old", "reset": 0, "other": 1}`},
			want: map[string]string{
				"flags.json": "{\n  \"defaulted\": \"d\",\n  \"fresh\": \"f\",\n  \"kept\": {\"a\":1.0},\n  \"reset\": 1\n}\n",
			},
			wantOutcomes: []Outcome{
				{Name: "kept", State: Kept}, {Name: "defaulted", State: Default}, {Name: "absent", State: Absent},
				{Name: "fresh", State: Evaluated}, {Name: "reset", State: Default},
			},
		},
		"a document that cannot be read keeps nothing": {
			options:      Options{Format: JSON},
			entries:      []Entry{{Name: "kept", State: Missing, Default: "1"}},
			previous:     map[string]string{"flags.json": `{"kept": 2`},
			want:         map[string]string{"flags.json": "{\n  \"kept\": 1\n}\n"},
			wantOutcomes: []Outcome{{Name: "kept", State: Default}},
		},
		"a document under another key keeps nothing": {
			options:      Options{Format: JSON, Key: "other.json"},
			entries:      []Entry{{Name: "kept", State: Missing}},
			previous:     map[string]string{"flags.json": `{"kept": 2}`},
			want:         map[string]string{"other.json": "{}\n"},
			wantOutcomes: []Outcome{{Name: "kept", State: Absent}},
		},
		"an empty text is a value to keep": {
			entries:      []Entry{{Name: "kept", State: Missing, Default: "1"}},
			previous:     map[string]string{"kept": ""},
			want:         map[string]string{"kept": ""},
			wantOutcomes: []Outcome{{Name: "kept", State: Kept}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ConfigMap(tc.options, tc.entries, tc.previous)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			ignoreText := cmpopts.IgnoreFields(Outcome{}, "Text")
			if diff := cmp.Diff(tc.wantOutcomes, got.Outcomes, ignoreText, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if tc.options.Format == JSON {
				return
			}
			for _, outcome := range got.Outcomes {
				if outcome.Text != got.Data[outcome.Name] {
					t.Errorf("outcome of %s has text %q, the data %q", outcome.Name, outcome.Text, got.Data[outcome.Name])
				}
			}
		})
	}
}

func TestConfigMapErrors(t *testing.T) {
	cases := map[string]struct {
		options Options
		entries []Entry
		want    string
	}{
		"an unknown format":   {options: Options{Format: "TOML"}, want: `unknown format "TOML"`},
		"a key with a slash":  {options: Options{Format: JSON, Key: "a/b"}, want: `"a/b" cannot be a key of a ConfigMap`},
		"a key of two dots":   {options: Options{Format: JSON, Key: ".."}, want: `".." cannot be a key of a ConfigMap`},
		"a key that is a dot": {options: Options{Format: JSON, Key: "."}, want: `"." cannot be a key of a ConfigMap`},
		"a key that is too long": {
			options: Options{Format: JSON, Key: strings.Repeat("k", 254)}, want: "cannot be a key of a ConfigMap",
		},
		"an empty name":            {entries: []Entry{{State: Missing}}, want: `entry "": a name has 1 to 63`},
		"a name with a digit":      {entries: []Entry{{Name: "1a", State: Missing}}, want: `entry "1a": a name has 1 to 63`},
		"a name ending in a dash":  {entries: []Entry{{Name: "a-", State: Missing}}, want: `entry "a-": a name has 1 to 63`},
		"a name with a line break": {entries: []Entry{{Name: "a\n", State: Missing}}, want: `entry "a\n": a name has 1 to 63`},
		"a name that is too long": {
			entries: []Entry{{Name: strings.Repeat("a", 64), State: Missing}}, want: "a name has 1 to 63",
		},
		"two entries of one name": {
			entries: []Entry{{Name: "a", State: Missing}, {Name: "a", State: Missing}},
			want:    `entry "a": there are two entries of this name`,
		},
		"a state that only an outcome has": {entries: []Entry{{Name: "a", State: Kept}}, want: `entry "a": state "Kept" is not one`},
		"no state":                         {entries: []Entry{{Name: "a"}}, want: `entry "a": state "" is not one`},
		"a value that is not JSON": {
			entries: []Entry{{Name: "a", State: Evaluated, Value: "{"}}, want: `entry "a": the value is not JSON`,
		},
		"no value": {entries: []Entry{{Name: "a", State: Evaluated}}, want: `entry "a": the value is not JSON`},
		"a default that is not JSON": {
			entries: []Entry{{Name: "a", State: Evaluated, Value: "1", Default: "blue"}}, want: `entry "a": the default is not JSON`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ConfigMap(tc.options, tc.entries, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one that says %s", err, tc.want)
			}
			if got.Data != nil || got.Outcomes != nil {
				t.Errorf("got %v beside the error", got)
			}
			var entry *EntryError
			if isEntry := errors.As(err, &entry); isEntry != (len(tc.entries) > 0) {
				t.Errorf("error %T is an EntryError: %v", err, isEntry)
			}
		})
	}
}

func TestConfigMapSize(t *testing.T) {
	entry := func(size int) []Entry {
		return []Entry{{Name: "a", State: Evaluated, Value: `"` + strings.Repeat("x", size) + `"`}}
	}
	if _, err := ConfigMap(Options{}, entry(MaxConfigMapSize-1), nil); err != nil {
		t.Errorf("content at the limit is refused: %v", err)
	}
	_, err := ConfigMap(Options{}, entry(MaxConfigMapSize), nil)
	var tooLarge *TooLargeError
	if !errors.As(err, &tooLarge) {
		t.Fatalf("got error %v, want a TooLargeError", err)
	}
	if diff := cmp.Diff(&TooLargeError{Size: 921601, Limit: 921600}, tooLarge); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if got, want := err.Error(), "the entries take 921601 bytes, at most 921600 fit"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInvalidUTF8IsReplaced(t *testing.T) {
	entries := []Entry{{Name: "a", State: Evaluated, Value: "\"\xff\""}, {Name: "b", State: Evaluated, Value: "[\"\xff\"]"}}
	for _, format := range []Format{Keys, JSON} {
		got, err := ConfigMap(Options{Format: format}, entries, nil)
		if err != nil {
			t.Fatal(err)
		}
		for key, text := range got.Data {
			if !utf8.ValidString(text) || !strings.Contains(text, "\uFFFD") {
				t.Errorf("format %s: %s holds %q", format, key, text)
			}
		}
	}
}

// TestRenderingIsAFixedPoint renders random entries, and then the same entries and the unknown ones on top of what came
// out.
func TestRenderingIsAFixedPoint(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, format := range []Format{Keys, JSON} {
		for range 200 {
			entries := randomEntries(random)
			first, err := ConfigMap(Options{Format: format}, entries, nil)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ConfigMap(Options{Format: format}, entries, first.Data)
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(first.Data, again.Data) {
				diff := cmp.Diff(first.Data, again.Data)
				t.Fatalf("format %s, entries %v: rendering twice (-first +second):\n%s", format, entries, diff)
			}
			for i := range entries {
				entries[i].State, entries[i].Default = Missing, ""
			}
			random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
			kept, err := ConfigMap(Options{Format: format}, entries, first.Data)
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(first.Data, kept.Data) {
				diff := cmp.Diff(first.Data, kept.Data)
				t.Fatalf("format %s, entries %v: keeping all (-before +after):\n%s", format, entries, diff)
			}
		}
	}
}

func randomEntries(random *rand.Rand) []Entry {
	values := []string{
		"true", "null", " 1.0", `"x"`, `""`, `"a\nb \u00e9 \ud800"`,
		"[ 1, {\"a\" : 2} ]", `{"b":1,"a":{}}`, "\"\xff\xfe\"", "\"\u2028<&>\"",
	}
	entries := make([]Entry, random.IntN(8))
	for i := range entries {
		entries[i] = Entry{
			Name:    fmt.Sprintf("e%d.%d", random.IntN(100), i),
			State:   []State{Evaluated, Default, Missing}[random.IntN(3)],
			Value:   values[random.IntN(len(values))],
			Default: append(values, "")[random.IntN(len(values)+1)],
		}
	}
	return entries
}

// FuzzPreviousDocument checks that whatever the ConfigMap holds, the document written is JSON, and that keeping is
// stable.
func FuzzPreviousDocument(f *testing.F) {
	for _, seed := range []string{
		`{"a": 1, "b": "x"}`, `{"a": {"b": [1, 2]}, "a": 2}`, "null", "[1]", `{"a": `, "{\"a\": \"\xff\"}", "",
	} {
		f.Add(seed)
	}
	entries := []Entry{
		{Name: "a", State: Missing, Default: `"d"`}, {Name: "b", State: Missing}, {Name: "c", State: Evaluated, Value: "1"},
	}
	f.Fuzz(func(t *testing.T, document string) {
		first, err := ConfigMap(Options{Format: JSON}, entries, map[string]string{"flags.json": document})
		if _, ok := errors.AsType[*TooLargeError](err); ok {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		written := first.Data["flags.json"]
		if !json.Valid([]byte(written)) || !utf8.ValidString(written) {
			t.Errorf("wrote %q", written)
		}
		second, err := ConfigMap(Options{Format: JSON}, entries, first.Data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first.Data, second.Data); diff != "" {
			t.Errorf("rendering twice (-first +second):\n%s", diff)
		}
	})
}

func BenchmarkConfigMap(b *testing.B) {
	entries := make([]Entry, 20)
	for i := range entries {
		entries[i] = Entry{Name: fmt.Sprintf("entry%d", i), State: Evaluated, Value: `{"rps": 100, "color": "blue"}`, Default: "{}"}
	}
	for _, format := range []Format{Keys, JSON} {
		b.Run(string(format), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ConfigMap(Options{Format: format}, entries, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
