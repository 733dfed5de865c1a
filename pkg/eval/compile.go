package eval

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

// Origin says where and when a document was obtained; it shows in evaluation details.
type Origin struct {
	Source     string    // Network, Bootstrap, Adapter(DataStore), …
	ReceivedAt time.Time // when it was applied
}

// segmentPrefix marks gates that are evaluated without an exposure of their own.
const segmentPrefix = "segment:"

// Compile builds the immutable Snapshot of a document: operators resolved to functions, sets, patterns, versions and
// dates prepared, references turned into pointers. The only error is for a document without updates, which holds no
// specs; it wraps ErrMalformed. Regular expressions that are invalid or too large match nothing, as do all behind the
// first few dozen megabytes of compiled ones.
func Compile(d *Document, o Origin) (*Snapshot, error) {
	if !d.HasUpdates() {
		return nil, fmt.Errorf("%w: document has no updates", ErrMalformed)
	}
	c := &compiler{
		doc:           d,
		hashed:        make(map[string]*condition, len(d.conditions)),
		inlined:       map[*rawCondition]*condition{},
		fields:        map[string]*fieldRef{},
		units:         map[string]*unitRef{},
		references:    make([]*condition, 0, len(d.ruleConditions)),
		overrideRules: map[overrideRuleKey]*rule{},
		s: &Snapshot{
			facts:   d.facts,
			origin:  o,
			gates:   make(map[string]*spec, len(d.gates)),
			configs: make(map[string]*spec, len(d.configs)),
			layers:  make(map[string]*spec, len(d.layers)),
			stores:  d.stores,
			hashes:  sync.Pool{New: newResumedHash},
			memos:   sync.Pool{New: newMemo},
			appID:   &value{},
		},
		hash: newSaltHasher(),
	}
	c.addSpecs(c.s.gates, d.gates, KindGate)
	c.addSpecs(c.s.configs, d.configs, KindDynamicConfig)
	c.addSpecs(c.s.layers, d.layers, KindLayer)
	c.compileBandits()
	c.compileRules()
	c.compileMappings()
	if d.appID != "" {
		c.s.appID.set(parseAny(d.appID))
	}
	return c.s, nil
}

// compiler holds what is shared while one document is compiled.
type compiler struct {
	doc     *Document
	s       *Snapshot
	hashed  map[string]*condition
	inlined map[*rawCondition]*condition
	fields  map[string]*fieldRef
	units   map[string]*unitRef
	// references is the one array that rules have their conditions in.
	references []*condition
	conditions slab[condition]
	hash       saltHasher
	// patterns is the size of the regular expressions so far.
	patterns int
	// overrideRules are the rules of mappings, which may name each many times.
	overrideRules map[overrideRuleKey]*rule
}

// overrideRuleKey is an override rule with the salt of the spec it stands in front of.
type overrideRuleKey struct {
	rule *rawRule
	salt string
}

// addSpecs makes a spec for each name first, so that rules can refer to specs that come later. Of two specs with one
// name the later counts.
func (c *compiler) addSpecs(to map[string]*spec, raw []*rawSpec, kind Kind) {
	block := make([]spec, len(raw))
	for i, r := range raw {
		block[i] = spec{
			rawSpec: r, name: r.name, kind: kind, segment: strings.HasPrefix(r.name, segmentPrefix),
		}
		to[r.name] = &block[i]
	}
}

// reference returns the spec of a name, a missing one where the document doesn't have it.
func (c *compiler) reference(kind Kind, name string) *spec {
	m := c.s.specs(kind)
	s := m[name]
	if s == nil {
		s = &spec{name: name, kind: kind, missing: true, segment: strings.HasPrefix(name, segmentPrefix)}
		m[name] = s
	}
	return s
}

// compileRules compiles the rules of every spec. Compiling adds missing specs to the maps, so it works from the
// document's lists.
func (c *compiler) compileRules() {
	for _, list := range [...]struct {
		specs map[string]*spec
		raw   []*rawSpec
	}{{c.s.gates, c.doc.gates}, {c.s.configs, c.doc.configs}, {c.s.layers, c.doc.layers}} {
		for _, r := range list.raw {
			s := list.specs[r.name]
			if s.rawSpec != r {
				continue
			}
			s.rules = make([]rule, len(r.rules))
			for i := range r.rules {
				c.compileRule(&s.rules[i], &r.rules[i], r.salt)
			}
		}
	}
}

