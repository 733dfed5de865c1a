package eval

// evaluateRules lets the first rule decide whose conditions all pass, even if its percentage then fails: in that case
// the rule's ID is reported with the default value. A disabled spec's rules count like any other's.
func (s *scope) evaluateRules(sp *spec) {
	for i := range sp.rules {
		l := &sp.rules[i]
		s.evaluateRule(l)
		if s.failed || s.unsupported {
			return
		}
		if !s.res.Pass {
			continue
		}
		if l.delegate != nil && s.evaluateDelegate(l) {
			s.finalize(sp, nil)
			return
		}
		if s.failed {
			return
		}
		v := &sp.defaultValue
		if s.passes(l) {
			v = &l.returnValue
			s.res.Pass = v.literal != no
		} else {
			s.res.Pass = v.literal == yes
		}
		s.res.Value, s.returned = v.object, v
		s.res.RuleID = l.id
		s.res.GroupName = l.groupName
		s.res.IsExperimentGroup = l.experimentGroup
		s.res.IsExperimentActive = sp.isActive == yes
		s.finalize(sp, l)
		return
	}
	s.res.Pass = sp.defaultValue.literal == yes
	s.res.Value, s.returned = sp.defaultValue.object, &sp.defaultValue
	s.res.RuleID = sp.defaultRuleID()
	s.finalize(sp, nil)
}

// evaluateRule leaves in Pass whether all conditions passed. Nested gates are evaluated even after a failure, because
// they leave exposures. An unsupported condition leaves Pass as the condition before it set it.
func (s *scope) evaluateRule(l *rule) {
	if !s.step(1 + len(l.conditions)) {
		return
	}
	all := true
	for i, c := range l.conditions {
		if c.kind == conditionMissing {
			s.unsupported = true
			return
		}
		s.evaluateCondition(c)
		if s.failed {
			return
		}
		if !s.res.Pass {
			// In a client initialize response, experiment_group does more than pass or fail, too.
			if all = false; i+1 >= l.decisive && s.response == nil {
				return
			}
		}
	}
	s.res.Pass = all
}

// passes hashes the user into the rule's percentage. A user without the unit ID is hashed with an empty one.
func (s *scope) passes(l *rule) bool {
	switch l.passPercentage {
	case 100:
		return true
	case 0:
		return false
	}
	if s.rec != nil {
		s.rec.partialRule = l.id
	}
	bucket := s.e.snapshot.hash(l.salts, s.hashedUnit(l.unit)) % passBuckets
	return float64(bucket) < l.passPercentage*100
}

// evaluateDelegate hands a layer's user to an experiment. It returns false where the experiment turns out unknown; then
// the rule is an ordinary one.
func (s *scope) evaluateDelegate(l *rule) bool {
	if s.rec != nil {
		s.res.Undelegated = s.exposures()
	}
	s.undelegated = true
	if !s.descend() {
		return false
	}
	if !s.evaluate(l.delegate, KindExperiment) {
		s.res.Undelegated, s.undelegated = nil, false
		return false
	}
	s.res.ExplicitParameters = l.delegate.explicitParameters
	s.res.ConfigDelegate = l.configDelegate
	return true
}
