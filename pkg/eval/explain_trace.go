package eval

import (
	"encoding/json"
	"unicode/utf8"
)

const (
	// maxTraceTargets is how many elements of a condition's target are shown.
	maxTraceTargets = 10
	// maxTraceText is how many bytes of a value or target are shown.
	maxTraceText = 256
)

// Cause says what decided an evaluation.
type Cause string

// What can decide an evaluation.
const (
	// CauseNone is the cause of evaluations that were not decided: of unknown names, and where something is unsupported
	// or nests too deeply.
	CauseNone Cause = ""
	// CauseLocalOverride is a local override.
	CauseLocalOverride Cause = "LocalOverride"
	// CauseMapping is a mapping of the document, which puts another spec in place of this one.
	CauseMapping Cause = "Mapping"
	// CauseBandit is a contextual multi-armed bandit.
	CauseBandit Cause = "Bandit"
	// CauseRule is a rule, or several in new layer evaluation.
	CauseRule Cause = "Rule"
	// CauseDefault is the default value, because no rule applied.
	CauseDefault Cause = "Default"
)

// Trace tells how the answer for one gate, config, experiment or layer came about. Its parts are in order of evaluation.
type Trace struct {
	// Kind is the name of the entity's [Kind].
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Pass is a gate's value. For configs and layers it tells whether a rule passed.
	Pass bool `json:"pass"`
	// Value is the JSON object of a config or layer, empty where it has none.
	Value     json.RawMessage `json:"value,omitempty"`
	RuleID    string          `json:"ruleID"`
	GroupName string          `json:"groupName,omitempty"`
	// Reason is Source:Reason of the entity asked for, and a [Reason] alone for those asked on the way. Once one of
	// them is unsupported, so is the whole.
	Reason string `json:"reason"`
	Cause  Cause  `json:"cause,omitempty"`
	// Mappings are those tried. The deciding one holds the answer's own trace.
	Mappings []*MappingTrace `json:"mappings,omitempty"`
	Bandit   *BanditTrace    `json:"bandit,omitempty"`
	// Rules are those evaluated. UnreachedRules follow them, which didn't have to be; HiddenRules are among them, and
	// left out because the trace is too long.
	Rules          []*RuleTrace `json:"rules,omitempty"`
	UnreachedRules int          `json:"unreachedRules,omitempty"`
	HiddenRules    int          `json:"hiddenRules,omitempty"`
	// Note says what the trace leaves out, and why.
	Note string `json:"note,omitempty"`
}

// RuleTrace is one rule that was evaluated.
type RuleTrace struct {
	ID        string `json:"id"`
	GroupName string `json:"groupName,omitempty"`
	// Conditions are in the document's order. HiddenConditions are left out because the trace is too long; Passed of
	// all evaluated ones did pass.
	Conditions       []*ConditionTrace `json:"conditions"`
	HiddenConditions int               `json:"hiddenConditions,omitempty"`
	Passed           int               `json:"passed"`
	// Matched is true where all conditions passed.
	Matched bool `json:"matched"`
	// Percentage is nil where it wasn't looked at: a condition failed, or an experiment answered.
	Percentage *PercentageTrace `json:"percentage,omitempty"`
	// Delegate is the experiment that a layer's rule handed the user to.
	Delegate *Trace `json:"delegate,omitempty"`
	// Decides is true for the rule that gave the answer, in new layer evaluation for each that gave a part.
	Decides bool `json:"decides,omitempty"`
	// Note says what is particular.
	Note string `json:"note,omitempty"`
}

// PercentageTrace tells on which side of a rule's pass percentage a unit ID is.
type PercentageTrace struct {
	Percentage float64 `json:"percentage"`
	IDType     string  `json:"idType"`
	// UnitID is "" where the user has none of the type; it is hashed all the same.
	UnitID string `json:"unitID"`
	// Bucket is the hash of salts and unit ID modulo 10,000; nil for 0 and 100 %, which need none.
	Bucket *int `json:"bucket,omitempty"`
	// Threshold is the first bucket that doesn't pass.
	Threshold float64 `json:"threshold"`
	Pass      bool    `json:"pass"`
}

// ConditionTrace is one condition, in the document's words, with what it was compared with.
type ConditionTrace struct {
	Type     string `json:"type"`
	Field    string `json:"field,omitempty"`
	Operator string `json:"operator,omitempty"`
	// Targets are the target, or the first 10 of TargetCount elements where it is a list; an object is a list of
	// NAME:VALUE. Texts cut short end in "…".
	Targets      []string `json:"targets,omitempty"`
	TargetCount  int      `json:"targetCount,omitempty"`
	TargetIsList bool     `json:"targetIsList,omitempty"`
	// IDType and UnitID are those of conditions on units.
	IDType string `json:"idType,omitempty"`
	UnitID string `json:"unitID,omitempty"`
	// Saw is the user's value as text, "[private]" for private attributes, nil where there is none.
	Saw *string `json:"saw,omitempty"`
	// Source is the field that Saw was worked out from: userAgent or ip.
	Source string `json:"source,omitempty"`
	Pass   bool   `json:"pass"`
	// Unsupported says what about the condition isn't known; the evaluation ends with it.
	Unsupported string `json:"unsupported,omitempty"`
	// Evaluation is the gate or experiment that the condition asked.
	Evaluation *Trace `json:"evaluation,omitempty"`
	// Note says what the trace leaves out, and why.
	Note string `json:"note,omitempty"`
}

// MappingTrace is one rule of a mapping.
type MappingTrace struct {
	// Target is the spec that takes the place of the one asked for.
	Target string    `json:"target"`
	Rule   RuleTrace `json:"rule"`
	// StartsAt is when the rule begins to count, in Unix milliseconds; 0 where it does already.
	StartsAt int64 `json:"startsAt,omitempty"`
	// Outcome is the target's evaluation, nil where the rule doesn't apply to the user.
	Outcome *Trace `json:"outcome,omitempty"`
}

// BanditTrace tells how a contextual multi-armed bandit picked an arm.
type BanditTrace struct {
	IDType string `json:"idType"`
	UnitID string `json:"unitID"`
	// Gate decides who takes part, nil where everyone does.
	Gate *Trace `json:"gate,omitempty"`
	Arms int    `json:"arms"`
	// Explores is true where the unit ID picked the arm, not what was learnt.
	Explores bool `json:"explores"`
}

func newRuleTrace(l *rule) RuleTrace {
	return RuleTrace{ID: l.id, GroupName: l.groupName, Conditions: []*ConditionTrace{}}
}

// answer notes the result so far.
func (out *Trace) answer(res *Result) {
	out.Pass, out.RuleID, out.GroupName, out.Value = res.Pass, res.RuleID, res.GroupName, nil
	if out.Kind != KindGate.String() && json.Valid([]byte(res.Value)) {
		out.Value = json.RawMessage(res.Value)
	}
}

func (out *ConditionTrace) setSaw(text string) {
	text = bounded(text)
	out.Saw = &text
}

// bounded cuts long texts between characters.
func bounded(text string) string {
	if len(text) <= maxTraceText {
		return text
	}
	end := maxTraceText
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
