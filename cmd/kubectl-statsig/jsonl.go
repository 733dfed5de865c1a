package main

import (
	"strconv"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// jsonLines prints one JSON object for each user. Members stand in the order of their names, except for sections.
type jsonLines struct {
	asker
	entities *entities
}

func newJSONLines(p *project, e *entities) (header string, newPrinter func() printer) {
	return "", func() printer { return &jsonLines{asker: newAsker(p), entities: e} }
}

// appendUser implements [printer].
func (p *jsonLines) appendUser(dst []byte, u int, user *eval.User) []byte {
	dst = strconv.AppendInt(append(dst, `{"u":`...), int64(u), 10)
	for i := range sections {
		dst = append(dst, `,"`...)
		dst = append(append(dst, sections[i].member...), `":{`...)
		for j := range p.entities[i] {
			e := &p.entities[i][j]
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, e.Name), ':')
			dst = p.appendAnswer(dst, e, user)
		}
		dst = append(dst, '}')
	}
	return append(dst, "}\n"...)
}

func (p *jsonLines) appendAnswer(dst []byte, e *entity, user *eval.User) []byte {
	if e.Kind == eval.KindParameterStore {
		return p.appendStore(dst, e, user)
	}
	res := p.evaluate(e, user)
	dst = append(dst, '{')
	switch e.Kind {
	case eval.KindGate:
		dst = appendOptional(append(dst, `"id_type":`...), res.IDType)
		dst = appendOutcome(dst, &res)
		dst = strconv.AppendBool(append(dst, `,"value":`...), res.Pass)
	case eval.KindLayer:
		dst = appendOptional(append(dst, `"allocated_experiment_name":`...), res.ConfigDelegate)
		dst = p.appendConfig(append(dst, ','), &res)
	default:
		dst = p.appendConfig(dst, &res)
	}
	return append(appendVersion(dst, res.Version), '}')
}

// appendConfig appends the members of configs and layers but for the version, which comes last.
func (p *jsonLines) appendConfig(dst []byte, res *eval.Result) []byte {
	dst = appendOptional(append(dst, `"group_name":`...), res.GroupName)
	dst = appendOptional(append(dst, `,"id_type":`...), res.IDType)
	dst = append(dst, `,"is_experiment_active":`...)
	if res.Details.Reason == eval.ReasonError {
		// A failed evaluation leaves unset what is false or empty otherwise.
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendBool(dst, res.IsExperimentActive)
	}
	dst = appendOutcome(dst, res)
	dst = appendExposures(append(dst, `,"secondary_exposures":`...), res)
	dst = append(dst, `,"value":`...)
	return append(dst, p.canonical(res.Value)...)
}

func (p *jsonLines) appendStore(dst []byte, e *entity, user *eval.User) []byte {
	dst = appendString(append(dst, `{"reason":`...), reasonText(p.storeReason(e, user)))
	return append(p.appendStoreValues(append(dst, `,"values":`...), e, user), '}')
}

func appendOutcome(dst []byte, res *eval.Result) []byte {
	dst = appendString(append(dst, `,"reason":`...), reasonText(res.Details.Reason))
	return appendString(append(dst, `,"rule_id":`...), res.RuleID)
}

func appendExposures(dst []byte, res *eval.Result) []byte {
	if res.Details.Reason == eval.ReasonError {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i := range res.SecondaryExposures {
		x := &res.SecondaryExposures[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"gate":`...), x.Gate)
		dst = appendString(append(dst, `,"gateValue":`...), x.GateValue)
		dst = appendString(append(dst, `,"ruleID":`...), x.RuleID)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendOptional appends a string, or null where there is none.
func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendString(dst, s)
}

func appendVersion(dst []byte, version int64) []byte {
	dst = append(dst, `,"version":`...)
	if version < 0 {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, version, 10)
}

// reasonText is the reason in the SDK's words.
func reasonText(r eval.Reason) string {
	if r == eval.ReasonError {
		return "Statsig Evaluation Depth Exceeded"
	}
	return string(r)
}
