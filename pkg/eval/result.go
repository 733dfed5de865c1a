package eval

import (
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// SecondaryExposure is a gate that was evaluated on the way to another answer.
type SecondaryExposure struct {
	Gate string `json:"gate"`
	// GateValue is "true" or "false".
	GateValue string `json:"gateValue"`
	RuleID    string `json:"ruleID"`
}

// Result is the outcome of one evaluation. Evaluation returns no Go error: Details.Reason says what happened. Its
// slices must not be changed; the exposures are valid until the Recorder is used again.
type Result struct {
	Ref
	// Pass is a gate's value. For configs and layers it tells whether a rule passed.
	Pass bool
	// Value is the JSON object of a config or layer; "" when it has none, which reads as {}.
	Value string
	// RuleID is the rule that decided, or default, disabled, override, or "" when nothing did.
	RuleID    string
	GroupName string
	IDType    string
	Version   int64 // -1 when the spec has none
	// IsExperimentActive tells whether the experiment is running.
	IsExperimentActive bool
	// IsExperimentGroup tells whether the user is in the experiment.
	IsExperimentGroup bool
	// ConfigDelegate is the experiment a layer handed the user to.
	ConfigDelegate string
	// ExplicitParameters are the parameters an experiment controls in its layer.
	ExplicitParameters []string
	// SecondaryExposures are in order of evaluation, repetitions included.
	SecondaryExposures []SecondaryExposure
	// Undelegated are the exposures of a layer itself, without its experiment's. Nil and empty differ: it is nil where
	// nothing was exposed and nobody was handed to an experiment.
	Undelegated []SecondaryExposure
	// ForwardAllExposures and HasSeenAnalyticalGates steer the sampling of exposures.
	ForwardAllExposures, HasSeenAnalyticalGates bool
	SamplingRate                                int64 // -1 when unset
	// OverrideConfigName is the spec that a mapping of the document put in place of the one asked for.
	OverrideConfigName string
	Details            Details
	// parameterRules are the rules that decided single parameters of a layer, in new layer evaluation.
	parameterRules []parameterRule
}

type parameterRule struct{ parameter, ruleID string }

// RuleIDFor is the rule that decided one parameter of a layer: its own in new layer evaluation, otherwise RuleID.
func (r *Result) RuleIDFor(parameter string) string {
	i := slices.IndexFunc(r.parameterRules, func(p parameterRule) bool { return p.parameter == parameter })
	if i < 0 {
		return r.RuleID
	}
	return r.parameterRules[i].ruleID
}

// Parameter returns the JSON of one member of the value; ok is false when it has none of that name.
func (r *Result) Parameter(name string) (json string, ok bool) {
	return jsonMember(r.Value, name)
}

// jsonMember finds a member of a JSON object. A name may be any text, so it can't be a path.
func jsonMember(object, name string) (json string, ok bool) {
	if object == "" {
		return "", false
	}
	gjson.Parse(object).ForEach(func(key, value gjson.Result) bool {
		if key.Str == name {
			json, ok = value.Raw, true
		}
		return true
	})
	return json, ok
}

// Parameter is the answer for one parameter of a parameter store. To expose it is to expose From.
type Parameter struct {
	// Value is JSON; "" when there is none.
	Value string
	// From is the evaluation the value was read from; its Kind is zero for a static parameter.
	From Result
	// FromParameter is the parameter of a config, experiment or layer that was read, "" where it has none of that name: a
	// layer is then not exposed.
	FromParameter string
	Details       Details
}

// Reason is the second half of an evaluation's provenance.
type Reason string

// The reasons of an evaluation.
const (
	// ReasonRecognized means that the entity is known and was evaluated.
	ReasonRecognized Reason = "Recognized"
	// ReasonUnrecognized means that the document has no entity of that name.
	ReasonUnrecognized Reason = "Unrecognized"
	// ReasonUnsupported means that a rule reached needs an operator or condition that is unknown.
	ReasonUnsupported Reason = "Unsupported"
	// ReasonError means that rules nest too deeply, or in a circle.
	ReasonError Reason = "Error"
	// ReasonPersisted means that a sticky value took the place of the evaluation. There is no source then.
	ReasonPersisted Reason = "Persisted"
)

// SourceLocalOverride is the source of answers that a local override gave.
const SourceLocalOverride = "LocalOverride"

// Details say how an answer came about.
type Details struct {
	// Source is where the document came from, such as Network or Bootstrap, or LocalOverride.
	Source string
	Reason Reason
	// LCUT is the document's last config update time in Unix milliseconds; 0 when unset.
	LCUT       int64
	ReceivedAt time.Time
}

// String is Source:Reason, such as Network:Recognized, or the reason alone where there is no source.
func (d Details) String() string {
	if d.Source == "" {
		return string(d.Reason)
	}
	return strings.Join([]string{d.Source, string(d.Reason)}, ":")
}
