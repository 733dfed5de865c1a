package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
)

// conformanceData holds answers of Statsig's official Server Core SDK. The evaluator's own tests compare all of them;
// these show that the command passes on what they say, and that each flag means what the SDK's option of that name does.
const conformanceData = "../../testdata/conformance/fuzz"

// recorded is one group of answers.
type recorded struct {
	header struct {
		EvaluatedAtMS int64 `json:"evaluated_at_ms"`
	}
	// answers are by member of the output, name and user.
	answers map[string]map[string][]any
	// unstable are the answers, as member/name/user, that the SDK itself doesn't repeat.
	unstable map[string]bool
}

func TestAnswersOfTheOfficialSDKOnSyntheticDocuments(t *testing.T) {
	groups := map[string]struct {
		args []string
		// partial tells that not all entities of the document were recorded.
		partial bool
		// extra are names without a spec that were recorded as well, some of which only mappings lead on from.
		extra []string
	}{
		"op_any":                           {},
		"layers":                           {},
		"cmab":                             {},
		"param_stores":                     {},
		"experiment_group":                 {},
		"unsupported":                      {},
		"op_in_segment_list":               {args: []string{"--id-lists", filepath.Join(conformanceData, "op_in_segment_list.opts.json")}},
		"nested_cycles":                    {partial: true},
		"environment_field":                {},
		"environment_field_opt_Staging":    {args: []string{"--environment", "Staging"}},
		"environment_field_opt_production": {args: []string{"--environment", "production"}},
		"fields_globals":                   {args: []string{"--globals", recordedGlobals(t, "fields_globals")}},
		"overrides": {extra: []string{
			"gate:not_a_gate", "gate:missing", "config:not_a_spec", "config:missing", "layer:missing",
		}},
	}
	for name, tc := range groups {
		t.Run(name, func(t *testing.T) {
			base := filepath.Join(conformanceData, name)
			want := readRecorded(t, base+".expected.jsonl.gz")
			want.unstable = readUnstable(t, name)
			args := slices.Concat([]string{
				"evaluate", "--specs", base + ".dcs.json.gz", "--users", base + ".users.jsonl.gz",
				"--now", strconv.FormatInt(want.header.EvaluatedAtMS, 10),
			}, tc.args)
			got := execute(t, "", args...)
			if got.Code != 0 || got.Err != "" {
				t.Fatalf("code %d, stderr %q", got.Code, got.Err)
			}
			extra := want.take(tc.extra)
			want.compare(t, got.Out, !tc.partial)
			if len(tc.extra) == 0 {
				return
			}
			got = execute(t, "", append(args, "--only", strings.Join(tc.extra, ","))...)
			extra.compare(t, got.Out, true)
			if unknown := strings.Count(got.Err, "nothing of that name\n"); got.Code != 1 || unknown != 3 {
				t.Errorf("code %d, stderr %q, want the three names without a mapping", got.Code, got.Err)
			}
		})
	}
}

func TestAnswersOfTheOfficialSDKOnRealProjects(t *testing.T) {
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set: the documents of real projects are not part of this repository")
	}
	// The second has numbers that a double can't hold.
	for _, name := range []string{"eval_proj_dcs", "big_number_dcs"} {
		t.Run(name, func(t *testing.T) { compareProject(t, dir, name) })
	}
}

func compareProject(t *testing.T, dir, name string) {
	t.Helper()
	project := filepath.Join(dir, "project")
	want := readRecorded(t, filepath.Join(project, "expected", name+".expected.jsonl.gz"))
	got := execute(t, "", "evaluate", "--specs", filepath.Join(dir, "..", "data", name+".json"),
		"--users", filepath.Join(project, "users.jsonl.gz"), "--id-lists", filepath.Join(project, "id_lists.json.gz"),
		"--now", strconv.FormatInt(want.header.EvaluatedAtMS, 10))
	if got.Code != 0 || got.Err != "" {
		t.Fatalf("code %d, stderr %q", got.Code, got.Err)
	}
	want.compare(t, got.Out, true)
}

func TestExposuresOfTheOfficialSDK(t *testing.T) {
	const data = "../../testdata/conformance"
	known, err := conformance.ReadKnown(filepath.Join(data, "KNOWN_DIFFERENCES.md"))
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{data}
	if dir := os.Getenv("CONFORMANCE_DIR"); dir != "" {
		folders = append(folders, dir) // the documents of real projects are not part of this repository
	}
	for _, folder := range folders {
		groups, err := conformance.Groups(folder)
		if err != nil {
			t.Fatal(err)
		}
		compared := 0
		for _, g := range groups {
			if in, ok := g.ExposureInputs(); ok {
				compared++
				t.Run(g.Name, func(t *testing.T) {
					outcome, err := g.CompareExposures(exposuresOf(t, in), conformance.Options{Known: known})
					if err != nil {
						t.Fatal(err)
					}
					for _, m := range outcome.Shown {
						t.Error(m)
					}
					t.Logf("%d exposures, %d cells", outcome.Cases, outcome.Cells)
				})
			}
		}
		if compared == 0 {
			t.Errorf("nothing was compared in %s", folder)
		}
	}
}

