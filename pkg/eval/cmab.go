package eval

import (
	"slices"
	"strings"
)

// bandit is a compiled contextual multi-armed bandit.
type bandit struct {
	*rawBandit
	unit   *unitRef
	gate   *spec // nil when every user takes part
	models []model
}

// model is what was learnt about one arm; unused where an arm has none.
type model struct {
	known       bool
	constant    float64
	records     float64
	categorical []categoricalWeight
	numerical   []numericalWeight
}

type categoricalWeight struct {
	field   *fieldRef
	weights map[string]float64
}

type numericalWeight struct {
	field  *fieldRef
	weight float64
}

const (
	prestartRuleID  = "prestart"
	targetingRuleID = "inlineTargetingRules"
	exploreSuffix   = ":explore"
)

func (c *compiler) compileBandits() {
	for name, raw := range c.doc.bandits {
		b := &bandit{rawBandit: raw, unit: c.unit(raw.idType)}
		if raw.hasGate {
			b.gate = c.reference(KindGate, raw.targetGate)
		}
		b.models = make([]model, len(raw.groups))
		for i := range raw.groups {
			if m, ok := raw.models[raw.groups[i].id]; ok {
				b.models[i] = compileModel(&m)
			}
		}
		c.reference(KindDynamicConfig, name).bandit = b
	}
}

// compileModel sorts the weights by field, so that their sum is the same each time.
func compileModel(raw *rawModel) model {
	m := model{
		known:    len(raw.categorical) > 0 || len(raw.numerical) > 0,
		constant: raw.intercept + raw.alpha, records: raw.records,
	}
	for field, weights := range raw.categorical {
		m.categorical = append(m.categorical, categoricalWeight{newFieldRef(field), weights})
	}
	slices.SortFunc(m.categorical, func(a, b categoricalWeight) int { return strings.Compare(a.field.name, b.field.name) })
	for field, weight := range raw.numerical {
		m.numerical = append(m.numerical, numericalWeight{newFieldRef(field), weight})
	}
	slices.SortFunc(m.numerical, func(a, b numericalWeight) int { return strings.Compare(a.field.name, b.field.name) })
	return m
}

// evaluateBandit picks an arm. The reference explores by chance; here the user's hash decides, so that an answer can be
// repeated and a user keeps the arm.
func (s *scope) evaluateBandit(b *bandit) {
	res := &s.res
	if !s.typed {
		res.IDType, s.typed = b.idType, true
	}
	if res.Version < 0 {
		res.Version = b.version
	}
	idType, version := res.IDType, res.Version
	arm, suffix, ok := s.arm(b)
	// Set last, because evaluating the targeting gate changes them.
	res.IsExperimentActive, res.IDType, res.Version = b.enabled, idType, version
	if !ok {
		return
	}
	group := &b.groups[arm]
	res.Pass, res.Value, res.GroupName = true, group.value.object, group.name
	s.returned = &group.value
	res.RuleID = group.id + suffix
}

// arm picks an arm; ok is false where the user gets the default, which is then in the result.
func (s *scope) arm(b *bandit) (arm int, suffix string, ok bool) {
	if !b.enabled || len(b.groups) == 0 {
		s.res.Pass, s.res.RuleID, s.res.Value = false, prestartRuleID, b.defaultValue.object
		s.returned = &b.defaultValue
		return 0, "", false
	}
	if b.gate != nil && !s.targeted(b) {
		return 0, "", false
	}
	unit := s.hashedUnit(b.unit)
	hash := hashUnit(b.salt, unit)
	switch {
	case !b.hasModels:
		return b.spread(hash), exploreSuffix, true
	case float64(hash%passBuckets) < b.sampleRate*passBuckets:
		return b.explore(hashUnits(b.salt, "explore", unit)), exploreSuffix, true
	default:
		return s.best(b, unit), "", true
	}
}

// targeted asks the bandit's gate. A user it doesn't pass gets the default.
func (s *scope) targeted(b *bandit) bool {
	if s.response != nil {
		// The reference asks with a memo of its own, which nothing else in the response sees.
		memo := s.memo
		s.memo = nil
		defer func() {
			s.release()
			s.memo = memo
		}()
	}
	s.evaluateGate(b.gate)
	if s.failed {
		return false
	}
	pass := s.res.Pass // that of an unsupported gate too
	if !b.gate.segment {
		s.expose(b.gate.name, pass, s.res.RuleID)
	}
	if !pass {
		s.res.Pass, s.res.RuleID, s.res.Value = false, targetingRuleID, b.defaultValue.object
		s.returned = &b.defaultValue
	}
	return pass
}

// spread gives every arm the same share of hashes.
func (b *bandit) spread(hash uint64) int {
	arm := int(float64(hash%passBuckets) / (passBuckets / float64(len(b.groups))))
	return min(arm, len(b.groups)-1)
}

// explore weighs arms by how little is known of them, and picks the one a hash falls on.
func (b *bandit) explore(hash uint64) int {
	total := 0.0
	for i := range b.models {
		total += 1 / (b.models[i].records + 1)
	}
	point := float64(hash%passBuckets) / passBuckets * total
	for i := range b.models {
		point -= 1 / (b.models[i].records + 1)
		if point < 0 {
			return i
		}
	}
	return len(b.models) - 1
}

// best is the arm with the best score; of equal ones the first. Where no arm has a score the user's hash decides.
func (s *scope) best(b *bandit, unit string) int {
	best, bestScore := -1, 0.0
	for i := range b.models {
		if !b.models[i].known {
			continue
		}
		score := s.score(&b.models[i])
		if best < 0 || (b.higherBetter && score > bestScore) || (!b.higherBetter && score < bestScore) {
			best, bestScore = i, score
		}
	}
	if best >= 0 {
		return best
	}
	return b.spread(hashUnits(b.salt, "uniform", unit))
}

func (s *scope) score(m *model) float64 {
	score := m.constant
	for i := range m.categorical {
		w := &m.categorical[i]
		score += w.weights[s.user.field(w.field, &s.e.globals).text]
	}
	for i := range m.numerical {
		w := &m.numerical[i]
		if v := s.user.field(w.field, &s.e.globals); v.hasNumber {
			score += w.weight * v.number
		}
	}
	return score
}
