package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
)

// comparer compares documents, one at a time.
type comparer struct {
	server *server
	oracle *oracle
	// work is a folder for the answers, keep one for those that differ, if they are wanted.
	work    string
	keep    string
	keepAll bool
	last    string // where the latest answers are
	known   *conformance.Known
	users   int
	tallies map[string]conformance.Tally
}

const (
	// rounds is how often the SDK is asked again where an answer differs: none is taken at its word before it was the
	// same each time. In a client initialize response more depends on the order of a hash map, and so rarely.
	rounds, responseRounds = 20, 200
	// maxReported bounds the differences reported for one document.
	maxReported = 10
)

// document compares the document of a seed and reports whether it differs.
func (c *comparer) document(seed uint64) (bool, error) {
	g, err := generate(seed, c.users)
	if err != nil {
		return false, err
	}
	outcomes, err := c.ask(g, seed, 0)
	if err != nil {
		return false, err
	}
	differences := mismatches(outcomes)
	for round := 1; round <= roundsFor(differences); round++ {
		again, err := c.ask(g, seed, round)
		if err != nil {
			return false, err
		}
		still := mismatches(again)
		for cell := range differences {
			if _, ok := still[cell]; !ok {
				delete(differences, cell)
			}
		}
	}
	c.count(outcomes, differences)
	if len(differences) == 0 {
		if c.keepAll {
			err = c.keepLast()
		}
		return false, err
	}
	fmt.Printf("\nseed %d: %d differences\n", seed, len(differences))
	c.report(g, differences)
	return true, c.keepLast()
}

// roundsFor is how often the SDK is asked again for these differences.
func roundsFor(differences map[string]conformance.Mismatch) int {
	if len(differences) == 0 {
		return 0
	}
	for cell := range differences {
		if !strings.HasPrefix(cell, conformance.SuiteResponseCells) {
			return rounds
		}
	}
	return responseRounds
}

// keepLast copies the latest answers to where they are kept.
func (c *comparer) keepLast() error {
	if c.keep == "" {
		return nil
	}
	if err := os.CopyFS(c.keep, os.DirFS(c.last)); err != nil {
		return fmt.Errorf("keeping answers: %w", err)
	}
	return nil
}

// count adds up outcomes. Mismatches that went away are cells that the SDK doesn't repeat.
func (c *comparer) count(outcomes map[string]conformance.Outcome, confirmed map[string]conformance.Mismatch) {
	if c.tallies == nil {
		c.tallies = map[string]conformance.Tally{}
	}
	for suite, o := range outcomes {
		t := o.Tally
		for _, m := range o.Shown {
			if _, ok := confirmed[suite+" "+m.Cell()]; !ok {
				t.Mismatches--
				t.Cells--
				t.Unstable++
			}
		}
		c.tallies[suite] = c.tallies[suite].Plus(t)
	}
}

func mismatches(outcomes map[string]conformance.Outcome) map[string]conformance.Mismatch {
	cells := map[string]conformance.Mismatch{}
	for suite, o := range outcomes {
		for _, m := range o.Shown {
			cells[suite+" "+m.Cell()] = m
		}
	}
	return cells
}

// ask lets the SDK answer, and compares, by suite.
func (c *comparer) ask(g *generated, seed uint64, round int) (map[string]conformance.Outcome, error) {
	if err := os.RemoveAll(c.last); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(c.work, "")
	if err != nil {
		return nil, err
	}
	c.last = folder
	name := fmt.Sprintf("seed_%d", seed)
	base := filepath.Join(folder, "fuzz", name)
	if err := os.Mkdir(filepath.Dir(base), 0o755); err != nil {
		return nil, err
	}
	if err := g.write(base); err != nil {
		return nil, err
	}
	c.server.serve(g.document, g.idLists)
	err = c.oracle.ask(job{
		URL: c.server.URL, Key: fmt.Sprintf("secret-%d-%d", seed, round), File: base + ".expected.jsonl.gz",
		Options: g.options, Users: g.users, Entities: g.entities, Expose: g.exposes, Respond: g.responds,
	})
	if err != nil {
		return nil, err
	}
	logged, err := c.server.received()
	if err == nil && g.exposes {
		err = writeExposures(base+".exposures.jsonl.gz", logged, len(g.users))
	}
	if err != nil {
		return nil, err
	}
	cases, err := conformance.Cases(folder)
	if err != nil {
		return nil, err
	}
	outcomes := map[string]conformance.Outcome{}
	for _, one := range cases {
		const all = 1 << 30
		if outcomes[one.Suite], err = one.Run(conformance.Options{Known: c.known, MaxShown: all}); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// write writes what was asked, in the form of testdata/conformance.
func (g *generated) write(base string) error {
	lists := map[string]any{}
	for name, body := range g.idLists {
		lists[name] = map[string]any{"body": body}
	}
	options, err := json.Marshal(map[string]any{"options": g.options, "idLists": lists})
	if err != nil {
		return err
	}
	if err := os.WriteFile(base+".opts.json", options, 0o600); err != nil {
		return err
	}
	var users bytes.Buffer
	for _, u := range g.users {
		users.Write(u)
		users.WriteByte('\n')
	}
	if err := writeCompressed(base+".users.jsonl.gz", users.Bytes()); err != nil {
		return err
	}
	return writeCompressed(base+".dcs.json.gz", g.document)
}

// writeExposures writes exposures by user: each user has a custom ID of its own.
func writeExposures(file string, logged []json.RawMessage, users int) error {
	rows := make([][]json.RawMessage, users)
	for _, event := range logged {
		var row int
		id := gjson.GetBytes(event, "user.customIDs.row").Str
		if _, err := fmt.Sscanf(id, "row%d", &row); err == nil && row < users {
			rows[row] = append(rows[row], event)
		}
	}
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	for u, events := range rows {
		if err := lines.Encode(map[string]any{"u": u, "events": events}); err != nil {
			return err
		}
	}
	return writeCompressed(file, text.Bytes())
}

func writeCompressed(file string, text []byte) error {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o600)
}

// report prints differences, for each field of an entity that of one user.
func (c *comparer) report(g *generated, differences map[string]conformance.Mismatch) {
	type place struct{ kind, entity, field string }
	users, shown := map[place]int{}, 0
	for _, m := range differences {
		users[place{m.Kind, m.Entity, m.Field}]++
	}
	for _, key := range sortedKeys(differences) {
		m := differences[key]
		at := place{m.Kind, m.Entity, m.Field}
		n := users[at]
		if n == 0 {
			continue // another user's stands for it
		}
		users[at] = 0
		if shown++; shown > maxReported {
			fmt.Println("  … and more")
			return
		}
		fmt.Printf("  %s (and for %d other users)\n    got  %s\n    want %s\n", m.Cell(), n-1, m.Got, m.Want)
		g.print(m)
	}
}

// print prints what a difference depends on: the user, the spec and its conditions.
func (g *generated) print(m conformance.Mismatch) {
	if m.User < len(g.users) {
		fmt.Printf("    user %s\n", g.users[m.User])
	}
	for _, section := range []string{"feature_gates", "dynamic_configs", "layer_configs", "cmab_configs", "param_stores"} {
		spec := gjson.GetBytes(g.document, section+"."+gjson.Escape(m.Entity))
		if !spec.Exists() {
			continue
		}
		fmt.Printf("    %s %s\n", section, spec.Raw)
		for _, key := range spec.Get("rules.#.conditions|@flatten").Array() {
			fmt.Printf("      condition %s %s\n", key.Str, gjson.GetBytes(g.document, "condition_map."+gjson.Escape(key.Str)).Raw)
		}
	}
}
