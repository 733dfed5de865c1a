package eval_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// responseEntity is the part of one entity in the client initialize responses of all users.
type responseEntity struct {
	Idx   []int            `json:"idx"`
	Kind  string           `json:"kind"`
	Name  string           `json:"name"`
	Table []map[string]any `json:"table"`
}

// responseSections are where a response has each kind.
var responseSections = map[string]string{
	"gate": "feature_gates", "config": "dynamic_configs", "layer": "layer_configs", "store": "param_stores",
}

func TestClientInitializeResponsesOfTheOfficialSDKOnSyntheticDocuments(t *testing.T) {
	unstable := readUnstable(t, filepath.Join(conformanceData, "fuzz", "unstable.json"))
	documents, err := filepath.Glob(filepath.Join(conformanceData, "fuzz", "*.dcs.json.gz"))
	if err != nil || len(documents) == 0 {
		t.Fatalf("no conformance data: %v", err)
	}
	var total tally
	for _, document := range documents {
		base := strings.TrimSuffix(document, ".dcs.json.gz")
		total.add(runResponses(t, unstable[filepath.Base(base)], conformanceGroup{
			name: filepath.Base(base), document: document, users: base + ".users.jsonl.gz", options: base + ".opts.json",
			expected: base + ".expected.jsonl.gz",
		}))
	}
	t.Logf("%-36s %v", "all", total)
}

func TestClientInitializeResponsesOfTheOfficialSDKOnRealProjects(t *testing.T) {
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set: the documents of real projects are not part of this repository")
	}
	expected, err := filepath.Glob(filepath.Join(dir, "project", "expected", "*.expected.jsonl.gz"))
	if err != nil || len(expected) == 0 {
		t.Fatalf("no conformance data: %v", err)
	}
	var total tally
	for _, file := range expected {
		name := strings.TrimSuffix(filepath.Base(file), ".expected.jsonl.gz")
		total.add(runResponses(t, nil, conformanceGroup{
			name: name, document: filepath.Join(dir, "..", "data", name+".json"),
			users: filepath.Join(dir, "project", "users.jsonl.gz"), idLists: filepath.Join(dir, "project", "id_lists.json.gz"),
			expected: file,
		}))
	}
	t.Logf("%-36s %v", "all", total)
}

func runResponses(t *testing.T, unstable map[string]bool, g conformanceGroup) tally {
	t.Helper()
	r := &groupRun{t: t, group: g, unstable: unstable}
	lines := readLines(t, g.expected)
	var header conformanceHeader
	mustUnmarshal(t, lines[0], &header)
	r.evaluator = g.evaluator(t)
	r.readUsers(header)
	entities := make([]responseEntity, len(lines)-1)
	for i, line := range lines[1:] {
		mustUnmarshal(t, line, &entities[i])
	}
	if !slices.ContainsFunc(entities, recorded) {
		return tally{} // the SDK doesn't repeat these responses, or they are blank
	}
	var text []byte
	for u := 0; u < len(r.users); u += userStride {
		if r.users[u] == nil {
			continue
		}
		text = r.evaluator.AppendClientInitialize(text[:0], r.users[u], r.instants[u],
			eval.ClientInitializeOptions{Hash: eval.HashNone})
		var response map[string]any
		mustUnmarshal(t, text, &response)
		for i := range entities {
			r.compareResponse(&entities[i], u, response)
		}
	}
	t.Logf("%-36s %v", g.name, r.tally)
	return r.tally
}

// recorded reports whether an entity is part of any response.
func recorded(e responseEntity) bool {
	return slices.ContainsFunc(e.Table, func(cells map[string]any) bool { return cells["gcir"] != nil })
}

// compareResponse compares one entity's part of a response, or all that belongs to none.
func (r *groupRun) compareResponse(e *responseEntity, user int, response map[string]any) {
	if e.Idx[user] < 0 {
		return
	}
	cells := e.Table[e.Idx[user]]
	if e.Kind == "meta" {
		for name, want := range cells {
			r.responseCell(e, user, name, response[name], want)
		}
		return
	}
	want, ok := cells["gcir"]
	if !ok {
		return
	}
	entry, _ := response[responseSections[e.Kind]].(map[string]any)[e.Name].(map[string]any)
	wantEntry, _ := want.(map[string]any)
	if entry == nil || wantEntry == nil {
		r.responseCell(e, user, "", entry, wantEntry)
		return
	}
	if e.Kind != "store" {
		delete(entry, "name")
	}
	for name := range allKeys(entry, wantEntry) {
		r.responseCell(e, user, name, entry[name], wantEntry[name])
	}
}

func allKeys(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func (r *groupRun) responseCell(e *responseEntity, user int, field string, got, want any) {
	base := fmt.Sprintf("%s/%s/%d/gcir", e.Kind, e.Name, user)
	if len(r.unstable) > 0 && (r.unstable[base] || r.unstable[base+"."+field]) {
		r.tally.unstable++
		return
	}
	r.tally.cells++
	if reflect.DeepEqual(got, want) {
		return
	}
	r.tally.mismatches++
	if r.tally.mismatches <= maxShown {
		r.t.Errorf("%s: response's %s %q, user %d: %s = %s, want %s", r.group.name, e.Kind, e.Name, user, field,
			show(got), show(want))
	}
}
