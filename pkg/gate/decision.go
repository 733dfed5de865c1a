package gate

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// decision is the part of an expression's structure that tells which of its reads decide its value.
type decision struct {
	id int64
	// function is CEL's name of the operator or function that is called, "" for anything but a call.
	function string
	// literal is the value of a literal, nil for anything else.
	literal ref.Val
	// parts are the operands in their order. Of a comprehension they are all reads in it, since its body is evaluated
	// many times, and the last time is all that is known afterwards.
	parts []*decision
	// read is what is read here, nil for nothing.
	read *read
}

// newDecision takes an expression apart.
func newDecision(e ast.NavigableExpr) *decision {
	d := &decision{id: e.ID()}
	if d.read = readOf(e); d.read != nil {
		return d
	}
	switch e.Kind() {
	case ast.LiteralKind:
		d.literal = e.AsLiteral()
		return d
	case ast.CallKind:
		d.function = e.AsCall().FunctionName()
	default: // the others have nothing to tell
	}
	for _, child := range e.Children() {
		part := newDecision(child)
		if e.Kind() == ast.ComprehensionKind {
			for _, r := range part.reads() {
				d.parts = append(d.parts, &decision{id: r.id, read: r})
			}
			continue
		}
		d.parts = append(d.parts, part)
	}
	return d
}

// decided appends the reads that decided the value of d, in the order of the expression.
func (d *decision) decided(reads []*read, state interpreter.EvalState) []*read {
	switch d.function {
	case operators.LogicalAnd:
		return d.decidedBy(types.False, reads, state)
	case operators.LogicalOr:
		return d.decidedBy(types.True, reads, state)
	case operators.Conditional:
		reads = d.parts[0].decided(reads, state)
		if d.parts[0].value(state) == types.True {
			return d.parts[1].decided(reads, state)
		}
		return d.parts[2].decided(reads, state)
	}
	if d.read != nil {
		return append(reads, d.read)
	}
	for _, part := range d.parts {
		reads = part.decided(reads, state)
	}
	return reads
}

// decidedBy appends the reads of the first operand that has the value which decides alone; where none has, all operands
// decided together.
func (d *decision) decidedBy(alone ref.Val, reads []*read, state interpreter.EvalState) []*read {
	for _, part := range d.parts {
		if part.value(state) == alone {
			return part.decided(reads, state)
		}
	}
	for _, part := range d.parts {
		reads = part.decided(reads, state)
	}
	return reads
}

// value is what d gave, nil where it was not evaluated.
func (d *decision) value(state interpreter.EvalState) ref.Val {
	if d.literal != nil {
		return d.literal
	}
	value, _ := state.Value(d.id)
	return value
}

// reads returns all reads, in the order of the expression.
func (d *decision) reads() []*read {
	if d.read != nil {
		return []*read{d.read}
	}
	var reads []*read
	for _, part := range d.parts {
		reads = append(reads, part.reads()...)
	}
	return reads
}

// find returns the part with an ID, nil when there is none.
func (d *decision) find(id int64) *decision {
	if d.id == id {
		return d
	}
	for _, part := range d.parts {
		if found := part.find(id); found != nil {
			return found
		}
	}
	return nil
}

// origin returns the read that the value of d is taken from, or worked out from first; nil for none.
func (d *decision) origin() *read {
	for d.read == nil {
		if len(d.parts) == 0 {
			return nil
		}
		d = d.parts[0]
	}
	return d.read
}
