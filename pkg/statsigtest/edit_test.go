package statsigtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
)

const overrideTrue = `{"name":"statsigtest:override","id":"statsigtest:override","salt":"",` +
	`"passPercentage":100,"conditions":[],"returnValue":true,"idType":"userID"}`

func TestOverride(t *testing.T) {
	tests := map[string]struct {
		doc, kind, name, value string
		want                   string
		wantErr                string
	}{
		"a rule for everyone goes before the gate's own": {
			doc:  `{"feature_gates":{"g":{"idType":"userID","rules":[{"id":"own"}]}}}`,
			kind: gatesKey, name: "g", value: "true",
			want: `{"feature_gates":{"g":{"idType":"userID","rules":[` + overrideTrue + `,{"id":"own"}]}}}`,
		},
		"a second override takes the place of the first": {
			doc:  `{"feature_gates":{"g":{"idType":"userID","rules":[{"id":"statsigtest:override","returnValue":false},{"id":"own"}]}}}`,
			kind: gatesKey, name: "g", value: "true",
			want: `{"feature_gates":{"g":{"idType":"userID","rules":[` + overrideTrue + `,{"id":"own"}]}}}`,
		},
		"no value takes the override away": {
			doc:  `{"feature_gates":{"g":{"rules":[` + overrideTrue + `,{"id":"own"}]}}}`,
			kind: gatesKey, name: "g", value: "",
			want: `{"feature_gates":{"g":{"rules":[{"id":"own"}]}}}`,
		},
		"a gate without rules gets one": {
			doc:  `{"feature_gates":{"g":{"rules":[]}}}`,
			kind: gatesKey, name: "g", value: "true",
			want: `{"feature_gates":{"g":{"rules":[` + overrideTrue + `]}}}`,
		},
		"a v1 document lists gates by name": {
			doc:  `{"feature_gates":[{"name":"f","rules":[]},{"name":"g","rules":[]}]}`,
			kind: gatesKey, name: "g", value: "true",
			want: `{"feature_gates":[{"name":"f","rules":[]},{"name":"g","rules":[` + overrideTrue + `]}]}`,
		},
		"spelling, blanks and order elsewhere stay as they are": {
			doc:  " {\n\"time\": 1.0,\t\"feature_gates\": {\"g\": {\"rules\": [ ], \"x\": 1E21}}, \"y\":123456789012345678901234567890}\n",
			kind: gatesKey, name: "g", value: "true",
			want: " {\n\"time\": 1.0,\t\"feature_gates\": {\"g\": {\"rules\": [" + overrideTrue +
				"], \"x\": 1E21}}, \"y\":123456789012345678901234567890}\n",
		},
		"names may hold anything": {
			doc:  `{"feature_gates":{"a.b*?\"|#@":{"rules":[]}}}`,
			kind: gatesKey, name: `a.b*?"|#@`, value: "true",
			want: `{"feature_gates":{"a.b*?\"|#@":{"rules":[` + overrideTrue + `]}}}`,
		},
		"the empty string is a name too": {
			doc:  `{"feature_gates":{"":{"rules":[]}}}`,
			kind: gatesKey, name: "", value: "true",
			want: `{"feature_gates":{"":{"rules":[` + overrideTrue + `]}}}`,
		},
		"a gate is not found among the configs": {
			doc:  `{"feature_gates":{},"dynamic_configs":{"g":{"rules":[]}}}`,
			kind: gatesKey, name: "g", value: "true",
			wantErr: `editing config specs: feature_gates has no "g"`,
		},
		"a gate without a rule list is refused": {
			doc:  `{"feature_gates":{"g":{"rules":7}}}`,
			kind: gatesKey, name: "g", value: "true",
			wantErr: `editing config specs: feature_gates "g" has no list of rules`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := override([]byte(tc.doc), tc.kind, tc.name, tc.value)
			if diff := cmp.Diff(tc.wantErr, errorText(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithPassPercentage(t *testing.T) {
	const doc = `{"feature_gates":{"none":{"rules":[]},"g":{"rules":[` + overrideTrue +
		`,{"id":"staff","passPercentage":100},{"id":"rest","name":"everyone","passPercentage":50}]}}}`
	const head = `{"feature_gates":{"none":{"rules":[]},"g":{"rules":[`
	tests := map[string]struct {
		gate, rule string
		percentage float64
		want       string
		wantErr    string
	}{
		"without a rule the last one changes, and the override goes": {
			gate: "g", percentage: 25,
			want: head + `{"id":"staff","passPercentage":100},{"id":"rest","name":"everyone","passPercentage":25}]}}}`,
		},
		"a rule is found by ID": {
			gate: "g", rule: "staff", percentage: 0,
			want: head + `{"id":"staff","passPercentage":0},{"id":"rest","name":"everyone","passPercentage":50}]}}}`,
		},
		"a rule is found by name": {
			gate: "g", rule: "everyone", percentage: 0.5,
			want: head + `{"id":"staff","passPercentage":100},{"id":"rest","name":"everyone","passPercentage":0.5}]}}}`,
		},
		"an unknown rule is refused": {
			gate: "g", rule: "nobody", percentage: 1, wantErr: `editing config specs: gate "g" has no rule "nobody"`,
		},
		"a gate without rules has nothing to change": {
			gate: "none", percentage: 1, wantErr: `editing config specs: gate "none" has no rule ""`,
		},
		"an unknown gate is refused": {
			gate: "h", percentage: 1, wantErr: `editing config specs: feature_gates has no "h"`,
		},
		"more than everyone is refused": {
			gate: "g", percentage: 101, wantErr: "editing config specs: percentage 101 is not between 0 and 100",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := withPassPercentage([]byte(doc), tc.gate, tc.rule, tc.percentage)
			if diff := cmp.Diff(tc.wantErr, errorText(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetMember(t *testing.T) {
	tests := map[string]struct{ doc, want string }{
		"a member is replaced":                         {`{"a":1,"time":2}`, `{"a":1,"time":9}`},
		"a missing member is added":                    {`{"a":1}` + "\n", `{"a":1,"time":9}` + "\n"},
		"an empty object gets its first":               {`{ }`, `{ "time":9}`},
		"of a doubled member the last, which is read":  {`{"time":1,"time":2}`, `{"time":1,"time":9}`},
		"a member of the same name deeper down is not": {`{"a":{"time":1},"time":2}`, `{"a":{"time":1},"time":9}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := string(setMember([]byte(tc.doc), "time", "9"))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("setMember (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzEdits holds that an edit of a valid document gives a valid document, and that edits replace each other.
func FuzzEdits(f *testing.F) {
	f.Add(string(DemoProject()), "new_checkout")
	f.Add(`{"feature_gates":[{"name":"g","rules":[{}]}],"other":[1,2]}`, "g")
	f.Add(` {"feature_gates" : { "" : { "rules" : [ [ ] , "x" ] } } } `, "")
	f.Fuzz(func(t *testing.T, doc, gate string) {
		if !gjson.Valid(doc) || !gjson.Parse(doc).IsObject() {
			return
		}
		text, err := override([]byte(doc), gatesKey, gate, "true")
		if err != nil {
			return
		}
		if !gjson.ValidBytes(text) {
			t.Fatalf("override made an invalid document of %q: %q", doc, text)
		}
		back, err := override(text, gatesKey, gate, "")
		if err != nil {
			t.Fatalf("taking the override away: %v", err)
		}
		again, err := override(back, gatesKey, gate, "true")
		if err != nil {
			t.Fatalf("overriding again: %v", err)
		}
		if diff := cmp.Diff(string(text), string(again)); diff != "" {
			t.Errorf("overriding is not repeatable (-first +second):\n%s", diff)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
