package eval

// The types in this file are a document after Compile: references are pointers, operands are prepared.

// spec is a compiled gate, config or layer. A name that is only referred to has a spec too, with missing set, so that
// mappings, bandits and closures have a place to hang on.
type spec struct {
	*rawSpec // nil when missing
	name     string
	kind     Kind // KindGate, KindDynamicConfig (experiments too) or KindLayer
	missing  bool
	rules    []rule
	mappings []mapping
	bandit   *bandit
	// segment is true for gates that leave no exposure of themselves.
	segment bool
}

// defaultRuleID is the rule ID where no rule decides.
func (s *spec) defaultRuleID() string {
	if s.enabled {
		return "default"
	}
	return "disabled"
}

// rule is a compiled rule.
type rule struct {
	*rawRule
	conditions []*condition
	unit       *unitRef
	delegate   *spec // nil when there is none, or it doesn't exist
	// salts is what the unit ID is hashed behind, nil where the percentage needs no hash. The outer salt is that of the
	// spec, or of the spec a mapping replaces.
	salts *salts
	// decisive is how many conditions must be evaluated even where one before them failed: up to the last that does
	// more than pass or fail.
	decisive int
}

// conditionKind says where a condition's left-hand value comes from.
type conditionKind uint8

// The kinds up to conditionFailGate do more than pass or fail: they end the evaluation, or leave exposures.
const (
	// conditionUnsupported is the kind of all that the reference doesn't know either.
	conditionUnsupported conditionKind = iota
	// conditionMissing stands for a hash that condition_map doesn't have.
	conditionMissing
	conditionPassGate
	conditionFailGate
	conditionPublic
	conditionExperimentGroup
	conditionUserField
	conditionUserAgent
	conditionIP
	conditionEnvironment
	conditionCurrentTime
	conditionUserBucket
	conditionTargetApp
	conditionUnitID
	// Those below are not values but what is done with one that needs more than the operands: an ID list, or a look at the
	// work that it takes.
	conditionInList
	conditionNotInList
	conditionMatches
)

// conditionKinds are the document's names of the kinds, matched exactly.
var conditionKinds = map[string]conditionKind{
	"public":            conditionPublic,
	"pass_gate":         conditionPassGate,
	"fail_gate":         conditionFailGate,
	"experiment_group":  conditionExperimentGroup,
	"user_field":        conditionUserField,
	"ua_based":          conditionUserAgent,
	"ip_based":          conditionIP,
	"environment_field": conditionEnvironment,
	"current_time":      conditionCurrentTime,
	"user_bucket":       conditionUserBucket,
	"target_app":        conditionTargetApp,
	"unit_id":           conditionUnitID,
}

// condition is a compiled condition. Field and ID type are shared by all conditions that name them.
type condition struct {
	kind conditionKind
	// scoped is conditionInList, conditionNotInList or conditionMatches where match isn't enough.
	scoped conditionKind
	agent  agentField
	// hasField is false where the document names no field, which is not the same as an empty one.
	hasField bool
	match    operatorFunc
	field    *fieldRef
	unit     *unitRef
	spec     *spec // the gate of pass_gate and fail_gate, the experiment of experiment_group
	target   target
	salt     string // of user_bucket
	text     string // the whole condition, "" for conditionMissing
}

// mapping sends users of some rules to another spec.
type mapping struct {
	target *spec
	rules  []mappingRule
}

type mappingRule struct {
	rule  *rule
	start int64 // Unix milliseconds
}