func (c *compiler) compileRule(l *rule, raw *rawRule, specSalt string) {
	l.rawRule = raw
	if raw.passPercentage != 0 && raw.passPercentage != 100 {
		l.salts = c.hash.salts(specSalt, raw.saltOrID())
	}
	l.unit = c.unit(raw.idType)
	if raw.hasDelegate {
		if s := c.s.configs[raw.configDelegate]; s != nil && !s.missing {
			l.delegate = s
		}
	}
	first := len(c.references)
	for _, ref := range c.doc.ruleConditions[raw.firstCondition:][:raw.conditions] {
		c.references = append(c.references, c.condition(ref))
	}
	l.conditions = c.references[first:len(c.references):len(c.references)]
	for i, k := range l.conditions {
		if k.kind <= conditionFailGate {
			l.decisive = i + 1
		}
	}
}

// saltOrID is the rule's part of the hash. A salt that is there counts, even if it is empty.
func (l *rawRule) saltOrID() string {
	if l.hasSalt {
		return l.salt
	}
	return l.id
}

// condition compiles each condition once, when a rule first needs it.
func (c *compiler) condition(ref ruleCondition) *condition {
	if ref.inlined != nil {
		done, ok := c.inlined[ref.inlined]
		if !ok {
			done = c.compileCondition(ref.inlined)
			c.inlined[ref.inlined] = done
		}
		return done
	}
	done, ok := c.hashed[ref.hash]
	if !ok {
		done = c.compileCondition(c.doc.conditions[ref.hash])
		c.hashed[ref.hash] = done
	}
	return done
}

func (c *compiler) unit(idType string) *unitRef {
	u, ok := c.units[idType]
	if !ok {
		u = newUnitRef(idType)
		c.units[idType] = u
	}
	return u
}

func (c *compiler) field(name string) *fieldRef {
	f, ok := c.fields[name]
	if !ok {
		f = newFieldRef(name)
		c.fields[name] = f
	}
	return f
}

// compileCondition compiles a condition; nil stands for one that condition_map doesn't have.
func (c *compiler) compileCondition(raw *rawCondition) *condition {
	k := c.conditions.next()
	if raw == nil {
		k.kind = conditionMissing
		return k
	}
	k.kind, k.text = conditionKinds[raw.kind], raw.text
	switch k.kind {
	case conditionUnsupported, conditionPublic:
		return k
	case conditionPassGate, conditionFailGate:
		name, _ := stringValue(raw.target)
		k.spec = c.reference(KindGate, name)
		return k
	case conditionExperimentGroup:
		k.spec, k.hasField = c.reference(KindDynamicConfig, raw.field), raw.hasField
	case conditionUserBucket:
		k.salt = raw.salt
	default:
	}
	k.field = c.field(raw.field)
	k.unit = c.unit(raw.idType)
	k.agent = agentFields[k.field.lower]
	k.compileOperator(raw)
	if raw.operator == matchesOperator {
		c.compilePattern(k)
	}
	return k
}

// compileOperator resolves the operator; without one the condition is unsupported.
func (c *condition) compileOperator(raw *rawCondition) {
	c.scoped = listOperators[raw.operator]
	op, ok := operators[raw.operator]
	if !raw.hasOperator || (!ok && c.scoped == conditionUnsupported) {
		c.kind = conditionUnsupported
		return
	}
	c.match = op.match
	if raw.target == "" {
		return
	}
	json := gjson.Parse(raw.target)
	c.target = newTarget(json)
	if op.prepare != nil {
		op.prepare(&c.target, json)
	}
}

// compileMappings hangs the document's mappings on the specs of their names, of every kind.
func (c *compiler) compileMappings() {
	for name, raws := range c.doc.overrides {
		for _, kind := range [...]Kind{KindGate, KindDynamicConfig, KindLayer} {
			s := c.reference(kind, name)
			for i := range raws {
				s.mappings = append(s.mappings, c.compileMapping(s, &raws[i]))
			}
		}
	}
}

// compileMapping compiles a mapping for one spec: override rules are hashed with the salt of the spec they replace.
func (c *compiler) compileMapping(s *spec, raw *rawMapping) mapping {
	m := mapping{target: c.reference(s.kind, raw.target)}
	salt := ""
	if !s.missing {
		salt = s.salt
	}
	for _, r := range raw.rules {
		rawRule, ok := c.doc.overrideRules[r.name]
		if !ok {
			continue
		}
		m.rules = append(m.rules, mappingRule{rule: c.overrideRule(rawRule, salt), start: r.start})
	}
	return m
}

// overrideRule compiles an override rule once for each salt, and its conditions once for all.
func (c *compiler) overrideRule(raw *rawRule, salt string) *rule {
	key := overrideRuleKey{rule: raw}
	shared := c.overrideRules[key]
	if shared == nil {
		shared = &rule{}
		c.compileRule(shared, raw, "")
		c.overrideRules[key] = shared
	}
	if key.salt = salt; c.overrideRules[key] == nil {
		salted := *shared
		if salted.salts != nil {
			salted.salts = c.hash.salts(salt, raw.saltOrID())
		}
		c.overrideRules[key] = &salted
	}
	return c.overrideRules[key]
}
