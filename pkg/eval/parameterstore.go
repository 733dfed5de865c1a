package eval

import "time"

// Parameter answers for one parameter of a parameter store. Its value is "" where the store, the parameter, or the
// parameter that it stands for doesn't exist.
func (e *Evaluator) Parameter(store, parameter string, u *User, now time.Time, rec *Recorder) Parameter {
	if u == nil {
		u = e.nobody
	}
	var parameters map[string]rawParameter
	p := Parameter{Details: e.details(ReasonUnrecognized)}
	if s := e.snapshot.stores[store]; s != nil {
		parameters = s.parameters
		p.Details.Reason = ReasonRecognized
	}
	if o := e.options.Overrides; o != nil {
		if v := o.find(Ref{KindParameterStore, store}, u); v != nil {
			parameters = v.parameters
			p.Details.Source, p.Details.Reason = SourceLocalOverride, ReasonRecognized
		}
	}
	raw, ok := parameters[parameter]
	if !ok {
		return p
	}
	if raw.kind == parameterStatic {
		p.Value = raw.value
		return p
	}
	p.From = e.Evaluate(Ref{parameterRefs[raw.kind], raw.ref}, u, now, rec)
	if raw.kind == parameterGate {
		p.Value = raw.fallback
		if p.From.Pass {
			p.Value = raw.value
		}
		return p
	}
	json, ok := p.From.Parameter(raw.parameter)
	if ok {
		p.Value, p.FromParameter = json, raw.parameter
	}
	return p
}

// parameterRefs are the kinds of entities that parameters read from.
var parameterRefs = [...]Kind{
	parameterGate: KindGate, parameterDynamicConfig: KindDynamicConfig, parameterExperiment: KindExperiment,
	parameterLayer: KindLayer,
}

// details are the evaluator's own details with a reason.
func (e *Evaluator) details(reason Reason) Details {
	return Details{
		Source: e.snapshot.origin.Source, Reason: reason, LCUT: e.snapshot.facts.time,
		ReceivedAt: e.snapshot.origin.ReceivedAt,
	}
}
