package eval

import (
	"fmt"
	"strconv"

	"github.com/tidwall/gjson"
)

// condition follows scope.evaluateCondition.
func (t *tracer) condition(c *condition) *ConditionTrace {
	s := &t.s
	if t.left <= 0 {
		s.evaluateCondition(c)
		return &ConditionTrace{Pass: s.res.Pass}
	}
	out := t.describe(c)
	switch c.kind {
	case conditionPublic:
		s.res.Pass = true
	case conditionPassGate:
		t.nested(out, c.spec)
	case conditionFailGate:
		t.nested(out, c.spec)
		if !s.unsupported && !s.failed {
			s.res.Pass = !s.res.Pass
		}
	case conditionUnsupported, conditionMissing:
		s.unsupported = true
		return out
	default:
		t.compare(out, c)
	}
	out.Pass = s.res.Pass && !s.failed
	return out
}

// compare follows the second half of scope.evaluateCondition.
func (t *tracer) compare(out *ConditionTrace, c *condition) {
	s := &t.s
	var v *value
	if c.kind == conditionExperimentGroup {
		v = t.experimentGroup(out, c.spec)
	} else {
		v = s.operand(c)
	}
	s.res.Pass = s.compare(c, v)
	t.saw(out, c, v)
}

// nested follows scope.evaluateNested.
func (t *tracer) nested(out *ConditionTrace, gate *spec) {
	s := &t.s
	note := t.cut(gate)
	if s.memo.find(gate) != nil {
		note = noteRepeated
	}
	if note != "" {
		s.evaluateNested(gate)
		out.Evaluation = t.outline(gate, KindGate, t.known(gate), note)
		return
	}
	var ok bool
	if out.Evaluation, ok = t.gate(gate); !ok {
		return
	}
	if !gate.segment && s.res.RuleID != "" && s.res.SamplingRate < 0 {
		s.res.HasSeenAnalyticalGates = true
	}
}

// known reports whether anything can answer for a gate.
func (t *tracer) known(gate *spec) bool {
	o := t.s.e.options.Overrides
	return !gate.missing || len(gate.mappings) > 0 || (o != nil && o.find(Ref{KindGate, gate.name}, t.s.user) != nil)
}

// gate follows scope.evaluateGate.
func (t *tracer) gate(gate *spec) (out *Trace, ok bool) {
	s := &t.s
	if !s.descend() {
		return t.outline(gate, KindGate, true, ""), false
	}
	out, _ = t.spec(gate, KindGate)
	if s.unsupported || s.failed {
		return out, false
	}
	if gate.name != "" {
		s.remember(memoEntry{gate: gate, ruleID: s.res.RuleID, pass: s.res.Pass})
	}
	return out, true
}

// experimentGroup follows scope.experimentGroup.
func (t *tracer) experimentGroup(out *ConditionTrace, experiment *spec) *value {
	s := &t.s
	if s.hops >= maxHops {
		out.Note = "the experiment was not asked: too many in a row"
		return absent
	}
	if note := t.cut(experiment); note != "" {
		out.Note = "the experiment is " + note
		return s.experimentGroup(experiment)
	}
	inner := tracer{open: t.open, left: t.left, values: t.values, described: t.described, s: scope{
		e: s.e, user: s.user, now: s.now, hops: s.hops + 1, steps: s.steps,
	}}
	inner.s.res.Version, inner.s.res.SamplingRate = -1, -1
	out.Evaluation, _ = inner.spec(experiment, KindExperiment)
	inner.s.release()
	s.steps, t.left, t.values = inner.s.steps, inner.left, inner.values
	if inner.s.failed || inner.s.res.GroupName == "" {
		return absent
	}
	v := &value{}
	v.setString(inner.s.res.GroupName)
	return v
}

// bandit follows scope.evaluateBandit.
func (t *tracer) bandit(out *Trace, b *bandit) {
	s := &t.s
	if !s.typed {
		s.res.IDType, s.typed = b.idType, true
	}
	if s.res.Version < 0 {
		s.res.Version = b.version
	}
	out.Bandit = &BanditTrace{IDType: b.idType, UnitID: s.user.unit(b.unit).text, Arms: len(b.groups)}
	arm, suffix, ok := t.arm(out.Bandit, b)
	s.res.IsExperimentActive = b.enabled
	if !ok {
		return
	}
	group := &b.groups[arm]
	s.res.Pass, s.res.Value, s.res.GroupName = true, group.value.object, group.name
	s.res.RuleID = group.id + suffix
	out.Bandit.Explores = suffix == exploreSuffix
}

// arm follows scope.arm.
func (t *tracer) arm(out *BanditTrace, b *bandit) (arm int, suffix string, ok bool) {
	if b.gate == nil || !b.enabled || len(b.groups) == 0 {
		return t.s.arm(b)
	}
	if !t.targeted(out, b) {
		return 0, "", false
	}
	asked := *b
	asked.gate = nil
	return t.s.arm(&asked)
}

