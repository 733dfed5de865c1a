package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// section is one kind of entities.
type section struct {
	kind eval.Kind
	// name is the kind's in --only and in tables, member its name in JSON.
	name, member string
}

// sections are in the order of the output. Dynamic configs and experiments share their names and are asked as
// experiments, which answers for both.
var sections = [...]section{
	{eval.KindGate, "gate", "gates"},
	{eval.KindExperiment, "config", "configs"},
	{eval.KindLayer, "layer", "layers"},
	{eval.KindParameterStore, "store", "stores"},
}

// entity is one thing to ask for.
type entity struct {
	eval.Ref
	// parameters are those of a parameter store, sorted.
	parameters []string
}

// entities are those of each section, sorted by name.
type entities [len(sections)][]entity

// allEntities are all specs of a document, those included that are not for users to ask, such as segments and holdouts.
func (p *project) allEntities() entities {
	var all entities
	for _, ref := range p.evaluator.Snapshot().Refs() {
		all.add(p, ref)
	}
	return all
}

// namedEntities are those that --only names, as KIND:NAME. Names that the document doesn't know are among them, because
// the SDK has an answer for them too; they come back as unknown as well.
func (p *project) namedEntities(only []string) (named entities, unknown []string, err error) {
	only = slices.Clone(only)
	slices.Sort(only)
	for _, text := range slices.Compact(only) {
		ref, err := parseRef(text)
		if err != nil {
			return named, nil, err
		}
		named.add(p, ref)
		if !p.knows(ref) {
			unknown = append(unknown, text)
		}
	}
	return named, unknown, nil
}

func (e *entities) add(p *project, ref eval.Ref) {
	i := slices.IndexFunc(sections[:], func(s section) bool { return s.kind == ref.Kind })
	if i < 0 {
		return
	}
	added := entity{Ref: ref}
	if ref.Kind == eval.KindParameterStore {
		added.parameters = p.evaluator.Snapshot().Parameters(ref.Name)
	}
	e[i] = append(e[i], added)
}

// knows reports whether the document has a spec of that name, or a mapping that puts another in its place.
func (p *project) knows(ref eval.Ref) bool {
	snapshot := p.evaluator.Snapshot()
	return snapshot.Has(ref) || len(snapshot.Closure(ref).Refs) > 1
}

// parseRef reads KIND:NAME. Names may hold colons themselves, as those of segments do.
func parseRef(text string) (eval.Ref, error) {
	kind, name, _ := strings.Cut(text, ":")
	for _, s := range sections {
		if s.name == kind && name != "" {
			return eval.Ref{Kind: s.kind, Name: name}, nil
		}
	}
	return eval.Ref{}, fmt.Errorf("--only %q: want gate:NAME, config:NAME, layer:NAME or store:NAME", text)
}
