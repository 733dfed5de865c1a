package ofrep

import "github.com/tidwall/gjson"

// appendMember appends a member of an object behind next, which opens the object or separates members.
func appendMember(dst []byte, next, name, value string) []byte {
	dst = append(append(append(dst, next...), '"'), name...)
	return gjson.AppendJSONString(append(dst, `":`...), value)
}

// appendAnswer appends the answer behind its key and closes its object.
func (q *query) appendAnswer(dst []byte, v *evaluation) []byte {
	if v.value != "" {
		dst = append(append(dst, `,"value":`...), v.value...)
	}
	dst = append(append(dst, `,"reason":"`...), q.reason(v)...)
	dst = append(dst, '"')
	if variant := v.variant(); variant != "" {
		dst = appendMember(dst, ",", "variant", variant)
	}
	dst = append(append(dst, `,"metadata":{"kind":"`...), kindWord(v.kind)...)
	dst = append(dst, '"')
	if ruleID := v.ruleID(); ruleID != "" {
		dst = appendMember(dst, ",", "ruleID", ruleID)
	}
	if v.result.GroupName != "" {
		dst = appendMember(dst, ",", "groupName", v.result.GroupName)
	}
	if v.result.ConfigDelegate != "" {
		dst = appendMember(dst, ",", "experiment", v.result.ConfigDelegate)
	}
	return append(dst, "}}"...)
}
