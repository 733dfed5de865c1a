package eval

// hashedUnit is the unit ID of a type, to be hashed; "" for a user that has none.
func (s *scope) hashedUnit(ref *unitRef) string {
	id := s.user.unit(ref).text
	if id == "" && ref.isUserID && s.rec != nil {
		s.rec.hashedNobody = true
	}
	return id
}

// HashedNobody reports whether the last evaluation hashed a user ID that the user doesn't have, to put the user into a
// share of all users. Such users all get the same answer, be the share large or small.
func (r *Recorder) HashedNobody() bool { return r.hashedNobody }

// TookShare reports whether the last evaluation's answer is that of a rule that takes a share of the users, neither
// none nor all of them; the user may be in it or not.
func (r *Recorder) TookShare(res *Result) bool {
	return r.partialRule != "" && r.partialRule == res.RuleID
}

// ConfigKind says whether a name that dynamic configs and experiments share is an experiment or, like every other known
// name, a dynamic config; 0 for unknown names.
func (s *Snapshot) ConfigKind(name string) Kind {
	found := s.configs[name]
	switch {
	case found == nil || (found.missing && found.bandit == nil):
		return 0
	case found.missing || found.entity == entities[KindExperiment]:
		return KindExperiment
	default:
		return KindDynamicConfig
	}
}
