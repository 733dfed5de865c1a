package ofrep

import (
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// maxBulkBytes bounds a bulk answer.
const maxBulkBytes = 32 << 20

// appendAll appends a bulk answer; ok is false where it would be too large.
func (q *query) appendAll(dst []byte) (out []byte, ok bool) {
	snapshot := q.evaluator.Snapshot()
	dst = append(dst, `{"flags":[`...)
	start := len(dst)
	entries := q.catalog.all(snapshot)
	for i := range entries {
		if dst = q.appendEntry(dst, &entries[i]); len(dst) > maxBulkBytes {
			return dst, false
		}
	}
	if len(dst) > start {
		dst = dst[:len(dst)-1] // the last comma
	}
	dst = appendMember(append(dst, "],"...), `"metadata":{`, "specsHash", snapshot.Hash())
	dst = append(dst, `,"lastConfigUpdate":`...)
	return append(strconv.AppendInt(dst, snapshot.Time(), 10), "}}"...), true
}

// appendEntry appends the answers for an entity and its parameters, with a comma behind each.
func (q *query) appendEntry(dst []byte, e *entry) []byte {
	switch e.ref.Kind {
	case eval.KindGate:
		v, _ := q.whole(e.ref.Kind, e.ref.Name)
		return q.appendFlag(append(dst, e.head...), &v)
	case eval.KindParameterStore:
		for _, parameter := range e.parameters {
			if v, ok := q.storeParameter(e.ref.Name, parameter); ok && e.isReachable(parameter) {
				name := gjson.AppendJSONString(nil, parameter)
				dst = q.appendFlag(append(append(dst, e.parameterHead...), name[1:]...), &v)
			}
		}
		return dst
	default:
	}
	v := evaluation{kind: e.ref.Kind, result: q.evaluator.Evaluate(e.ref, q.user, q.now, q.recorder)}
	if e.head != "" {
		if v.value = v.result.Value; v.value == "" {
			v.value = "{}"
		}
		dst = q.appendFlag(append(dst, e.head...), &v)
	}
	gjson.Parse(v.result.Value).ForEach(func(name, member gjson.Result) bool {
		if e.isReachable(name.Str) {
			v.read, v.value = name.Str, valueOrDefault(member.Raw)
			dst = q.appendFlag(append(append(dst, e.parameterHead...), name.Raw[1:]...), &v)
		}
		return true
	})
	return dst
}

// appendFlag appends what follows the key of one answer.
func (q *query) appendFlag(dst []byte, v *evaluation) []byte {
	if problem := q.problem(v); problem != nil {
		return append(problem.append(dst, ","), ',')
	}
	return append(q.appendAnswer(dst, v), ',')
}
