package eval

// A v1 document has arrays of specs that carry their names, whole conditions inside rules, and leaves out what has a
// default. The reader normalises it on the way: nothing behind it knows which form a document had.

// namedSpecObject is a spec of a v1 document, which carries its name itself.
var namedSpecObject = append(object[rawSpec]{
	{"name", true, func(r *reader, s *rawSpec) { s.name = r.str() }},
}, specObject...)

// legacyEntities are the entities of specs that don't say.
var legacyEntities = map[Kind]string{KindGate: "feature_gate", KindDynamicConfig: "dynamic_config", KindLayer: "layer"}

func (s *rawSpec) setLegacyDefaults(kind Kind) {
	if s.idType == "" {
		s.idType = userIDType
	}
	if s.entity == "" {
		s.entity = legacyEntities[kind]
	}
}

// inlinedCondition reads a condition inside a rule; equal texts give the same condition.
func (r *reader) inlinedCondition() *rawCondition {
	c := r.conditions.next()
	c.text = r.captured(func() { conditionObject.read(r, c) })
	if same, ok := r.inlined[c.text]; ok {
		return same
	}
	if c.idType == "" {
		c.idType = userIDType
	}
	if r.inlined == nil {
		r.inlined = map[string]*rawCondition{}
	}
	r.inlined[c.text] = c
	return c
}

// additionalValues reads the salt. In a v2 document every value must be a string; v1 documents carry other types too.
func (r *reader) additionalValues(c *rawCondition) {
	r.each(func(name string) {
		var v string
		if r.legacy && r.peek() != '"' {
			v = r.raw()
		} else {
			v = r.str()
		}
		if name == "salt" {
			c.salt = v
		}
	})
}
