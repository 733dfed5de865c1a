package eval

import "slices"

// Changes is what may answer differently between two snapshots.
type Changes struct {
	everything bool
	affected   map[Ref]bool // by name space
}

// Affects reports whether r may answer differently. That is also true for names that appeared or vanished.
func (c Changes) Affects(r Ref) bool { return c.everything || c.affected[r.nameSpace()] }

// Empty reports whether nothing changed.
func (c Changes) Empty() bool { return !c.everything && len(c.affected) == 0 }

// Refs lists what may answer differently, sorted. A dynamic config or experiment is listed as both.
func (c Changes) Refs() []Ref {
	refs := make([]Ref, 0, len(c.affected))
	for r := range c.affected {
		refs = append(refs, r)
		if r.Kind == KindDynamicConfig {
			refs = append(refs, Ref{KindExperiment, r.Name})
		}
	}
	slices.SortFunc(refs, compareRefs)
	return refs
}

// nameSpace maps experiments to dynamic configs, with which they share their names.
func (r Ref) nameSpace() Ref {
	if r.Kind == KindExperiment {
		r.Kind = KindDynamicConfig
	}
	return r
}

// nameSpaces are the kinds whose names are apart.
var nameSpaces = [...]Kind{KindGate, KindDynamicConfig, KindLayer, KindParameterStore}

// Diff compares closures by content: an entity is affected when its own text, a condition of its, or anything it
// refers to differs. old may be nil: then everything in next is affected.
func Diff(old, next *Snapshot) Changes {
	c := Changes{affected: map[Ref]bool{}}
	if old == nil {
		c.everything = true
		next.eachName(func(r Ref) { c.affected[r] = true })
		return c
	}
	if old.Hash() == next.Hash() {
		return c
	}
	d := differ{old: old, next: next, overrides: map[[2]*rawRule]bool{}}
	compare := func(r Ref) {
		if !c.affected[r] && !d.same(r) {
			c.affected[r] = true
		}
	}
	old.eachName(compare)
	next.eachName(compare)
	if len(c.affected) > 0 {
		c.propagate(next)
	}
	return c
}

// eachName visits all names of a snapshot, those only referred to included.
func (s *Snapshot) eachName(visit func(Ref)) {
	for _, kind := range nameSpaces {
		for name := range s.specs(kind) {
			visit(Ref{kind, name})
		}
	}
	for name := range s.stores {
		visit(Ref{KindParameterStore, name})
	}
}

// propagate adds all that refers to something affected. What is not affected itself refers to the same names in both
// snapshots, so the references of one of them do.
func (c Changes) propagate(s *Snapshot) {
	users := map[Ref][]Ref{}
	s.eachName(func(r Ref) {
		w := walk{snapshot: s, seen: map[Ref]bool{}, lists: map[string]bool{}, fields: map[string]bool{}}
		if r.Kind == KindParameterStore {
			w.visitStore(s.stores[r.Name])
		} else {
			w.visit(s.specs(r.Kind)[r.Name], r.banditKind())
		}
		for to := range w.seen {
			to = to.nameSpace()
			users[to] = append(users[to], r)
		}
	})
	queue := make([]Ref, 0, len(c.affected))
	for r := range c.affected {
		queue = append(queue, r)
	}
	for len(queue) > 0 {
		r := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, user := range users[r] {
			if !c.affected[user] {
				c.affected[user] = true
				queue = append(queue, user)
			}
		}
	}
}

// banditKind is the kind under which all that a name can mean is visited.
func (r Ref) banditKind() Kind {
	if r.Kind == KindDynamicConfig {
		return KindExperiment
	}
	return r.Kind
}

// differ compares single entities of two snapshots by their texts.
type differ struct {
	old, next *Snapshot
	// overrides are the outcomes for pairs of override rules; mappings may name each many times.
	overrides map[[2]*rawRule]bool
}

func (d *differ) same(r Ref) bool {
	if r.Kind == KindParameterStore {
		a, b := d.old.stores[r.Name], d.next.stores[r.Name]
		return (a == nil) == (b == nil) && (a == nil || a.text == b.text)
	}
	a, b := d.old.specs(r.Kind)[r.Name], d.next.specs(r.Kind)[r.Name]
	return d.sameSpec(a, b) && d.sameMappings(r.Name, a, b) && sameBandit(a, b)
}

func (d *differ) sameSpec(a, b *spec) bool {
	if a.exists() != b.exists() {
		return false
	}
	if !a.exists() {
		return true
	}
	if a.text != b.text || len(a.rules) != len(b.rules) {
		return false
	}
	for i := range a.rules {
		if !d.sameConditions(&a.rules[i], &b.rules[i]) {
			return false
		}
	}
	return true
}

func (s *spec) exists() bool { return s != nil && !s.missing }

// sameConditions also looks at what a document says for all conditions of a kind.
func (d *differ) sameConditions(a, b *rule) bool {
	if len(a.conditions) != len(b.conditions) {
		return false
	}
	for i, c := range a.conditions {
		k := b.conditions[i]
		if c.kind != k.kind || c.text != k.text {
			return false
		}
		switch c.kind {
		case conditionTargetApp:
			if d.old.facts.appID != d.next.facts.appID {
				return false
			}
		case conditionEnvironment:
			if d.old.facts.defaultEnvironment != d.next.facts.defaultEnvironment {
				return false
			}
		default:
		}
	}
	return true
}

func (d *differ) sameMappings(name string, a, b *spec) bool {
	if d.old.facts.overrideTexts[name] != d.next.facts.overrideTexts[name] {
		return false
	}
	for _, m := range d.next.facts.overrides[name] {
		for _, l := range m.rules {
			if d.old.facts.overrideRuleTexts[l.name] != d.next.facts.overrideRuleTexts[l.name] {
				return false
			}
		}
	}
	if a == nil || b == nil {
		return true
	}
	return slices.EqualFunc(a.mappings, b.mappings, func(m, n mapping) bool {
		return slices.EqualFunc(m.rules, n.rules, func(l, k mappingRule) bool { return d.sameOverride(l.rule, k.rule) })
	})
}

func (d *differ) sameOverride(a, b *rule) bool {
	pair := [2]*rawRule{a.rawRule, b.rawRule}
	same, ok := d.overrides[pair]
	if !ok {
		same = d.sameConditions(a, b)
		d.overrides[pair] = same
	}
	return same
}

func sameBandit(a, b *spec) bool { return a.banditText() == b.banditText() }

func (s *spec) banditText() string {
	if s == nil || s.bandit == nil {
		return ""
	}
	return s.bandit.text
}
