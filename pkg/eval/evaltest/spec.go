package evaltest

// SpecBuilder builds a gate, config, experiment or layer.
type SpecBuilder struct {
	container string
	name      string
	members   map[string]any
	rules     []*RuleBuilder
	value     any // of rules that set none
}

func newSpec(container, kind, entity, name string, value, fallback any) *SpecBuilder {
	return &SpecBuilder{container: container, name: name, value: value, members: map[string]any{
		"type": kind, "entity": entity, "salt": name + "_salt", "enabled": true, "defaultValue": fallback,
		"idType": "userID", "version": 1,
	}}
}

// NewGate builds a feature gate.
func NewGate(name string) *SpecBuilder {
	return newSpec("feature_gates", "feature_gate", "feature_gate", name, true, false)
}

// NewSegment builds a segment. Its name gets the prefix that the service gives to segments.
func NewSegment(name string) *SpecBuilder {
	return newSpec("feature_gates", "feature_gate", "segment", "segment:"+name, true, false)
}

// NewHoldout builds a holdout.
func NewHoldout(name string) *SpecBuilder {
	return newSpec("feature_gates", "feature_gate", "holdout", name, true, false)
}

// NewDynamicConfig builds a dynamic config.
func NewDynamicConfig(name string) *SpecBuilder {
	return newSpec("dynamic_configs", "dynamic_config", "dynamic_config", name, map[string]any{}, map[string]any{})
}

// NewExperiment builds a running experiment.
func NewExperiment(name string) *SpecBuilder {
	return newSpec("dynamic_configs", "dynamic_config", "experiment", name, map[string]any{}, map[string]any{}).
		With("isActive", true)
}

// NewLayer builds a layer.
func NewLayer(name string) *SpecBuilder {
	return newSpec("layer_configs", "dynamic_config", "layer", name, map[string]any{}, map[string]any{})
}

// Rule appends rules, in order of evaluation.
func (s *SpecBuilder) Rule(rules ...*RuleBuilder) *SpecBuilder {
	s.rules = append(s.rules, rules...)
	return s
}

// Default sets the value where no rule decides: a boolean for a gate, a map for others.
func (s *SpecBuilder) Default(value any) *SpecBuilder { return s.With("defaultValue", value) }

// Disabled turns the spec off.
func (s *SpecBuilder) Disabled() *SpecBuilder { return s.With("enabled", false) }

// Salt sets the salt, which is the name and "_salt" otherwise.
func (s *SpecBuilder) Salt(salt string) *SpecBuilder { return s.With("salt", salt) }

// IDType sets the ID type that is reported.
func (s *SpecBuilder) IDType(idType string) *SpecBuilder { return s.With("idType", idType) }

// With sets one member of the spec's JSON.
func (s *SpecBuilder) With(member string, value any) *SpecBuilder {
	s.members[member] = value
	return s
}

// Without removes one member of the spec's JSON.
func (s *SpecBuilder) Without(member string) *SpecBuilder {
	delete(s.members, member)
	return s
}

// RuleBuilder builds a rule.
type RuleBuilder struct {
	members    map[string]any
	conditions []Condition
	hashes     []string
}

// NewRule builds a rule without conditions that passes for everyone.
func NewRule(id string) *RuleBuilder {
	return &RuleBuilder{members: map[string]any{
		"id": id, "name": id, "salt": id + "_salt", "idType": "userID", "passPercentage": 100, "groupName": nil,
	}}
}

// When appends conditions, all of which must pass.
func (r *RuleBuilder) When(conditions ...Condition) *RuleBuilder {
	r.conditions = append(r.conditions, conditions...)
	return r
}

// WhenHash appends a condition by its key in condition_map, which need not exist.
func (r *RuleBuilder) WhenHash(hash string) *RuleBuilder {
	r.hashes = append(r.hashes, hash)
	return r
}

// Percent sets the pass percentage.
func (r *RuleBuilder) Percent(percent float64) *RuleBuilder { return r.With("passPercentage", percent) }

// Return sets the value on a pass.
func (r *RuleBuilder) Return(value any) *RuleBuilder { return r.With("returnValue", value) }

// Group makes the rule an experiment's group.
func (r *RuleBuilder) Group(name string) *RuleBuilder {
	return r.With("groupName", name).With("isExperimentGroup", true)
}

// Delegate hands users of a layer to an experiment.
func (r *RuleBuilder) Delegate(experiment string) *RuleBuilder {
	return r.With("configDelegate", experiment)
}

// IDType sets the unit ID that the percentage hashes.
func (r *RuleBuilder) IDType(idType string) *RuleBuilder { return r.With("idType", idType) }

// With sets one member of the rule's JSON.
func (r *RuleBuilder) With(member string, value any) *RuleBuilder {
	r.members[member] = value
	return r
}

// Without removes one member of the rule's JSON.
func (r *RuleBuilder) Without(member string) *RuleBuilder {
	delete(r.members, member)
	return r
}
