package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// responseEntity is the part of one entity in the client initialize responses of all users. Kind meta is all that
// belongs to no entity.
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

func (g Group) compareResponses(s *sheet) error {
	h, lines, err := g.read()
	if err != nil {
		return err
	}
	entities := make([]responseEntity, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal(line, &entities[i]); err != nil {
			return fmt.Errorf("reading line %d of %s: %w", i+2, g.expected, err)
		}
	}
	if !slices.ContainsFunc(entities, isRecorded) {
		return nil // the SDK doesn't repeat these responses, or they are blank
	}
	p, err := g.project(h)
	if err != nil {
		return err
	}
	s.unstable = g.unstable
	var text []byte
	for u := 0; u < len(p.Users); u += s.stride {
		if p.Users[u] == nil {
			continue // calls have it for a mismatch, where it is one
		}
		text = p.Evaluator.AppendClientInitialize(text[:0], p.Users[u], p.Instants[u],
			eval.ClientInitializeOptions{Hash: eval.HashNone})
		var response map[string]any
		if err := json.Unmarshal(text, &response); err != nil {
			return fmt.Errorf("response of user %d: %w", u, err)
		}
		for i := range entities {
			s.responseEntity(&entities[i], u, response)
		}
	}
	return nil
}

// isRecorded reports whether an entity is part of any response.
func isRecorded(e responseEntity) bool {
	return slices.ContainsFunc(e.Table, func(row map[string]any) bool { return row["gcir"] != nil })
}

// responseEntity compares one entity's part of a response.
func (s *sheet) responseEntity(e *responseEntity, user int, response map[string]any) {
	if e.Idx[user] < 0 {
		return
	}
	at, row := cell{kind: e.Kind, entity: e.Name, user: user}, e.Table[e.Idx[user]]
	if e.Kind == "meta" {
		s.outcome.Cases++
		for name, want := range row {
			s.responseCell(at, name, response[name], want)
		}
		return
	}
	recorded, ok := row["gcir"]
	if !ok {
		return
	}
	s.outcome.Cases++
	section, _ := response[responseSections[e.Kind]].(map[string]any)
	got, _ := section[e.Name].(map[string]any)
	want, _ := recorded.(map[string]any)
	if got == nil || want == nil {
		at.field = "gcir"
		s.compare(at, got == nil && want == nil, got, want)
		return
	}
	if e.Kind != "store" {
		delete(got, "name")
	}
	for name := range bothKeys(got, want) {
		s.responseCell(at, name, got[name], want[name])
	}
}

func (s *sheet) responseCell(at cell, field string, got, want any) {
	at.field = "gcir"
	if s.isUnstable(at) {
		return // as a whole
	}
	at.field = "gcir." + field
	s.compare(at, reflect.DeepEqual(got, want), got, want)
}

func bothKeys(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// responseOptions are the sets of options of whole responses.
var responseOptions = map[string]eval.ClientInitializeOptions{
	"default":                {},
	"djb2":                   {Hash: eval.HashDJB2},
	"sha256":                 {Hash: eval.HashSHA256},
	"none":                   {Hash: eval.HashNone},
	"client_key":             {Hash: eval.HashNone, ClientKey: "client-key"},
	"format1_with_mapping":   {Hash: eval.HashNone, Format: eval.ResponseV2},
	"format2_init_v2":        {Hash: eval.HashNone, Format: eval.ResponseInitV2},
	"remove_defaults_idtype": {Hash: eval.HashNone, RemoveDefaultValueGates: true, RemoveIDType: true},
	"prevhash":               {Hash: eval.HashNone, PreviousResponseHash: "x"},
}

// responseUser is the user of whole responses.
const responseUser = `{"userID":"a-user","email":"daniel@statsig.com","customIDs":{"companyID":"c","stableID":"s"},` +
	`"custom":{"level":9},"privateAttributes":{"p":"x"}}`

// responseCases lists the whole responses that a folder holds.
func responseCases(folder string) ([]Case, error) {
	names, files, err := glob(".json", folder, "client-initialize")
	if err != nil {
		return nil, err
	}
	cases := make([]Case, len(names))
	for i, name := range names {
		project, set, _ := strings.Cut(name, ".")
		document := filepath.Join(folder, "..", "data", project+".json")
		cases[i] = Case{SuiteResponses, name, func(s *sheet) error { return s.response(document, files[i], set) }}
	}
	return cases, nil
}

// response compares a whole response, member by member and entity by entity.
func (s *sheet) response(document, recorded, set string) error {
	o, ok := responseOptions[set]
	if !ok {
		return fmt.Errorf("unknown set of options %q", set)
	}
	evaluator, err := Group{document: document}.evaluator()
	if err != nil {
		return err
	}
	user, err := eval.ParseUser([]byte(responseUser))
	if err != nil {
		return err
	}
	var got, want map[string]any
	if err := json.Unmarshal(evaluator.AppendClientInitialize(nil, user, evaluatedAt, o), &got); err != nil {
		return err
	}
	if err := readJSON(recorded, &want); err != nil {
		return err
	}
	if err := errors.Join(spellOut(got), spellOut(want)); err != nil {
		return err
	}
	for name := range bothKeys(got, want) {
		s.outcome.Cases++
		a, aIsObject := got[name].(map[string]any)
		b, bIsObject := want[name].(map[string]any)
		if !aIsObject || !bIsObject {
			s.compare(cell{kind: "response", entity: name, field: name}, reflect.DeepEqual(got[name], want[name]), got[name], want[name])
			continue
		}
		for entity := range bothKeys(a, b) {
			s.compare(cell{kind: name, entity: entity, field: name}, reflect.DeepEqual(a[entity], b[entity]), a[entity], b[entity])
		}
	}
	return nil
}

// spellOut puts what IDs stand for in their place: which IDs there are depends on the order of entries, which is that of
// a hash map in the SDK.
func spellOut(response map[string]any) error {
	if response["response_format"] != "init-v2" {
		return nil
	}
	values, _ := response["values"].(map[string]any)
	exposures, _ := response["exposures"].(map[string]any)
	for _, section := range []string{"dynamic_configs", "layer_configs", "feature_gates"} {
		entries, _ := response[section].(map[string]any)
		for name, x := range entries {
			entry, ok := x.(map[string]any)
			if !ok {
				return fmt.Errorf("%s of %s is no object", name, section)
			}
			if id, ok := entry["v"].(string); ok {
				entry["v"] = values[id]
			}
			for _, list := range []string{"s", "us"} {
				ids, _ := entry[list].([]any)
				for i, id := range ids {
					if id, ok := id.(string); ok {
						ids[i] = exposures[id]
					}
				}
			}
		}
	}
	response["values"], response["exposures"] = len(values), len(exposures)
	return nil
}
