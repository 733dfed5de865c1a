package evaltest

import "maps"

// Condition is a condition of a rule.
type Condition struct {
	members map[string]any
}

// NewCondition builds a condition of any type. Members that are not set are null, as the service writes them.
func NewCondition(kind string) Condition {
	return Condition{members: map[string]any{
		"type": kind, "targetValue": nil, "operator": nil, "field": nil, "additionalValues": map[string]any{},
		"idType": "userID",
	}}
}

// With returns a copy with one member of the condition's JSON set.
func (c Condition) With(member string, value any) Condition {
	members := maps.Clone(c.members)
	members[member] = value
	return Condition{members: members}
}

// IDType returns a copy that looks at another unit ID than the user's.
func (c Condition) IDType(idType string) Condition { return c.With("idType", idType) }

// Public passes for everyone.
func Public() Condition { return NewCondition("public") }

// UserField compares a field of the user with an array of targets.
func UserField(field, operator string, targets ...any) Condition {
	return UserFieldValue(field, operator, append([]any{}, targets...))
}

// UserFieldValue compares a field of the user with one target of any type, such as a number for gt.
func UserFieldValue(field, operator string, target any) Condition {
	return NewCondition("user_field").With("field", field).With("operator", operator).With("targetValue", target)
}

// Environment compares a field of the environment, such as tier, with an array of targets.
func Environment(field, operator string, targets ...any) Condition {
	return UserField(field, operator, targets...).With("type", "environment_field")
}

// IPBased compares a field of the user or the country of its address with an array of targets.
func IPBased(field, operator string, targets ...any) Condition {
	return UserField(field, operator, targets...).With("type", "ip_based")
}

// UserAgentBased compares a field of the user or a part of its user agent with an array of targets.
func UserAgentBased(field, operator string, targets ...any) Condition {
	return UserField(field, operator, targets...).With("type", "ua_based")
}

// CurrentTime compares the clock with an instant, in Unix milliseconds or as text.
func CurrentTime(operator string, target any) Condition {
	return NewCondition("current_time").With("operator", operator).With("targetValue", target)
}

// PassGate passes where another gate passes.
func PassGate(name string) Condition { return NewCondition("pass_gate").With("targetValue", name) }

// FailGate passes where another gate fails.
func FailGate(name string) Condition { return NewCondition("fail_gate").With("targetValue", name) }

// UnitID compares the unit ID with an array of targets.
func UnitID(operator string, targets ...any) Condition {
	return NewCondition("unit_id").With("operator", operator).With("targetValue", append([]any{}, targets...))
}

// InSegmentList passes where the unit ID stands in an ID list.
func InSegmentList(list string) Condition {
	return NewCondition("unit_id").With("operator", "in_segment_list").With("targetValue", list)
}

// UserBucket compares the bucket of the unit ID, from 0 to 999, with a number.
func UserBucket(salt, operator string, target float64) Condition {
	return NewCondition("user_bucket").With("operator", operator).With("targetValue", target).
		With("additionalValues", map[string]any{"salt": salt})
}

// ExperimentGroup compares the group the user gets in an experiment with an array of targets.
func ExperimentGroup(experiment, operator string, targets ...any) Condition {
	return UserField(experiment, operator, targets...).With("type", "experiment_group")
}