// exposuresOf runs the command as exposures were recorded.
func exposuresOf(t *testing.T, in conformance.Inputs) [][]map[string]any {
	t.Helper()
	args := []string{"exposures", "--specs", in.Document, "--users", in.Users, "--environment", in.Environment}
	if in.IDLists != "" {
		args = append(args, "--id-lists", in.IDLists)
	}
	if in.Options != "" {
		var opts struct {
			Options struct {
				Environment           string
				GlobalCustomFields    json.RawMessage
				UseThirdPartyUaParser bool
			}
		}
		mustUnmarshal(t, readAll(t, in.Options), &opts)
		args = append(args, "--id-lists", in.Options, "--environment", opts.Options.Environment,
			"--globals", string(opts.Options.GlobalCustomFields),
			"--third-party-user-agent-parser="+strconv.FormatBool(opts.Options.UseThirdPartyUaParser))
	}
	got := execute(t, "", args...)
	if got.Code != 0 || got.Err != "" {
		t.Fatalf("code %d, stderr %q", got.Code, got.Err)
	}
	var logged [][]map[string]any
	for line := range strings.Lines(got.Out) {
		var user struct{ Events []map[string]any }
		if err := json.Unmarshal([]byte(line), &user); err != nil {
			t.Fatal(err)
		}
		logged = append(logged, user.Events)
	}
	return logged
}

// readRecorded reads an expected file.
func readRecorded(t *testing.T, file string) *recorded {
	t.Helper()
	r := &recorded{answers: map[string]map[string][]any{}}
	for _, s := range sections {
		r.answers[s.member] = map[string][]any{}
	}
	lines := bytes.Split(bytes.TrimSpace(readAll(t, file)), []byte{'\n'})
	mustUnmarshal(t, lines[0], &r.header)
	for _, line := range lines[1:] {
		var entity struct {
			Idx        []int
			Kind, Name string
			Table      []struct{ Get any }
		}
		mustUnmarshal(t, line, &entity)
		if entity.Kind == "meta" {
			continue
		}
		answers := make([]any, len(entity.Idx))
		for u, i := range entity.Idx {
			answers[u] = entity.Table[i].Get
		}
		r.answers[entity.Kind+"s"][entity.Name] = answers
	}
	return r
}

// take moves entities, given as for --only, into recorded answers of their own.
func (r *recorded) take(names []string) *recorded {
	taken := &recorded{answers: map[string]map[string][]any{}}
	for _, text := range names {
		kind, name, _ := strings.Cut(text, ":")
		member := kind + "s"
		if taken.answers[member] == nil {
			taken.answers[member] = map[string][]any{}
		}
		taken.answers[member][name] = r.answers[member][name]
		delete(r.answers[member], name)
	}
	return taken
}

// compare compares every cell of the output. With all, the output holds no other entities.
func (r *recorded) compare(t *testing.T, output string, all bool) {
	t.Helper()
	const maxShown = 20
	decoded := map[string]any{} // each text once: real documents have large values
	cells, mismatches, users := 0, 0, 0
	for line := range strings.Lines(output) {
		root := gjson.Parse(line)
		if got := root.Get("u").Raw; got != strconv.Itoa(users) {
			t.Fatalf("line %d has u = %s", users, got)
		}
		for member, wanted := range r.answers {
			got := root.Get(member).Map()
			if all && len(got) != len(wanted) {
				t.Errorf("user %d: %d %s, want %d", users, len(got), member, len(wanted))
			}
			for name, answers := range wanted {
				if r.unstable[fmt.Sprintf("%s/%s/%d", member, name, users)] {
					continue
				}
				cells++
				text := got[name].Raw
				answer, ok := decoded[text]
				if !ok {
					mustUnmarshal(t, []byte(text), &answer)
					decoded[text] = answer
				}
				if reflect.DeepEqual(answer, answers[users]) {
					continue
				}
				if mismatches++; mismatches <= maxShown {
					t.Errorf("%s %q, user %d = %.500s, want %v", member, name, users, text, answers[users])
				}
			}
		}
		users++
	}
	for member, wanted := range r.answers {
		for name, answers := range wanted {
			if len(answers) != users {
				t.Fatalf("%d users, want %d for %s %q", users, len(answers), member, name)
			}
		}
	}
	t.Logf("%d users, %d answers, %d mismatches", users, cells, mismatches)
}

// readUnstable reads the answers to calls that the SDK doesn't repeat.
func readUnstable(t *testing.T, group string) map[string]bool {
	t.Helper()
	var cells map[string][][4]any
	mustUnmarshal(t, readAll(t, filepath.Join(conformanceData, "unstable.json")), &cells)
	unstable := map[string]bool{}
	for _, cell := range cells[group] {
		for _, path := range cell[3].([]any) {
			if call, _, _ := strings.Cut(path.(string), "."); call == "get" {
				unstable[fmt.Sprintf("%ss/%v/%v", cell[0], cell[1], cell[2])] = true
			}
		}
	}
	return unstable
}

// recordedGlobals are the global custom fields of a group.
func recordedGlobals(t *testing.T, group string) string {
	t.Helper()
	var opts struct {
		Options struct{ GlobalCustomFields json.RawMessage }
	}
	mustUnmarshal(t, readAll(t, filepath.Join(conformanceData, group+".opts.json")), &opts)
	return string(opts.Options.GlobalCustomFields)
}

func readAll(t *testing.T, file string) []byte {
	t.Helper()
	text, err := readFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// mustUnmarshal decodes JSON with its numbers as they are spelled: what the command prints is the spelling of the SDK.
func mustUnmarshal(t *testing.T, text []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}
