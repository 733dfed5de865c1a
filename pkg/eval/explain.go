package eval

import (
	"slices"
	"time"
)

// The bounds of a trace. What lies beyond them is evaluated like everything else, and only not shown.
const (
	// maxTraceDepth is how many specs are shown within one another.
	maxTraceDepth = 32
	// maxTraceLength is how many rules and conditions are shown.
	maxTraceLength = 10_000
	// maxTraceValues is how many bytes of values are shown of the entities asked on the way.
	maxTraceValues = 1 << 20
)

// Explain evaluates like [Evaluator.Evaluate] without a Recorder, and tells how the answer came about. The result is
// the same in every field. It takes many times as long, so it is for people who ask, not for serving answers. Traces
// show what is known of a user but for private attributes; unit IDs are among it.
func (e *Evaluator) Explain(r Ref, u *User, now time.Time) (Result, *Trace) {
	if u == nil {
		u = e.nobody
	}
	t := tracer{
		s: scope{e: e, user: u, now: now.UnixMilli()}, left: maxTraceLength, values: maxTraceValues,
		described: map[*condition]ConditionTrace{},
	}
	s := &t.s
	s.res.Ref, s.res.Version, s.res.SamplingRate = r, -1, -1
	out, recognized := t.name(r)
	s.finish(recognized)
	s.release()
	out.answer(&s.res)
	out.Reason = s.res.Details.String()
	return s.res, out
}

// tracer repeats an evaluation step by step, on a scope like that of an evaluation, and notes what happens. Its methods
// follow those of scope that lead from one spec to the next; all that decides is asked of scope itself. It is kept apart
// so that evaluations that nobody wants explained don't pay for it. Exposures are not collected: the trace says as much.
type tracer struct {
	s scope
	// open are the specs being shown, outermost first.
	open []*spec
	// left is how many more rules and conditions may be shown, values how many more bytes of values.
	left, values int
	// described are conditions in the document's words, which are read from its text once.
	described map[*condition]ConditionTrace
}

// name follows scope.evaluateName.
func (t *tracer) name(r Ref) (out *Trace, recognized bool) {
	s := &t.s
	if found := s.e.snapshot.specs(r.Kind)[r.Name]; found != nil {
		return t.spec(found, r.Kind)
	}
	out = &Trace{Kind: r.Kind.String(), Name: r.Name}
	if s.e.options.Overrides != nil && s.override(r.Kind, r.Name) {
		out.Cause = CauseLocalOverride
		return out, true
	}
	return out, false
}

// spec evaluates one spec and shows it.
func (t *tracer) spec(sp *spec, kind Kind) (out *Trace, recognized bool) {
	t.open = append(t.open, sp)
	out = &Trace{Kind: kind.String(), Name: sp.name}
	recognized = t.decide(out, sp, kind)
	t.open = t.open[:len(t.open)-1]
	t.conclude(out, recognized)
	return out, recognized
}

// conclude notes the answer of a spec as it leaves it to the spec that asked.
func (t *tracer) conclude(out *Trace, recognized bool) {
	s := &t.s
	switch {
	case s.failed:
		out.Reason, out.Cause = string(ReasonError), CauseNone
		return
	case !recognized:
		out.Reason = string(ReasonUnrecognized)
		return
	case s.unsupported:
		out.Reason = string(ReasonUnsupported)
	default:
		out.Reason = string(ReasonRecognized)
	}
	shown := s.res
	if t.values -= len(shown.Value); t.values < 0 {
		shown.Value = ""
		if out.Note == "" {
			out.Note = noteLongValues
		}
	}
	out.answer(&shown)
}

