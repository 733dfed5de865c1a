package eval

func (d *doc) see(name string) {
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	d.seen[name] = true
}

func (d *doc) readConditions(r *reader) {
	r.each(func(name string) {
		c := r.conditions.next()
		c.text = r.captured(func() { conditionObject.read(r, c) })
		d.conditions[name] = c
	})
}

// readOverrides keeps the text of each list for Diff.
func (d *doc) readOverrides(r *reader) {
	d.overrides = map[string][]rawMapping{}
	d.overrideTexts = map[string]string{}
	r.each(func(name string) {
		var list []rawMapping
		d.overrideTexts[name] = r.captured(func() {
			r.elements(func() {
				list = append(list, rawMapping{})
				mappingObject.read(r, &list[len(list)-1])
			})
		})
		d.overrides[name] = list
	})
}

// readOverrideRules keeps the text of each rule for Diff.
func (d *doc) readOverrideRules(r *reader) {
	d.overrideRuleTexts = map[string]string{}
	d.overrideRules = readMap(r, ruleObject, func(_ *rawRule, name, text string) { d.overrideRuleTexts[name] = text })
}

// specs reads a container of specs: an object by name, or in a v1 document an array.
func (d *doc) specs(r *reader, kind Kind) []*rawSpec {
	var list []*rawSpec
	add := func(name string, o object[rawSpec]) {
		if s := d.spec(r, kind, name, o); s != nil {
			list = append(list, s)
		}
	}
	if r.peek() == '[' {
		r.legacy = true
		r.elements(func() { add("", namedSpecObject) })
		return list
	}
	r.each(func(name string) { add(name, specObject) })
	return list
}

// spec reads one spec; one that can't be read becomes a problem and nil.
func (d *doc) spec(r *reader, kind Kind, name string, o object[rawSpec]) *rawSpec {
	outer := r.mismatch
	r.mismatch = nil
	s := r.specs.next()
	s.name, s.version = name, -1
	s.text = r.captured(func() { o.read(r, s) })
	problem := r.mismatch
	r.mismatch = outer
	switch {
	case r.err != nil:
		return nil
	case problem != nil:
		d.problems = append(d.problems, Problem{Kind: kind, Name: s.name, Message: problem.Error()})
		return nil
	}
	if r.legacy {
		s.setLegacyDefaults(kind)
	}
	return s
}

// parameterText is a parameter of a store before its kind is known.
type parameterText struct {
	refType, value, gate, pass, fail, config, experiment, layer, param string
}

// parameter reads one parameter of a store. As in the reference its members decide what it is, in this order, and
// ref_type is no more than a label.
func (r *reader) parameter() rawParameter {
	var p parameterText
	parameterObject.read(r, &p)
	if p.value != "" {
		return rawParameter{kind: parameterStatic, value: p.value}
	}
	if gate, ok := stringValue(p.gate); ok && p.pass != "" && p.fail != "" {
		return rawParameter{kind: parameterGate, ref: gate, value: p.pass, fallback: p.fail}
	}
	if name, ok := stringValue(p.param); ok {
		if ref, ok := stringValue(p.config); ok {
			return rawParameter{kind: parameterDynamicConfig, ref: ref, parameter: name}
		}
		if ref, ok := stringValue(p.experiment); ok {
			return rawParameter{kind: parameterExperiment, ref: ref, parameter: name}
		}
		if ref, ok := stringValue(p.layer); ok {
			return rawParameter{kind: parameterLayer, ref: ref, parameter: name}
		}
	}
	r.reject("parameter of no known kind")
	return rawParameter{}
}
