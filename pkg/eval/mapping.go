package eval

// evaluateMapping answers with the spec that a mapping of the document puts in place of sp for this user; false means
// that none does. Exposures made while its rules are tried don't count.
func (s *scope) evaluateMapping(sp *spec, kind Kind) bool {
	if s.hops >= maxHops {
		return false
	}
	for i := range sp.mappings {
		m := &sp.mappings[i]
		for j := range m.rules {
			r := &m.rules[j]
			if r.start > s.now {
				continue
			}
			applies := s.appliesToUser(r.rule)
			if s.failed {
				return false
			}
			if !applies {
				continue
			}
			s.res.OverrideConfigName = m.target.name
			s.hops++
			recognized := s.evaluate(m.target, kind)
			s.hops--
			if recognized || s.failed {
				return recognized
			}
			s.reset()
			break
		}
	}
	return false
}

// appliesToUser tries an override rule. Like the reference it forgets the whole result afterwards, that of an enclosing
// spec included.
func (s *scope) appliesToUser(l *rule) bool {
	s.evaluateRule(l)
	matches := s.res.Pass && !s.unsupported && !s.failed
	s.reset()
	return matches && s.passes(l)
}
