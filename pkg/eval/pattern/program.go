package pattern

import "fmt"

// maxProgram is the largest program, in instructions.
const maxProgram = 1 << 16

type opcode uint8

const (
	opMatch      opcode = iota // the program, or a sub-program, has matched
	opRune                     // one character: rune
	opSet                      // one character of set
	opAssert                   // assert holds here
	opSplit                    // go to next, later to other; arg numbers the split
	opJump                     // go to next
	opSave                     // slot arg = position
	opRestore                  // position = slot arg
	opBack                     // arg characters back
	opBreakEmpty               // go to next if the position is that of slot arg: an iteration matched nothing
	opBackref                  // the text of group arg
	opExists                   // group arg took part
	opSub                      // run the sub-program that follows; next on a match, other without one; reject for neither
)

// reject stands in for the address of an instruction: this way does not match.
const reject = -1

// instruction is one step of the machine. All but those that name another address go on with the following one.
type instruction struct {
	op     opcode
	assert assertion
	// back reads a character leftwards.
	back bool
	// fold compares a back-reference without case.
	fold bool
	// keep goes on at the end of the sub-program's match; without it the position stays.
	keep        bool
	rune        rune
	next, other int
	arg         int
	set         *runeSet
}

// program is an expression assembled for the machine. It is immutable.
type program struct {
	code []instruction
	// slots is the number of positions to remember: start and end of each group that is referred to, and what
	// look-arounds and repetitions keep.
	slots  int
	splits int
	// memoizable says that a failed state fails again whenever it is reached, because nothing depends on earlier
	// captures.
	memoizable bool
}

// assembler turns a tree into a program.
type assembler struct {
	program
	tree *tree
	err  error
}

func assemble(t *tree) (*program, error) {
	a := &assembler{tree: t}
	a.memoizable = len(t.referenced) == 0
	a.slots = 2 * (t.groups + 1)
	a.emit(t.root, false)
	a.add(instruction{op: opMatch})
	if a.err != nil {
		return nil, a.err
	}
	return &a.program, nil
}

// add returns the address of the instruction it appends. Past the size limit it appends nothing, and assembly ends in
// an error.
func (a *assembler) add(in instruction) int {
	if len(a.code) >= maxProgram {
		a.err = fmt.Errorf("%w: it unfolds to more than %d instructions", ErrTooLarge, maxProgram)
		return 0
	}
	a.code = append(a.code, in)
	return len(a.code) - 1
}

// here is the address of the next instruction to be added.
func (a *assembler) here() int { return len(a.code) }

func (a *assembler) slot() int {
	a.slots++
	return a.slots - 1
}

// split adds a choice between the instruction after it and an address to be set by the caller, in order of preference.
func (a *assembler) split() int {
	a.splits++
	at := a.add(instruction{op: opSplit, arg: a.splits - 1})
	a.code[at].next = at + 1
	return at
}

// leave makes the choice at split lead to the current address when it is not taken; a lazy choice prefers that.
func (a *assembler) leave(split int, greedy bool) {
	in := &a.code[split]
	in.other = a.here()
	if !greedy {
		in.next, in.other = in.other, in.next
	}
}

// emit adds the instructions of a node.
//
// The engine gives a linear part to an automaton, which takes its first match and never another. That shows only
// through a back-reference, inside a look-around or an atomic group: in (?=(a|ab))\1 the group is always a. backtrack
// is false where such a part would go to the automaton.
func (a *assembler) emit(n *node, backtrack bool) {
	if a.err != nil {
		return
	}
	switch n.kind {
	case kindEmpty:
	case kindRune, kindSet, kindAssert:
		a.emitLeaf(n, false)
	case kindConcat:
		for _, sub := range n.subs {
			a.emit(sub, true)
		}
	case kindAlternate:
		a.emitAlternate(len(n.subs), func(i int) { a.emit(n.subs[i], backtrack) })
	case kindGroup:
		a.emitGroup(n, backtrack)
	case kindRepeat:
		a.emitRepeat(n, func() { a.emit(n.subs[0], backtrack || n.loops()) })
	case kindLook:
		a.emitLook(n)
	case kindAtomic:
		a.emitSub(instruction{other: reject, keep: true}, func() { a.emit(n.subs[0], false) })
	case kindBackref:
		a.add(instruction{op: opBackref, arg: n.group, fold: n.fold})
	case kindExists:
		a.add(instruction{op: opExists, arg: n.group})
	case kindConditional:
		a.emitConditional(n, backtrack)
	}
}

