package eval_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// The files under testdata/conformance hold answers of Statsig's official Server Core SDK; its README says how they
// were made. Every answer is compared, cell by cell, but for those in fuzz/unstable.json, which the SDK itself
// doesn't repeat.

const conformanceData = "../../testdata/conformance"

// maxShown bounds the mismatches printed for one group.
const maxShown = 20

// conformanceGroup is one document with its users and the answers.
type conformanceGroup struct {
	name, document, users, options, idLists, expected string
}

type conformanceOptions struct {
	Options struct {
		Environment          string         `json:"environment"`
		GlobalCustomFields   map[string]any `json:"globalCustomFields"`
		UseThirdPartyUAParse bool           `json:"useThirdPartyUaParser"`
	} `json:"options"`
	IDLists map[string]struct{ Body string } `json:"idLists"`
}

type conformanceHeader struct {
	EvaluatedAtMS int64               `json:"evaluated_at_ms"`
	Users         int                 `json:"users"`
	InstantsMS    []int64             `json:"instants_ms"`
	Lists         map[string][]string `json:"lists"`
}

type conformanceEntity struct {
	Idx   []int  `json:"idx"`
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Table []struct {
		Get              answer  `json:"get"`
		GetDynamicConfig *answer `json:"get_dynamic_config"`
	} `json:"table"`
}

func TestAnswersOfTheOfficialSDKOnSyntheticDocuments(t *testing.T) {
	unstable := readUnstable(t, filepath.Join(conformanceData, "fuzz", "unstable.json"))
	documents, err := filepath.Glob(filepath.Join(conformanceData, "fuzz", "*.dcs.json.gz"))
	if err != nil || len(documents) == 0 {
		t.Fatalf("no conformance data: %v", err)
	}
	var total tally
	for _, document := range documents {
		base := strings.TrimSuffix(document, ".dcs.json.gz")
		g := conformanceGroup{
			name: filepath.Base(base), document: document, users: base + ".users.jsonl.gz", options: base + ".opts.json",
			expected: base + ".expected.jsonl.gz",
		}
		total.add(g.run(t, unstable[g.name]))
	}
	t.Logf("%-36s %v", "all", total)
}

func TestAnswersOfTheOfficialSDKOnRealProjects(t *testing.T) {
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
		g := conformanceGroup{
			name: name, document: filepath.Join(dir, "..", "data", name+".json"),
			users: filepath.Join(dir, "project", "users.jsonl.gz"), idLists: filepath.Join(dir, "project", "id_lists.json.gz"),
			expected: file,
		}
		total.add(g.run(t, nil))
	}
	t.Logf("%-36s %v", "all", total)
}

// tally counts answers.
type tally struct{ answers, cells, mismatches, unstable int }

func (a *tally) add(b tally) {
	a.answers += b.answers
	a.cells += b.cells
	a.mismatches += b.mismatches
	a.unstable += b.unstable
}

func (a tally) String() string {
	return fmt.Sprintf("%8d answers %9d cells %6d mismatches %5d unstable", a.answers, a.cells, a.mismatches, a.unstable)
}

// groupRun is one group while it runs.
type groupRun struct {
	t         *testing.T
	group     conformanceGroup
	evaluator *eval.Evaluator
	users     []*eval.User
	instants  []time.Time // one for each user
	unstable  map[string]bool
	recorder  eval.Recorder
	decoded   map[string]any
	tally     tally
}

func (g conformanceGroup) run(t *testing.T, unstable map[string]bool) tally {
	t.Helper()
	r := &groupRun{t: t, group: g, unstable: unstable, decoded: map[string]any{}}
	lines := readLines(t, g.expected)
	var header conformanceHeader
	mustUnmarshal(t, lines[0], &header)
	r.evaluator = g.evaluator(t)
	r.readUsers(header)
	r.compareLists(header.Lists)
	for _, line := range lines[1:] {
		var e conformanceEntity
		mustUnmarshal(t, line, &e)
		if e.Kind != "meta" {
			r.compare(&e)
		}
	}
	t.Logf("%-36s %v", g.name, r.tally)
	return r.tally
}

func (g conformanceGroup) evaluator(t testing.TB) *eval.Evaluator {
	t.Helper()
	var opts conformanceOptions
	if text, err := os.ReadFile(g.options); err == nil {
		mustUnmarshal(t, text, &opts)
	}
	lists := idLists{}
	for name, list := range opts.IDLists {
		lists.add(name, list.Body)
	}
	if g.idLists != "" {
		lists.read(t, g.idLists)
	}
	snapshot := compile(t, readFile(t, g.document))
	return eval.NewEvaluator(snapshot, eval.Options{
		Environment: opts.Options.Environment, GlobalCustomFields: opts.Options.GlobalCustomFields, IDLists: lists,
		Country: countries(t), UserAgent: agentParser(t, opts.Options.UseThirdPartyUAParse),
	})
}

