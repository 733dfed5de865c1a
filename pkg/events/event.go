package events

import "time"

// CustomEvent is an event of the operator's own, such as a finished rollout. It is never de-duplicated and never
// sampled.
type CustomEvent struct {
	// Name is the event name; Statsig keeps names that start with "statsig::" to itself. Neither names nor values nor
	// metadata are cut: Statsig enforces its own limits.
	Name string
	// User is the user's JSON object as it may leave the process, made by [eval.Evaluator.LoggableUser]; nil stands for
	// {}.
	User []byte
	// Value is the event's value: null, a string or a number. Statsig takes no boolean here; one is sent as text.
	Value Value
	// Metadata is free-form; nil is sent as null.
	Metadata map[string]Value
	// Time is when it happened; the zero time stands for now.
	Time time.Time
}

// Value is a JSON scalar. The zero Value is null.
type Value struct {
	kind   valueKind
	text   string
	number float64
}

type valueKind uint8

const (
	valueNull valueKind = iota
	valueString
	valueNumber
	valueBool
)

// String returns s as a Value.
func String(s string) Value { return Value{kind: valueString, text: s} }

// Number returns n as a Value. An infinity or NaN is sent as null: JSON has no spelling for it.
func Number(n float64) Value { return Value{kind: valueNumber, number: n} }

// Bool returns b as a Value, for metadata.
func Bool(b bool) Value {
	if b {
		return Value{kind: valueBool, number: 1}
	}
	return Value{kind: valueBool}
}
