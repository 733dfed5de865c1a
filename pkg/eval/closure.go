package eval

import "slices"

// Closure is all that the answer for one entity depends on.
type Closure struct {
	// Refs are the entity itself, nested gates, segments, holdouts, delegates and targets of mappings, whether they
	// exist or not; sorted.
	Refs []Ref
	// IDLists are the names of ID lists, sorted.
	IDLists []string
	// Fields are the user fields read, sorted; fields of the environment stand behind "statsigEnvironment.", custom
	// unit IDs behind "customIDs.".
	Fields []string
	// UsesTime is true where an answer can change with the clock alone.
	UsesTime bool
	// UsesIP and UsesUserAgent are true where an address or a user agent is looked into.
	UsesIP, UsesUserAgent bool
}

// Closure returns all that the answer for r depends on. It is worked out on every call.
func (s *Snapshot) Closure(r Ref) Closure {
	w := newWalk(s)
	w.add(r)
	w.run()
	return w.closure()
}

// walk visits all entities that one depends on. It doesn't recurse: chains of gates may be long.
type walk struct {
	snapshot *Snapshot
	seen     map[Ref]bool
	queue    []Ref
	lists    map[string]bool
	fields   map[string]bool
	// override are the override rules visited; mappings may name each many times.
	override map[*rawRule]bool
	times    []*condition
	starts   []int64
	ip       bool
	agent    bool
}

func newWalk(s *Snapshot) *walk {
	return &walk{snapshot: s, seen: map[Ref]bool{}, lists: map[string]bool{}, fields: map[string]bool{}}
}

// add queues an entity once.
func (w *walk) add(r Ref) {
	if !w.seen[r] {
		w.seen[r] = true
		w.queue = append(w.queue, r)
	}
}

func (w *walk) run() {
	for len(w.queue) > 0 {
		r := w.queue[len(w.queue)-1]
		w.queue = w.queue[:len(w.queue)-1]
		if r.Kind == KindParameterStore {
			w.visitStore(w.snapshot.stores[r.Name])
			continue
		}
		if found := w.snapshot.specs(r.Kind)[r.Name]; found != nil {
			w.visit(found, r.Kind)
		}
	}
}

func (w *walk) visitStore(store *rawStore) {
	if store == nil {
		return
	}
	for _, p := range store.parameters {
		if p.kind != parameterStatic {
			w.add(Ref{parameterRefs[p.kind], p.ref})
		}
	}
}

// visit notes all that one spec reads itself, and queues what it refers to.
func (w *walk) visit(sp *spec, kind Kind) {
	for i := range sp.mappings {
		m := &sp.mappings[i]
		w.add(Ref{kind, m.target.name})
		for j := range m.rules {
			w.visitOverride(m.rules[j].rule)
			if m.rules[j].start > 0 {
				w.starts = append(w.starts, m.rules[j].start)
			}
		}
	}
	if sp.bandit != nil && kind == KindExperiment {
		w.visitBandit(sp.bandit)
	}
	for i := range sp.rules {
		w.visitRule(&sp.rules[i])
	}
}

func (w *walk) visitOverride(l *rule) {
	if w.override[l.rawRule] {
		return
	}
	if w.override == nil {
		w.override = map[*rawRule]bool{}
	}
	w.override[l.rawRule] = true
	w.visitRule(l)
}

func (w *walk) visitRule(l *rule) {
	if l.hasDelegate {
		w.add(Ref{KindExperiment, l.configDelegate})
	}
	if l.passPercentage != 0 && l.passPercentage != 100 {
		w.unit(l.unit)
	}
	for _, c := range l.conditions {
		w.visitCondition(c)
	}
}

func (w *walk) visitBandit(b *bandit) {
	w.unit(b.unit)
	if b.gate != nil {
		w.add(Ref{KindGate, b.gate.name})
	}
	for i := range b.models {
		for j := range b.models[i].categorical {
			w.fields[b.models[i].categorical[j].field.name] = true
		}
		for j := range b.models[i].numerical {
			w.fields[b.models[i].numerical[j].field.name] = true
		}
	}
}

func (w *walk) visitCondition(c *condition) {
	switch c.kind {
	case conditionPassGate, conditionFailGate:
		w.add(Ref{KindGate, c.spec.name})
	case conditionExperimentGroup:
		w.add(Ref{KindExperiment, c.spec.name})
	case conditionUserField:
		w.fields[c.field.name] = true
	case conditionUserAgent:
		w.fields[c.field.name] = true
		if c.agent != noAgentField {
			w.agent = true
			w.fields[agentRef.name] = true
		}
	case conditionIP:
		w.fields[c.field.name] = true
		if c.field.name == "country" {
			w.ip = true
			w.fields[ipRef.name] = true
		}
	case conditionEnvironment:
		w.fields["statsigEnvironment."+c.field.name] = true
	case conditionUserBucket, conditionUnitID:
		w.unit(c.unit)
	case conditionCurrentTime:
		w.times = append(w.times, c)
	default:
	}
	if (c.scoped == conditionInList || c.scoped == conditionNotInList) && c.target.kind == kindString {
		w.lists[c.target.text] = true
	}
}

func (w *walk) unit(u *unitRef) {
	if u.isUserID {
		w.fields[userIDType] = true
		return
	}
	w.fields["customIDs."+u.name] = true
}

func (w *walk) closure() Closure {
	c := Closure{
		IDLists: sortedKeys(w.lists), Fields: sortedKeys(w.fields),
		UsesTime: len(w.times) > 0 || len(w.starts) > 0, UsesIP: w.ip, UsesUserAgent: w.agent,
	}
	for r := range w.seen {
		c.Refs = append(c.Refs, r)
	}
	slices.SortFunc(c.Refs, compareRefs)
	return c
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
