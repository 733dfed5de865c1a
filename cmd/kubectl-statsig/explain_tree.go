package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// explainedTree is a trace for people to read.
func explainedTree(trace *eval.Trace) *tree {
	t := &tree{text: answerText(trace)}
	addTrace(t, trace)
	return t
}

// kindNames are the kinds as they are spoken of.
var kindNames = map[string]string{
	eval.KindGate.String(): "gate", eval.KindDynamicConfig.String(): "config",
	eval.KindExperiment.String(): "experiment", eval.KindLayer.String(): "layer",
}

// answerText names an entity with its answer.
func answerText(trace *eval.Trace) string {
	value := strconv.FormatBool(trace.Pass)
	if trace.Kind != eval.KindGate.String() {
		if value = "no value"; len(trace.Value) > 0 {
			value = canonicalJSON(string(trace.Value), true)
		}
	}
	return fmt.Sprintf("%s %s = %s  (%s)", kindNames[trace.Kind], cell(trace.Name), value, originText(trace))
}

// originText says who gave an answer.
func originText(trace *eval.Trace) string {
	var parts []string
	if trace.RuleID != "" {
		parts = append(parts, "rule "+ruleText(trace.RuleID, trace.GroupName))
	}
	switch trace.Cause {
	case eval.CauseLocalOverride:
		parts = append(parts, "by a local override")
	case eval.CauseMapping:
		parts = append(parts, "by a mapping")
	case eval.CauseBandit:
		parts = append(parts, "by a bandit")
	default:
	}
	return strings.Join(append(parts, trace.Reason), ", ")
}

func ruleText(id, group string) string {
	if group == "" {
		return cell(id)
	}
	return cell(id) + " " + strconv.Quote(group)
}

// addTrace adds what led to an answer.
func addTrace(t *tree, trace *eval.Trace) {
	for _, m := range trace.Mappings {
		addMapping(t, m)
	}
	if b := trace.Bandit; b != nil {
		addBandit(t, b)
	}
	for i, rule := range trace.Rules {
		addRule(t.add("rule %d %s", i+1, ruleSummary(rule)), rule)
	}
	if n := trace.HiddenRules; n > 0 {
		t.add("(%d more %s not shown)", n, plural(n, "rule"))
	}
	if n := trace.UnreachedRules; n > 0 {
		t.add("(%d more %s not reached)", n, plural(n, "rule"))
	}
	if trace.Cause == eval.CauseDefault {
		t.add("no rule decides: the default value counts")
	}
	t.note(trace.Note)
}

func addMapping(t *tree, m *eval.MappingTrace) {
	if m.StartsAt > 0 {
		t.add("mapping to %s: starts at %s", cell(m.Target), time.UnixMilli(m.StartsAt).UTC().Format(time.RFC3339Nano))
		return
	}
	child := t.add("mapping to %s by rule %s", cell(m.Target), ruleSummary(&m.Rule))
	addRule(child, &m.Rule)
	if m.Outcome != nil {
		addTrace(child.add("%s", answerText(m.Outcome)), m.Outcome)
	}
}

func addBandit(t *tree, b *eval.BanditTrace) {
	way := "by what was learnt"
	if b.Explores {
		way = "to explore"
	}
	child := t.add("bandit of %d %s, picks %s for %s %q", b.Arms, plural(b.Arms, "arm"), way, cell(b.IDType), b.UnitID)
	if b.Gate != nil {
		addTrace(child.add("%s", answerText(b.Gate)), b.Gate)
	}
}

func ruleSummary(rule *eval.RuleTrace) string {
	all := len(rule.Conditions) + rule.HiddenConditions
	text := fmt.Sprintf("%s — conditions: %d of %d passed", ruleText(rule.ID, rule.GroupName), rule.Passed, all)
	if rule.Decides {
		text += ", decides"
	}
	return text
}

func addRule(t *tree, rule *eval.RuleTrace) {
	for _, c := range rule.Conditions {
		addCondition(t, c)
	}
	if n := rule.HiddenConditions; n > 0 {
		t.add("(%d more %s not shown)", n, plural(n, "condition"))
	}
	if p := rule.Percentage; p != nil {
		text := percentageText(p)
		if rule.Decides && !p.Pass {
			text += ", so the default value counts"
		}
		t.add("%s", text)
	}
	if rule.Delegate != nil {
		addTrace(t.add("%s", answerText(rule.Delegate)), rule.Delegate)
	}
	t.note(rule.Note)
}

func percentageText(p *eval.PercentageTrace) string {
	text := mark(p.Pass) + " " + number(p.Percentage) + " %"
	if p.Bucket == nil {
		return text
	}
	sign := "≥"
	if p.Pass {
		sign = "<"
	}
	return fmt.Sprintf("%s of %s %q: bucket %d %s %s", text, cell(p.IDType), p.UnitID, *p.Bucket, sign, number(p.Threshold))
}

func addCondition(t *tree, c *eval.ConditionTrace) {
	child := t.add("%s %s", mark(c.Pass), conditionText(c))
	if c.Unsupported != "" {
		child.text = "✗ " + strings.TrimSpace(conditionText(c)+" — unsupported: "+c.Unsupported)
	}
	child.note(c.Note)
	if c.Evaluation != nil {
		addTrace(child.add("%s", answerText(c.Evaluation)), c.Evaluation)
	}
}

// conditionText is a condition in the document's words, and what it was compared with.
func conditionText(c *eval.ConditionTrace) string {
	var words []string
	for _, word := range []string{c.Type, c.Field, c.Operator} {
		if word != "" {
			words = append(words, cell(word))
		}
	}
	if c.TargetIsList || len(c.Targets) > 0 {
		words = append(words, targetText(c))
	}
	switch {
	case c.IDType == "":
	case c.Type == "user_bucket":
		words = append(words, fmt.Sprintf("of %s %q", cell(c.IDType), c.UnitID))
	default:
		words = append(words, "of "+cell(c.IDType))
	}
	switch {
	case c.Operator == "" || c.Unsupported != "" || c.Note != "":
	case c.Saw == nil:
		words = append(words, "— saw nothing")
	case c.Source != "":
		words = append(words, fmt.Sprintf("— saw %q, from %s", *c.Saw, c.Source))
	default:
		words = append(words, fmt.Sprintf("— saw %q", *c.Saw))
	}
	return strings.Join(words, " ")
}

func targetText(c *eval.ConditionTrace) string {
	shown := make([]string, len(c.Targets))
	for i, target := range c.Targets {
		shown[i] = cell(target)
		if target == "" || strings.ContainsAny(target, " ,[]") {
			shown[i] = strconv.Quote(target)
		}
	}
	text := strings.Join(shown, ", ")
	if !c.TargetIsList {
		return text
	}
	if more := c.TargetCount - len(c.Targets); more > 0 {
		text += fmt.Sprintf(", … %d more", more)
	}
	return "[" + text + "]"
}

func mark(pass bool) string {
	if pass {
		return "✓"
	}
	return "✗"
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
