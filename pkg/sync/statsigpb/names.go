package statsigpb

// The numbers that stand for names on the wire. A number without a name is one that a later protocol has added.

// kind says what an envelope holds.
type kind uint64

const (
	kindUnknown kind = iota
	kindDone
	kindTopLevel
	kindGate
	kindConfig
	kindLayer
	kindStore
	kindCondition
	kindDeletions
	kindChecksums
	kindCopyPrevious
)

// sectionNames are the members of the JSON document that the entities of a kind stand in. The checksums use the same
// names.
var sectionNames = [...]string{
	kindGate:      "feature_gates",
	kindConfig:    "dynamic_configs",
	kindLayer:     "layer_configs",
	kindStore:     "param_stores",
	kindCondition: "condition_map",
}

// sections lists the kinds of entities in the order in which they are written.
var sections = [...]kind{kindCondition, kindGate, kindConfig, kindLayer, kindStore}

// isEntity reports whether the envelopes of this kind hold one entity each.
func (k kind) isEntity() bool { return k < kind(len(sectionNames)) && sectionNames[k] != "" }

// name returns what number stands for; false when nothing does.
func name(names []string, number uint64) (string, bool) {
	if number >= uint64(len(names)) || names[number] == "" {
		return "", false
	}
	return names[number], true
}

var entityNames = []string{
	1: "feature_gate", "dynamic_config", "autotune", "experiment", "layer", "segment", "holdout",
}

var idTypeNames = []string{1: "userID", "stableID"}

var conditionNames = []string{
	1: "public", "fail_gate", "pass_gate", "ua_based", "ip_based", "user_field", "environment_field", "current_time",
	"user_bucket", "target_app", "unit_id",
}

var operatorNames = []string{
	1: "gt", "gte", "lt", "lte",
	"version_gt", "version_gte", "version_lt", "version_lte", "version_eq", "version_neq",
	"any", "none",
	"str_starts_with_any", "str_ends_with_any", "str_contains_any", "str_contains_none",
	"any_case_sensitive", "none_case_sensitive", "str_matches",
	"before", "after", "on",
	"eq", "neq",
	"in_segment_list", "not_in_segment_list",
	"array_contains_any", "array_contains_none", "array_contains_all", "not_array_contains_all",
	"encoded_any",
}

// specType is the "type" that the JSON form gives to a spec of this entity.
func specType(entity string) string {
	switch entity {
	case "feature_gate", "holdout", "segment":
		return "feature_gate"
	default:
		return "dynamic_config"
	}
}