func (a *assembler) emitLeaf(n *node, back bool) {
	switch n.kind {
	case kindRune:
		a.add(instruction{op: opRune, rune: n.rune, back: back})
	case kindSet:
		a.add(instruction{op: opSet, set: n.set, back: back})
	default:
		a.add(instruction{op: opAssert, assert: n.assert})
	}
}

// emitAlternate adds count alternatives; each adds the one of its number.
func (a *assembler) emitAlternate(count int, each func(i int)) {
	jumps := make([]int, 0, count-1)
	for i := range count - 1 {
		split := a.split()
		each(i)
		jumps = append(jumps, a.add(instruction{op: opJump}))
		a.leave(split, true)
	}
	each(count - 1)
	a.land(jumps)
}

// land makes the jumps lead to the current address.
func (a *assembler) land(jumps []int) {
	for _, at := range jumps {
		a.code[at].next = a.here()
	}
}

func (a *assembler) emitGroup(n *node, backtrack bool) {
	inner := n.subs[0]
	if _, ok := a.tree.referenced[n.group]; !ok {
		a.emit(inner, backtrack)
		return
	}
	a.add(instruction{op: opSave, arg: 2 * n.group})
	if backtrack || inner.hard {
		a.emit(inner, backtrack)
	} else {
		a.emitSub(instruction{other: reject, keep: true}, func() { a.emit(inner, false) })
	}
	a.add(instruction{op: opSave, arg: 2*n.group + 1})
}

// emitRepeat unfolds a repetition: min copies, then a loop or max-min optional copies.
func (a *assembler) emitRepeat(n *node, body func()) {
	for range n.min {
		before := a.here()
		if body(); a.err != nil {
			return
		}
		// Copies of nothing are no work, but counting to a million of them would be.
		if a.here() == before {
			break
		}
	}
	if n.max == unbounded {
		loop := a.split()
		start := a.slot()
		a.add(instruction{op: opSave, arg: start})
		body()
		out := a.add(instruction{op: opBreakEmpty, arg: start})
		a.add(instruction{op: opJump, next: loop})
		a.leave(loop, n.greedy)
		a.land([]int{out})
		return
	}
	var splits []int
	for range n.max - n.min {
		splits = append(splits, a.split())
		if body(); a.err != nil {
			return
		}
	}
	for _, split := range splits {
		a.leave(split, n.greedy)
	}
}

// emitSub adds a sub-program: the instruction in that runs it, and what body adds. Where next or other is 0, it becomes
// the address after the sub-program.
func (a *assembler) emitSub(in instruction, body func()) {
	in.op = opSub
	at := a.add(in)
	body()
	a.add(instruction{op: opMatch})
	if a.err == nil && in.next == 0 {
		a.code[at].next = a.here()
	}
	if a.err == nil && in.other == 0 {
		a.code[at].other = a.here()
	}
}

// emitConditional adds the condition as a sub-program: once it has matched, the other branch is out of the question.
func (a *assembler) emitConditional(n *node, backtrack bool) {
	at := a.here()
	a.emitSub(instruction{other: reject, keep: true}, func() { a.emit(n.subs[0], backtrack) })
	a.emit(n.subs[1], backtrack)
	jump := a.add(instruction{op: opJump})
	if a.err != nil {
		return
	}
	a.code[at].other = a.here()
	a.emit(n.subs[2], backtrack)
	a.land([]int{jump})
}
