package conformance

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The document of these tests has one gate, which everyone passes.
const (
	document = `{"has_updates":true,"time":1,"feature_gates":{"g":{"type":"feature_gate","entity":"feature_gate","salt":"s","enabled":true,
		"idType":"userID","version":7,"defaultValue":false,"rules":[{"id":"r","name":"r","salt":"s","passPercentage":100,"conditions":[],
		"returnValue":true,"idType":"userID"}]}},"dynamic_configs":{},"layer_configs":{},"condition_map":{},"experiment_to_layer":{}}`
	users   = `{"userID":"a"}` + "\n" + `{"userID":"b"}` + "\n"
	correct = `{"kind":"header","evaluated_at_ms":1,"users":2}
{"idx":[0,0],"kind":"gate","name":"g","table":[{"get":{"id_type":"userID","reason":"Recognized","rule_id":"r","value":true,"version":7}}]}`
	exposure = `{"eventName":"statsig::gate_exposure","value":null,"metadata":{"gate":"g","gateValue":"true","ruleID":"r",` +
		`"reason":"Network:Recognized","lcut":"1","configVersion":"7"},"statsigMetadata":{},"secondaryExposures":[]}`
)

// folder writes a group "x" with recorded answers, and returns the folder that holds it.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "fuzz"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		f, err := os.Create(filepath.Join(dir, "fuzz", name))
		if err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// group are the files of a group with the answers expected and the exposures logged.
func group(expected, exposures string) map[string]string {
	files := map[string]string{"x.dcs.json.gz": document, "x.users.jsonl.gz": users, "x.expected.jsonl.gz": expected}
	if exposures != "" {
		files["x.exposures.jsonl.gz"] = exposures
	}
	return files
}

func TestEveryCellThatDiffersIsAMismatch(t *testing.T) {
	logged := func(events ...string) string { return `{"u":0,"events":[` + strings.Join(events, ",") + `]}` }
	tests := map[string]struct {
		expected, exposures string
		stride              int
		suite               string
		want                Tally
		wantShown           []string
	}{
		"equal answers": {expected: correct, suite: SuiteCalls, want: Tally{Cases: 2, Cells: 10}},
		"another rule, for both users": {
			expected: strings.Replace(correct, `"r"`, `"other"`, 1), suite: SuiteCalls,
			want: Tally{Cases: 2, Cells: 10, Mismatches: 2},
			wantShown: []string{
				`gate "g", user 0: get.rule_id = "r", want "other"`, `gate "g", user 1: get.rule_id = "r", want "other"`,
			},
		},
		"a field that should be unset": {
			expected: strings.Replace(correct, `"id_type":"userID"`, `"id_type":null`, 1), suite: SuiteCalls, stride: 2,
			want: Tally{Cases: 1, Cells: 5, Mismatches: 1}, wantShown: []string{`gate "g", user 0: get.id_type = "userID", want null`},
		},
		"an equal exposure": {
			expected: correct, exposures: logged(exposure), suite: SuiteExposures, want: Tally{Cases: 1, Cells: 11},
		},
		"another value in an exposure": {
			expected: correct, exposures: logged(strings.Replace(exposure, `"true"`, `"false"`, 1)), suite: SuiteExposures,
			want: Tally{Cases: 1, Cells: 11, Mismatches: 1},
			wantShown: []string{
				`events "[\"statsig::gate_exposure\",\"g\",null,null]", user 0: metadata.gateValue = "true", want "false"`,
			},
		},
		"a member that only one side has": {
			expected: correct, exposures: logged(strings.Replace(exposure, `"gate":`, `"extra":"","gate":`, 1)), suite: SuiteExposures,
			want: Tally{Cases: 1, Cells: 12, Mismatches: 1},
			wantShown: []string{
				`events "[\"statsig::gate_exposure\",\"g\",null,null]", user 0: metadata.extra = null, want ""`,
			},
		},
		"an exposure that nobody logged": {
			expected: correct, exposures: logged(), suite: SuiteExposures, want: Tally{Cells: 1, Mismatches: 1},
			wantShown: []string{
				`events "[\"statsig::gate_exposure\",\"g\",null,null]", user 0: logged = "logged", want "not logged"`,
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cases, err := Cases(folder(t, group(tc.expected, tc.exposures)))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cases {
				if c.Suite != tc.suite {
					continue
				}
				got, err := c.Run(Options{Stride: tc.stride})
				if err != nil {
					t.Fatal(err)
				}
				var shown []string
				for _, m := range got.Shown {
					shown = append(shown, m.String())
				}
				if diff := cmp.Diff(tc.want, got.Tally); diff != "" {
					t.Errorf("tally (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.wantShown, shown); diff != "" {
					t.Errorf("shown (-want +got):\n%s", diff)
				}
				return
			}
			t.Errorf("no case of suite %s in %v", tc.suite, cases)
		})
	}
}

func TestKnownDifferencesAreNoMismatches(t *testing.T) {
	const header = "# Title\n\n" + knownHeader + "\n|---|---|---|---|---|\n"
	tests := map[string]struct {
		rows       string
		want       Tally
		wantUnused int
	}{
		"none":                         {want: Tally{Cases: 2, Cells: 10, Mismatches: 2}},
		"the very cell":                {rows: "| calls | x | g | get.rule_id | Why. |\n", want: Tally{Cases: 2, Cells: 10, Known: 2}},
		"asterisks":                    {rows: "| calls | * | * | get.* | Why. |\n", want: Tally{Cases: 2, Cells: 10, Known: 2}},
		"another field":                {rows: "| calls | x | g | get.value | Why. |\n", want: Tally{Cases: 2, Cells: 10, Mismatches: 2}, wantUnused: 1},
		"a group that wasn't compared": {rows: "| calls | y | g | get.rule_id | Why. |\n", want: Tally{Cases: 2, Cells: 10, Mismatches: 2}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			known, err := parseKnown(header + tc.rows + "\nMore.\n")
			if err != nil {
				t.Fatal(err)
			}
			cases, err := Cases(folder(t, group(strings.Replace(correct, `"r"`, `"other"`, 1), "")))
			if err != nil {
				t.Fatal(err)
			}
			got, err := cases[0].Run(Options{Known: known})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Tally); diff != "" {
				t.Errorf("tally (-want +got):\n%s", diff)
			}
			if unused := known.Unused(cases); len(unused) != tc.wantUnused {
				t.Errorf("unused = %q, want %d", unused, tc.wantUnused)
			}
		})
	}
}

