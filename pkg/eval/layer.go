package eval

import "github.com/tidwall/gjson"

// layerValue is a layer's value put together from several rules.
type layerValue struct {
	// json holds the members merged so far, without the braces around them; rules says where each comes from.
	json  []byte
	rules []parameterRule
	// index finds a parameter where there are many.
	index map[string]bool
}

// has reports whether a parameter was set.
func (v *layerValue) has(parameter string) bool {
	if v.index != nil {
		return v.index[parameter]
	}
	for i := range v.rules {
		if v.rules[i].parameter == parameter {
			return true
		}
	}
	return false
}

// add takes those members of a JSON object that weren't set before.
func (v *layerValue) add(object, ruleID string) {
	if object == "" {
		return
	}
	gjson.Parse(object).ForEach(func(name, member gjson.Result) bool {
		if v.has(name.Str) {
			return true
		}
		if len(v.json) > 0 {
			v.json = append(v.json, ',')
		}
		v.json = append(append(v.json, name.Raw...), ':')
		v.json = append(v.json, member.Raw...)
		v.rules = append(v.rules, parameterRule{name.Str, ruleID})
		v.remember(name.Str)
		return true
	})
}

// remember keeps the index, which starts once there are many parameters.
func (v *layerValue) remember(parameter string) {
	if v.index != nil {
		v.index[parameter] = true
		return
	}
	if len(v.rules) <= maxLinear {
		return
	}
	v.index = map[string]bool{}
	for i := range v.rules {
		v.index[v.rules[i].parameter] = true
	}
}

// collides reports whether a member of a JSON object was set before.
func (v *layerValue) collides(object string) bool {
	found := false
	gjson.Parse(object).ForEach(func(name, _ gjson.Result) bool {
		found = v.has(name.Str)
		return !found
	})
	return found
}

func (v *layerValue) text() string { return "{" + string(v.json) + "}" }

// decision is what a rule of a layer leaves to be reported.
type decision struct {
	pass            bool
	ruleID          string
	groupName       string
	delegate        string
	explicit        []string
	experimentGroup bool
}

// evaluateNewLayer merges the values of all rules that pass. Only the first of them may hand over to an experiment.
func (s *scope) evaluateNewLayer(sp *spec) {
	v := layerValue{rules: []parameterRule{}}
	d := decision{ruleID: "default"}
	passedAny := false
	first := s.first
	drained := first
	for i := range sp.rules {
		l := &sp.rules[i]
		s.evaluateRule(l)
		drained = s.drain()
		if s.failed || s.unsupported {
			return
		}
		if !s.res.Pass || !s.passes(l) {
			continue
		}
		if l.delegate != nil && s.evaluateDelegate(l) {
			// A value that is there, but no object, is one without members.
			if passedAny || s.returned == nil || v.collides(s.res.Value) {
				continue
			}
			v.add(s.res.Value, l.id)
			drained = s.drain()
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
	}
	v.add(sp.defaultValue.object, "default")
	s.first = first
	if s.rec != nil {
		// What a rejected experiment leaves behind counts only if a later rule comes to drain it.
		s.rec.exposures = s.rec.exposures[:drained]
	}
	s.report(sp, &d, &v)
}

// report fills the result in from what the rules decided.
func (s *scope) report(sp *spec, d *decision, v *layerValue) {
	res := &s.res
	res.Pass, res.RuleID, res.GroupName = d.pass, d.ruleID, d.groupName
	res.ConfigDelegate, res.ExplicitParameters, res.IsExperimentGroup = d.delegate, d.explicit, d.experimentGroup
	res.Value, res.parameterRules = v.text(), v.rules
	res.IsExperimentActive = sp.isActive == yes
	// The reference empties the list before it copies it.
	res.Undelegated, s.undelegated = []SecondaryExposure{}, true
	s.finalize(sp, nil)
}

// drain puts the exposures so far aside and returns where they end.
func (s *scope) drain() int {
	if s.rec != nil {
		s.first = len(s.rec.exposures)
	}
	return s.first
}