func (r *groupRun) readUsers(header conformanceHeader) {
	if len(header.InstantsMS) > 0 {
		for _, ms := range header.InstantsMS {
			r.users = append(r.users, eval.NewUser(eval.UserAttributes{UserID: "u"}))
			r.instants = append(r.instants, time.UnixMilli(ms))
		}
		return
	}
	for _, line := range readLines(r.t, r.group.users) {
		var m map[string]any
		mustUnmarshal(r.t, line, &m)
		u, err := eval.UserOf(m)
		if err != nil {
			u = nil
		}
		r.users = append(r.users, u)
		r.instants = append(r.instants, time.UnixMilli(header.EvaluatedAtMS))
	}
	if len(r.users) != header.Users {
		r.t.Fatalf("%s: %d users, want %d", r.group.name, len(r.users), header.Users)
	}
}

// compareLists compares the list methods, where a group recorded them.
func (r *groupRun) compareLists(lists map[string][]string) {
	for name, kind := range map[string]eval.Kind{
		"gates": eval.KindGate, "dynamic_configs": eval.KindDynamicConfig, "experiments": eval.KindExperiment,
		"layers": eval.KindLayer, "stores": eval.KindParameterStore,
	} {
		want, ok := lists[name]
		if !ok {
			continue
		}
		slices.Sort(want)
		if got := r.evaluator.Snapshot().Names(kind); !slices.Equal(got, want) {
			r.t.Errorf("%s: Names(%v) = %q, want %q", r.group.name, kind, got, want)
		}
	}
}

func (r *groupRun) compare(e *conformanceEntity) {
	for u, i := range e.Idx {
		if i < 0 || u%userStride != 0 {
			continue
		}
		want := &e.Table[i].Get
		c := comparison{run: r, kind: e.Kind, name: e.Name, user: u}
		switch e.Kind {
		case "gate":
			c.gate(want, r.evaluate(eval.KindGate, e.Name, u))
		case "config":
			c.config(want, r.evaluate(eval.KindExperiment, e.Name, u))
			if other := e.Table[i].GetDynamicConfig; other != nil {
				want = other
			}
			c.config(want, r.evaluate(eval.KindDynamicConfig, e.Name, u))
		case "layer":
			res := r.evaluate(eval.KindLayer, e.Name, u)
			c.config(want, res)
			c.text("allocated_experiment_name", want.AllocatedExperimentName, res.ConfigDelegate)
		case "store":
			c.store(want)
		}
	}
}

func (r *groupRun) evaluate(kind eval.Kind, name string, user int) eval.Result {
	r.tally.answers++
	return r.evaluator.Evaluate(eval.Ref{Kind: kind, Name: name}, r.users[user], r.instants[user], &r.recorder)
}

// json decodes a value of ours, each text once.
func (r *groupRun) json(s string) any {
	if s == "" {
		return nil
	}
	v, ok := r.decoded[s]
	if !ok {
		mustUnmarshal(r.t, []byte(s), &v)
		r.decoded[s] = v
	}
	return v
}

// readUnstable reads the cells that the SDK doesn't repeat, as kind/name/user/path by group.
func readUnstable(t *testing.T, file string) map[string]map[string]bool {
	t.Helper()
	var groups map[string][][4]any
	mustUnmarshal(t, readFile(t, file), &groups)
	unstable := map[string]map[string]bool{}
	for group, list := range groups {
		unstable[group] = map[string]bool{}
		for _, cell := range list {
			for _, path := range cell[3].([]any) {
				unstable[group][fmt.Sprintf("%v/%v/%v/%v", cell[0], cell[1], cell[2], path)] = true
			}
		}
	}
	return unstable
}

// idLists is a set of ID lists in memory.
type idLists map[string]map[string]bool

func (l idLists) add(name, body string) {
	list := map[string]bool{}
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "+"):
			list[line[1:]] = true
		case strings.HasPrefix(line, "-"):
			delete(list, line[1:])
		}
	}
	l[name] = list
}

func (l idLists) read(t testing.TB, file string) {
	t.Helper()
	var bodies map[string]struct{ Body string }
	mustUnmarshal(t, readFile(t, file), &bodies)
	for name, list := range bodies {
		l.add(name, list.Body)
	}
}

func (l idLists) Contains(list, hash string) bool { return l[list][hash] }

func compile(t testing.TB, document []byte) *eval.Snapshot {
	t.Helper()
	d, err := eval.Decode(document)
	if err != nil {
		t.Fatal(err)
	}
	s, err := eval.Compile(d, eval.Origin{Source: "Network"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustUnmarshal(t testing.TB, text []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b
}

func readLines(t testing.TB, name string) [][]byte {
	t.Helper()
	var lines [][]byte
	s := bufio.NewScanner(bytes.NewReader(readFile(t, name)))
	s.Buffer(nil, 1<<26)
	for s.Scan() {
		lines = append(lines, bytes.Clone(s.Bytes()))
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return lines
}