func TestAListOfKnownDifferencesNeedsReasons(t *testing.T) {
	for name, text := range map[string]string{
		"no table":         "# Title\n",
		"no reason":        knownHeader + "\n|---|---|---|---|---|\n| calls | x | g | get.value | |\n",
		"too few columns":  knownHeader + "\n| calls | x | g | Why. |\n",
		"too many columns": knownHeader + "\n| calls | x | g | a | b | Why. |\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseKnown(text); err == nil {
				t.Error("parseKnown accepts it")
			}
		})
	}
}

func TestTheFirstFolderCounts(t *testing.T) {
	wrong := folder(t, group(strings.Replace(correct, `"r"`, `"other"`, 1), ""))
	cases, err := Cases(folder(t, group(correct, "")), wrong)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if o, err := c.Run(Options{}); err != nil || o.Mismatches > 0 {
			t.Errorf("%s %s: %+v, %v, want the answers of the first folder", c.Suite, c.Group, o, err)
		}
	}
}

func TestTheReportHasARowForWhatWasComparedAndShowsMismatches(t *testing.T) {
	var r Report
	r.Add(Case{Suite: SuiteCalls, Group: "empty"}, Outcome{})
	r.Add(Case{Suite: SuiteCalls, Group: "x"}, Outcome{
		Tally: Tally{Cases: 2, Cells: 10, Mismatches: 1, Known: 3, Unstable: 4},
		Shown: []Mismatch{{Kind: "gate", Entity: "g", User: 1, Field: "get.value", Got: "true", Want: "false"}},
	})
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"SUITE", "AND", "GROUP", "CASES", "CELLS", "MATCHES", "MISMATCHES", "KNOWN", "UNSTABLE"},
		{"calls", "x", "2", "10", "6", "1", "3", "4"}, {"all", "2", "10", "6", "1", "3", "4"}, {},
		{"calls", "x,", "1", "mismatches:"}, {"gate", `"g",`, "user", "1:", "get.value", "=", "true,", "want", "false"},
	}
	var got [][]string
	for line := range strings.Lines(b.String()) {
		got = append(got, strings.Fields(line))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}
