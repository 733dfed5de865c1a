package pattern

import (
	"fmt"
	"slices"
)

// emitLook adds a look-around. Alternatives of different widths that are looked for behind are split up, so that only
// each by itself has to have a fixed width.
func (a *assembler) emitLook(n *node) {
	inner := n.subs[0]
	if !n.behind || inner.kind != kindAlternate || inner.fixed {
		a.emitLookFor(n, inner)
		return
	}
	if !n.negative {
		a.emitAlternate(len(inner.subs), func(i int) { a.emitLookFor(n, inner.subs[i]) })
		return
	}
	for _, sub := range inner.subs {
		a.emitLookFor(n, sub)
	}
}

// emitLookFor adds a look-around like n for inner. One without captures that anyone refers to is a sub-program; a
// positive one with such captures stays part of the program, since the engine backtracks into it to try other captures.
func (a *assembler) emitLookFor(n, inner *node) {
	body := a.lookBody(n.behind, inner)
	switch {
	case n.negative:
		a.emitSub(instruction{next: reject}, body)
	case a.captures(inner):
		start := a.slot()
		a.add(instruction{op: opSave, arg: start})
		body()
		a.add(instruction{op: opRestore, arg: start})
	default:
		a.emitSub(instruction{other: reject}, body)
	}
}

// lookBody returns what adds the inside of a look-around.
func (a *assembler) lookBody(behind bool, inner *node) func() {
	switch {
	case !behind:
		return func() { a.emit(inner, false) }
	case inner.fixed:
		return func() {
			a.add(instruction{op: opBack, arg: inner.width})
			a.emit(inner, false)
		}
	case !inner.hard:
		return func() { a.emitBack(inner) }
	default:
		a.err = fmt.Errorf("%w: look-behind of variable width around more than plain text", ErrInvalid)
		return func() {}
	}
}

// emitBack adds the instructions that match a node leftwards, ending where the machine stands. Only linear nodes come
// here.
func (a *assembler) emitBack(n *node) {
	if a.err != nil {
		return
	}
	switch n.kind {
	case kindConcat:
		for _, sub := range slices.Backward(n.subs) {
			a.emitBack(sub)
		}
	case kindAlternate:
		a.emitAlternate(len(n.subs), func(i int) { a.emitBack(n.subs[i]) })
	case kindGroup:
		a.emitBack(n.subs[0])
	case kindRepeat:
		a.emitRepeat(n, func() { a.emitBack(n.subs[0]) })
	default:
		a.emitLeaf(n, true)
	}
}

// captures reports whether a node holds a group that is referred to.
func (a *assembler) captures(n *node) bool {
	if _, ok := a.tree.referenced[n.group]; ok && n.kind == kindGroup {
		return true
	}
	return slices.ContainsFunc(n.subs, a.captures)
}

// loops reports whether a repetition is one that the engine runs itself. It has no loop for ?, and none for linear parts.
func (n *node) loops() bool { return n.hard && (n.min != 0 || n.max != 1) }
