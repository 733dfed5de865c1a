package eval

// rules follows scope.evaluateRules.
func (t *tracer) rules(out *Trace, sp *spec) {
	s := &t.s
	for i := range sp.rules {
		l := &sp.rules[i]
		seen := t.nextRule(out, l)
		if s.failed || s.unsupported {
			out.UnreachedRules = len(sp.rules) - i - 1
			return
		}
		if !s.res.Pass {
			continue
		}
		out.UnreachedRules = len(sp.rules) - i - 1
		out.Cause = CauseRule
		if l.delegate != nil && t.delegate(seen, l) {
			t.decides(out, seen)
			s.finalize(sp, nil)
			return
		}
		if s.failed {
			return
		}
		v := &sp.defaultValue
		if t.passes(seen, l) {
			v = &l.returnValue
			s.res.Pass = v.literal != no
		} else {
			s.res.Pass = v.literal == yes
		}
		t.decides(out, seen)
		s.res.Value = v.object
		s.res.RuleID = l.id
		s.res.GroupName = l.groupName
		s.res.IsExperimentGroup = l.experimentGroup
		s.res.IsExperimentActive = sp.isActive == yes
		s.finalize(sp, l)
		return
	}
	out.Cause = CauseDefault
	s.res.Pass = sp.defaultValue.literal == yes
	s.res.Value = sp.defaultValue.object
	s.res.RuleID = sp.defaultRuleID()
	s.finalize(sp, nil)
}

// nextRule evaluates a rule of a spec, and shows it unless the trace is too long.
func (t *tracer) nextRule(out *Trace, l *rule) *RuleTrace {
	s := &t.s
	seen := newRuleTrace(l)
	if t.left <= 0 {
		seen.Note = noteTooLong
		out.HiddenRules++
		s.evaluateRule(l)
		seen.Matched = s.res.Pass && !s.unsupported && !s.failed
		return &seen
	}
	t.left--
	out.Rules = append(out.Rules, &seen)
	t.rule(&seen, l)
	return &seen
}

// decides marks the rule that decided. It is shown even if others are not.
func (t *tracer) decides(out *Trace, seen *RuleTrace) {
	if t.s.failed {
		return
	}
	seen.Decides = true
	if seen.Note == noteTooLong {
		out.HiddenRules--
		out.Rules = append(out.Rules, seen)
	}
}

// rule follows scope.evaluateRule. Conditions that an evaluation leaves out, because one before them failed and they
// change nothing, are compared all the same: who asks why a rule didn't pass wants to know of each.
func (t *tracer) rule(seen *RuleTrace, l *rule) {
	s := &t.s
	if !s.step(1 + len(l.conditions)) {
		return
	}
	all := true
	for i, c := range l.conditions {
		if c.kind == conditionMissing {
			s.unsupported = true
			t.show(seen, t.describe(c))
			return
		}
		compared := t.condition(c)
		t.show(seen, compared)
		if s.failed {
			return
		}
		if !s.res.Pass {
			if all = false; i+1 >= l.decisive {
				t.rest(seen, l.conditions[i+1:])
				s.res.Pass = false
				return
			}
		}
	}
	seen.Matched = all && !s.unsupported
	s.res.Pass = all
}

// show adds a condition to a rule, unless the trace is too long.
func (t *tracer) show(seen *RuleTrace, c *ConditionTrace) {
	if c.Pass {
		seen.Passed++
	}
	if t.left <= 0 {
		seen.HiddenConditions++
		return
	}
	t.left--
	seen.Conditions = append(seen.Conditions, c)
}

// rest compares conditions that no longer matter.
func (t *tracer) rest(seen *RuleTrace, conditions []*condition) {
	for i, c := range conditions {
		if t.left <= 0 {
			seen.HiddenConditions += len(conditions) - i
			return
		}
		out := t.describe(c)
		switch c.kind {
		case conditionPublic:
			out.Pass = true
		case conditionExperimentGroup:
			// It would be a whole evaluation more.
			out.Note = "not evaluated: a condition before it failed"
		default:
			t.compare(out, c)
			out.Pass = t.s.res.Pass
		}
		t.show(seen, out)
	}
}

// passes follows scope.passes.
func (t *tracer) passes(seen *RuleTrace, l *rule) bool {
	s := &t.s
	p := &PercentageTrace{
		Percentage: l.passPercentage, IDType: l.idType, UnitID: s.user.unit(l.unit).text,
		Threshold: l.passPercentage * 100, Pass: s.passes(l),
	}
	if l.salts != nil {
		bucket := int(s.e.snapshot.hash(l.salts, p.UnitID) % passBuckets)
		p.Bucket = &bucket
	}
	seen.Percentage = p
	return p.Pass
}

// delegate follows scope.evaluateDelegate.
func (t *tracer) delegate(seen *RuleTrace, l *rule) bool {
	s := &t.s
	if note := t.cut(l.delegate); note != "" {
		recognized := s.evaluateDelegate(l)
		seen.Delegate = t.outline(l.delegate, KindExperiment, recognized, note)
		return recognized
	}
	s.undelegated = true
	if !s.descend() {
		return false
	}
	var recognized bool
	if seen.Delegate, recognized = t.spec(l.delegate, KindExperiment); !recognized {
		s.res.Undelegated, s.undelegated = nil, false
		return false
	}
	s.res.ExplicitParameters = l.delegate.explicitParameters
	s.res.ConfigDelegate = l.configDelegate
	return true
}

// newLayer follows scope.evaluateNewLayer.
func (t *tracer) newLayer(out *Trace, sp *spec) {
	s := &t.s
	v := layerValue{rules: []parameterRule{}}
	d := decision{ruleID: "default"}
	passedAny := false
	out.Cause = CauseDefault
	for i := range sp.rules {
		l := &sp.rules[i]
		seen := t.nextRule(out, l)
		if s.failed || s.unsupported {
			out.UnreachedRules = len(sp.rules) - i - 1
			return
		}
		if !s.res.Pass || !t.passes(seen, l) {
			continue
		}
		if l.delegate != nil && t.delegate(seen, l) {
			if passedAny || s.res.Value == "" || v.collides(s.res.Value) {
				seen.Note = "the experiment comes too late, or has nothing new to give"
				continue
			}
			v.add(s.res.Value, l.id)
			d = decision{
				pass: s.res.Pass, ruleID: l.id, groupName: s.res.GroupName, delegate: s.res.ConfigDelegate,
				explicit: s.res.ExplicitParameters, experimentGroup: l.experimentGroup,
			}
		} else {
			if s.failed {
				return
			}
			d.pass = s.res.Pass
			v.add(l.returnValue.object, l.id)
		}
		passedAny = true
		out.Cause = CauseRule
		t.decides(out, seen)
	}
	v.add(sp.defaultValue.object, "default")
	s.report(sp, &d, &v)
}
