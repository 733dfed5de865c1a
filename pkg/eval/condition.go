package eval

// evaluateCondition leaves the outcome in Pass. An unsupported condition leaves Pass alone.
func (s *scope) evaluateCondition(c *condition) {
	switch c.kind {
	case conditionPublic:
		s.res.Pass = true
		return
	case conditionPassGate:
		s.evaluateNested(c.spec)
		return
	case conditionFailGate:
		s.evaluateNested(c.spec)
		// The value of an unsupported gate isn't inverted.
		if !s.unsupported && !s.failed {
			s.res.Pass = !s.res.Pass
		}
		return
	case conditionUnsupported, conditionMissing:
		s.unsupported = true
		return
	case conditionExperimentGroup:
		// In a client initialize response the reference has nobody to ask.
		s.unsupported = s.unsupported || (s.response != nil && c.hasField)
	default:
	}
	v := s.operand(c)
	if c.scoped == conditionUnsupported {
		s.res.Pass = c.match(&c.target, v)
		return
	}
	s.res.Pass = s.compare(c, v)
}

// compare tells the outcome of operators that need more than the operands.
func (s *scope) compare(c *condition, v *value) bool {
	switch c.scoped {
	case conditionInList:
		return s.inList(c, v)
	case conditionNotInList:
		return !s.inList(c, v)
	case conditionMatches:
		return s.matches(c, v)
	default:
		return c.match(&c.target, v)
	}
}

// matches compares with a regular expression, whose work counts.
func (s *scope) matches(c *condition, v *value) bool {
	if !v.hasText {
		return false
	}
	matched, cost := c.target.pattern.MatchCost(v.text)
	return s.step(cost/costPerStep) && matched
}

// operand is the left-hand value of a condition.
func (s *scope) operand(c *condition) *value {
	switch c.kind {
	case conditionUserField:
		return s.user.field(c.field, &s.e.globals)
	case conditionUserAgent:
		return s.agentField(c)
	case conditionIP:
		return s.ipField(c)
	case conditionEnvironment:
		return s.environmentField(c.field)
	case conditionCurrentTime:
		return s.e.instantValue(s.now)
	case conditionUserBucket:
		return &bucketValues[hashUnit(c.salt, s.hashedUnit(c.unit))%userBuckets]
	case conditionTargetApp:
		if s.response != nil {
			return &s.response.appID
		}
		return s.e.snapshot.appID
	case conditionUnitID:
		return s.user.unit(c.unit)
	case conditionExperimentGroup:
		if s.response != nil {
			return absent
		}
		return s.experimentGroup(c.spec)
	default:
		return absent
	}
}

// evaluateNested evaluates a gate that a condition names, and exposes it.
func (s *scope) evaluateNested(gate *spec) {
	if seen := s.memo.find(gate); seen != nil {
		s.res.Pass, s.res.RuleID = seen.pass, seen.ruleID
		if s.rec != nil {
			s.rec.exposures = append(s.rec.exposures, seen.exposures[:s.room(len(seen.exposures), seen.names)]...)
		}
	} else if !s.evaluateGate(gate) {
		return
	}
	if !gate.segment && s.res.RuleID != "" {
		s.expose(gate.name, s.res.Pass, s.res.RuleID)
		if s.res.SamplingRate < 0 {
			s.res.HasSeenAnalyticalGates = true
		}
	}
}

// evaluateGate evaluates a nested gate with a list of exposures of its own, which is then joined to the list of its
// parent. It returns false when the gate is unsupported or too deep; the parent's list is lost then, as in the
// reference. A gate that doesn't exist doesn't pass, and the rule ID is still that of the gate before it.
func (s *scope) evaluateGate(gate *spec) (ok bool) {
	if !s.descend() {
		return false
	}
	parent := s.first
	if s.rec != nil {
		s.first = len(s.rec.exposures)
	}
	s.evaluate(gate, KindGate)
	if s.unsupported || s.failed {
		return false
	}
	e := memoEntry{gate: gate, ruleID: s.res.RuleID, pass: s.res.Pass}
	if s.rec != nil {
		e.exposures = s.exposures()
		if s.response != nil {
			e.exposures = s.response.distinct(e.exposures)
			e.names = namesLength(e.exposures)
		}
	}
	if gate.name != "" {
		s.remember(e)
	}
	s.first = parent
	return true
}

// namesLength is the length of all names in a list of exposures.
func namesLength(list []SecondaryExposure) int {
	n := 0
	for i := range list {
		n += len(list[i].Gate) + len(list[i].RuleID)
	}
	return n
}

// inList tests membership in an ID list. A target that is no string names no list, and a value without a text is in
// none.
func (s *scope) inList(c *condition, v *value) bool {
	lists := s.e.options.IDLists
	if lists == nil || c.target.kind != kindString || !v.hasText {
		return false
	}
	return lists.Contains(c.target.text, v.idListHash())
}

// environmentField looks in the user's own environment by exact name, then in the project's by both.
func (s *scope) environmentField(ref *fieldRef) *value {
	if v := s.user.environment.get(ref.name); v != nil {
		return v
	}
	if v := s.e.environment.find(ref.name, ref.lower); v != nil {
		return v
	}
	return absent
}

// instantValue is now as a value. It has the integer view only: the reference compares it as a time and in no other
// way. Evaluations come in groups with one instant, so the last one is kept.
func (e *Evaluator) instantValue(now int64) *value {
	if v := e.now.Load(); v != nil && v.now == now {
		return &v.value
	}
	v := newInstantValue(now)
	e.now.Store(v)
	return &v.value
}

// instantValue is an instant of evaluation with its value.
type instantValue struct {
	now   int64
	value value
}

func newInstantValue(now int64) *instantValue {
	v := &instantValue{now: now}
	v.value.setInstant(now)
	return v
}

// experimentGroup is the group the user gets in an experiment, evaluated on its own.
func (s *scope) experimentGroup(experiment *spec) *value {
	if s.hops >= maxHops {
		return absent
	}
	inner := scope{e: s.e, user: s.user, now: s.now, hops: s.hops + 1, steps: s.steps}
	inner.res.Version, inner.res.SamplingRate = -1, -1
	inner.evaluate(experiment, KindExperiment)
	inner.release()
	s.steps = inner.steps
	if inner.failed || inner.res.GroupName == "" {
		return absent
	}
	v := &value{}
	v.setString(inner.res.GroupName)
	return v
}
