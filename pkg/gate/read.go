package gate

import (
	"strconv"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// read is one place of an expression that asks Statsig: a call of one of our functions, with the literal path that is
// taken from it.
type read struct {
	ref eval.Ref
	// call is the ID of the call, and id that of the call with its whole path.
	call, id int64
	path     []step
	// presence is whether the place asks only whether there is a value, as has and in do.
	presence bool
}

// step is one step of a path: a member of an object, or an element of a list.
type step struct {
	name  string
	index int64
	// isIndex tells an index from a name.
	isIndex bool
}

// readOf returns what e reads, nil for anything but a call of ours with a path.
func readOf(e ast.Expr) *read {
	switch e.Kind() {
	case ast.SelectKind:
		selection := e.AsSelect()
		r := readOf(selection.Operand())
		if r == nil || r.presence {
			return nil
		}
		r.presence = selection.IsTestOnly()
		return r.then(e, step{name: selection.FieldName()})
	case ast.CallKind:
		arguments := e.AsCall().Args()
		switch e.AsCall().FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect:
			return readOfStep(e, arguments[0], arguments[1])
		case operators.In:
			r := readOfStep(e, arguments[1], arguments[0])
			if r == nil || r.path[len(r.path)-1].isIndex {
				return nil
			}
			r.presence = true
			return r
		}
		return readOfCall(e)
	default:
		return nil
	}
}

// readOfStep returns what e reads, which takes a step from an operand.
func readOfStep(e, operand, next ast.Expr) *read {
	s, ok := stepOf(next)
	if !ok {
		return nil
	}
	r := readOf(operand)
	if r == nil || r.presence {
		return nil
	}
	return r.then(e, s)
}

// readOfCall returns what a call of ours reads without a path, nil for any other call.
func readOfCall(e ast.Expr) *read {
	call := e.AsCall()
	f := functionNamed(call.FunctionName())
	if f == nil || call.IsMemberFunction() || len(call.Args()) != 2 {
		return nil
	}
	return &read{ref: eval.Ref{Kind: f.kind, Name: literalText(call.Args()[1])}, call: e.ID(), id: e.ID()}
}

// then lengthens the path by one step, which e takes.
func (r *read) then(e ast.Expr, next step) *read {
	r.id, r.path = e.ID(), append(r.path, next)
	return r
}

func stepOf(e ast.Expr) (s step, ok bool) {
	if e.Kind() != ast.LiteralKind {
		return step{}, false
	}
	switch literal := e.AsLiteral().(type) {
	case types.String:
		return step{name: string(literal)}, true
	case types.Int:
		return step{index: int64(literal), isIndex: true}, true
	default:
		return step{}, false
	}
}

// parameter is the first step, by which exposures and stores name what was read; "" where there is no name.
func (r *read) parameter() string {
	if len(r.path) == 0 {
		return ""
	}
	return r.path[0].name
}

// store is the parameter by which answers know what was read: that of a store, "" for all other kinds.
func (r *read) store() string {
	if r.ref.Kind == eval.KindParameterStore {
		return r.parameter()
	}
	return ""
}

// lookup returns what an answer has at the path. Where it has nothing, missing is the path as far as the step that is
// not there.
func (r *read) lookup(a *answer) (value gjson.Result, missing string) {
	value = a.value
	path := r.path
	if r.ref.Kind == eval.KindParameterStore {
		path = path[1:]
		if !value.Exists() {
			return value, r.text(1)
		}
	}
	for i, next := range path {
		found := false
		if value, found = next.in(value); !found {
			return value, r.text(len(r.path) - len(path) + i + 1)
		}
	}
	return value, ""
}

// in takes the step.
func (s step) in(json gjson.Result) (value gjson.Result, found bool) {
	switch {
	case s.isIndex && json.IsArray():
		elements := json.Array()
		if s.index < 0 || s.index >= int64(len(elements)) {
			return value, false
		}
		return elements[s.index], true
	case !s.isIndex && json.IsObject():
		return memberOf(json, s.name)
	default:
		return value, false
	}
}

// text is the first n steps of the path as people write it, such as tiers.gold[2].
func (r *read) text(n int) string {
	var b strings.Builder
	for i, s := range r.path[:n] {
		switch {
		case s.isIndex:
			b.WriteString("[" + strconv.FormatInt(s.index, 10) + "]")
		case i > 0:
			b.WriteString("." + s.name)
		default:
			b.WriteString(s.name)
		}
	}
	return b.String()
}

// title is the entity with the path.
func (r *read) title() string {
	path := r.text(len(r.path))
	if path == "" || strings.HasPrefix(path, "[") {
		return title(r.ref) + path
	}
	return title(r.ref) + "." + path
}