// targeted follows scope.targeted.
func (t *tracer) targeted(out *BanditTrace, b *bandit) bool {
	s := &t.s
	if note := t.cut(b.gate); note != "" {
		passed := s.targeted(b)
		out.Gate = &Trace{Kind: KindGate.String(), Name: b.gate.name, Pass: passed, Note: note}
		return passed
	}
	var ok bool
	if out.Gate, ok = t.gate(b.gate); !ok {
		return false
	}
	pass := s.res.Pass
	if !pass {
		s.res.Pass, s.res.RuleID, s.res.Value = false, targetingRuleID, b.defaultValue.object
	}
	return pass
}

// privateValue stands for the value of a private attribute.
const privateValue = "[private]"

// saw notes the value that a condition was compared with.
func (t *tracer) saw(out *ConditionTrace, c *condition, v *value) {
	if derived := t.derivedFrom(c, v); derived != nil {
		out.Source = derived.name
		if t.private(derived, t.s.user.field(derived, &t.s.e.globals)) {
			out.setSaw(privateValue)
			return
		}
	}
	switch c.kind {
	case conditionUserField, conditionUserAgent, conditionIP:
		if t.private(c.field, v) {
			out.setSaw(privateValue)
			return
		}
	case conditionUserBucket:
		out.IDType, out.UnitID = c.unit.name, t.s.user.unit(c.unit).text
	case conditionUnitID:
		out.IDType = c.unit.name
	default:
	}
	if text, ok := v.display(); ok {
		out.setSaw(text)
	}
}

// derivedFrom is the field whose content was looked into for a value, nil where the value is a field's own.
func (t *tracer) derivedFrom(c *condition, v *value) *fieldRef {
	if v == absent || v == t.s.user.field(c.field, &t.s.e.globals) {
		return nil
	}
	switch c.kind {
	case conditionUserAgent:
		return agentRef
	case conditionIP:
		return ipRef
	default:
		return nil
	}
}

// private reports whether a value found under a field's name is a private attribute.
func (t *tracer) private(ref *fieldRef, v *value) bool {
	return v != absent && v == t.s.user.private.find(ref.name, ref.lower)
}

// display is a value as people write it; ok is false for one that isn't there.
func (v *value) display() (text string, ok bool) {
	switch {
	case v.hasText:
		return v.text, true
	case v.kind == kindObject:
		members := map[string]any{}
		for name, member := range v.members() {
			members[name] = member
		}
		return string(appendJSON(nil, members, 1)), true
	case v.hasInstant:
		return strconv.FormatInt(v.instant, 10), true
	default:
		return "", false
	}
}

// describe says what a condition asks.
func (t *tracer) describe(c *condition) *ConditionTrace {
	described, ok := t.described[c]
	if !ok {
		described = *describeCondition(c)
		t.described[c] = described
	}
	return &described
}

// describeCondition says what a condition asks, in the document's words. These aren't kept for evaluation, so they are
// read from the document's text again.
func describeCondition(c *condition) *ConditionTrace {
	if c.kind == conditionMissing {
		return &ConditionTrace{Unsupported: "the document lacks this condition"}
	}
	json := gjson.Parse(c.text)
	out := &ConditionTrace{}
	json.ForEach(func(name, member gjson.Result) bool {
		switch name.Str {
		case "type":
			out.Type = member.Str
		case "field":
			out.Field = bounded(member.Str)
		case "operator":
			out.Operator = bounded(member.Str)
		case "targetValue":
			out.describeTarget(member)
		}
		return true
	})
	switch {
	case c.kind == conditionPublic || c.spec != nil && c.match == nil:
		// Documents give these an operator too, which means nothing.
		out.Operator = ""
	case c.kind != conditionUnsupported:
	case conditionKinds[out.Type] == conditionUnsupported:
		out.Type = bounded(out.Type)
		out.Unsupported = fmt.Sprintf("condition type %q is not known", out.Type)
	case out.Operator == "":
		out.Unsupported = "the condition has no operator"
	default:
		out.Unsupported = fmt.Sprintf("operator %q is not known", out.Operator)
	}
	return out
}

// describeTarget notes the first elements of an array or members of an object, and other targets as a whole.
func (out *ConditionTrace) describeTarget(json gjson.Result) {
	if json.Type == gjson.Null {
		return
	}
	if json.Type != gjson.JSON {
		out.Targets, out.TargetCount = []string{bounded(itemText(json))}, 1
		return
	}
	out.TargetIsList = true
	json.ForEach(func(name, element gjson.Result) bool {
		if out.TargetCount < maxTraceTargets {
			text := bounded(itemText(element))
			if json.IsObject() {
				text = bounded(name.Str) + ":" + text
			}
			out.Targets = append(out.Targets, text)
		}
		out.TargetCount++
		return true
	})
}