// decide follows scope.evaluate.
func (t *tracer) decide(out *Trace, sp *spec, kind Kind) (recognized bool) {
	s := &t.s
	if s.e.options.Overrides != nil && s.override(kind, sp.name) {
		out.Cause = CauseLocalOverride
		return true
	}
	if len(sp.mappings) > 0 && t.mappings(out, sp, kind) {
		out.Cause = CauseMapping
		return true
	}
	if sp.bandit != nil && kind == KindExperiment {
		out.Cause = CauseBandit
		t.bandit(out, sp.bandit)
		return true
	}
	if sp.missing {
		return false
	}
	res := &s.res
	if !s.typed {
		res.IDType, s.typed = sp.idType, true
	}
	if res.Version < 0 {
		res.Version = sp.version
	}
	if sp.isActive != unset {
		res.IsExperimentActive = sp.isActive == yes
	}
	if sp.explicitParameters != nil {
		res.ExplicitParameters = sp.explicitParameters
	}
	if kind == KindLayer && sp.useNewLayerEval {
		t.newLayer(out, sp)
		return true
	}
	t.rules(out, sp)
	return true
}

// The reasons for not showing a spec.
const (
	noteCycle    = "asks for itself, in a circle"
	noteTooDeep  = "not shown: nests too deeply"
	noteTooLong  = "not shown: the trace is too long"
	noteRepeated = "evaluated before"
	// noteLongValues doesn't keep the rest of a spec from being shown.
	noteLongValues = "value not shown: the values of the trace are too long"
)

// cut says why a spec can't be shown, "" where it can.
func (t *tracer) cut(sp *spec) (note string) {
	switch {
	case slices.Contains(t.open, sp):
		return noteCycle
	case len(t.open) >= maxTraceDepth:
		return noteTooDeep
	case t.left <= 0:
		return noteTooLong
	default:
		return ""
	}
}

// outline shows no more of a spec than its answer, after it was evaluated.
func (t *tracer) outline(sp *spec, kind Kind, recognized bool, note string) *Trace {
	out := &Trace{Kind: kind.String(), Name: sp.name, Note: note}
	t.conclude(out, recognized)
	return out
}

// mappings follows scope.evaluateMapping.
func (t *tracer) mappings(out *Trace, sp *spec, kind Kind) bool {
	s := &t.s
	if s.hops >= maxHops {
		out.Note = "mappings not followed: too many in a row"
		return false
	}
	for i := range sp.mappings {
		m := &sp.mappings[i]
		for j := range m.rules {
			r := &m.rules[j]
			tried := t.mapping(out, m.target.name, r.rule)
			if r.start > s.now {
				tried.StartsAt = r.start
				continue
			}
			applies := t.appliesToUser(tried, r.rule)
			if s.failed {
				return false
			}
			if !applies {
				continue
			}
			s.res.OverrideConfigName = m.target.name
			recognized := t.mapped(tried, m.target, kind)
			if recognized || s.failed {
				tried.Rule.Decides = recognized
				return recognized
			}
			s.reset()
			break
		}
	}
	return false
}

// mapping makes a place for a mapping's rule; where the trace is too long it isn't shown.
func (t *tracer) mapping(out *Trace, target string, l *rule) *MappingTrace {
	tried := &MappingTrace{Target: target, Rule: newRuleTrace(l)}
	if t.left > 0 {
		t.left--
		out.Mappings = append(out.Mappings, tried)
	}
	return tried
}

// appliesToUser follows scope.appliesToUser.
func (t *tracer) appliesToUser(tried *MappingTrace, l *rule) bool {
	s := &t.s
	t.rule(&tried.Rule, l)
	matches := s.res.Pass && !s.unsupported && !s.failed
	s.reset()
	return matches && t.passes(&tried.Rule, l)
}

// mapped evaluates what a mapping puts in place of another spec.
func (t *tracer) mapped(tried *MappingTrace, target *spec, kind Kind) (recognized bool) {
	s := &t.s
	s.hops++
	if note := t.cut(target); note != "" {
		recognized = s.evaluate(target, kind)
		tried.Outcome = t.outline(target, kind, recognized, note)
	} else {
		tried.Outcome, recognized = t.spec(target, kind)
	}
	s.hops--
	return recognized
}
