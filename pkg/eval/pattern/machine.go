package pattern

import (
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	// maxSteps is how many instructions one match may take: a few dozen milliseconds.
	maxSteps = 1 << 23
	// maxStack is how many ways back the machine remembers, and how many captures to undo on them. 16 MiB at most.
	maxStack = 1 << 20
	// memoAfter is the number of steps after which remembering failed states is worth its memory.
	memoAfter = 1 << 10
	// maxMemo is the largest memory of failed states, in words of 64 states: 8 MiB. A longer text is matched without.
	maxMemo = 1 << 20
	// keepStack and keepMemo bound what a machine at rest holds on to.
	keepStack = 1 << 13
	keepMemo  = 1 << 13
)

// frame is a way back: the address and position to go on from. A negative pc undoes a change instead: slot ^pc was at
// pos.
type frame struct{ pc, pos int }

// machine runs a program over one text. It tries one way after another, in order of preference, until one matches.
type machine struct {
	*program
	text  string
	steps int
	slots []int
	stack []frame
	// memo has a bit for each split and position that was reached; empty until the match turns out to be long.
	memo []uint64
	// marks are the memo bits set by the running sub-programs. The outermost program keeps no such list.
	marks []int
	depth int
	// exhausted says that a bound was hit: everything fails from then on.
	exhausted bool
}

// machines are at rest between matches; they hold no text.
var machines = sync.Pool{New: func() any { return new(machine) }}

// match reports whether the text contains a match, and after how many steps; false when a bound is hit.
func (p *program) match(text string) (found bool, steps int) {
	m := machines.Get().(*machine)
	found = m.search(p, text)
	steps = m.steps
	m.rest()
	machines.Put(m)
	return found, steps
}

func (m *machine) search(p *program, text string) bool {
	m.program, m.text, m.steps, m.exhausted = p, text, 0, false
	for range p.slots {
		m.slots = append(m.slots, -1)
	}
	for start := 0; ; {
		if _, ok := m.run(0, start); ok {
			return true
		}
		if start == len(text) || m.exhausted {
			return false
		}
		start += m.runeLen(start)
	}
}

func (m *machine) rest() {
	m.program, m.text = nil, ""
	m.slots, m.stack, m.memo, m.marks = m.slots[:0], m.stack[:0], m.memo[:0], m.marks[:0]
	if cap(m.stack) > keepStack {
		m.stack = nil
	}
	if cap(m.memo) > keepMemo {
		m.memo = nil
	}
	if cap(m.slots) > keepMemo || cap(m.marks) > keepMemo {
		m.slots, m.marks = nil, nil
	}
}

// run runs the (sub-)program at pc from pos on and returns the position of its end. Captures survive a match; every
// other change to the stack is undone, and after a failure all of them.
func (m *machine) run(pc, pos int) (end int, ok bool) {
	base, marked := len(m.stack), len(m.marks)
	for {
		if m.steps++; m.steps > maxSteps || len(m.stack) > maxStack {
			m.exhausted = true
		}
		if m.exhausted {
			return 0, false
		}
		if m.code[pc].op == opMatch {
			m.settle(base, marked)
			return pos, true
		}
		if pc, pos = m.step(pc, pos); pc != reject {
			continue
		}
		if pc, pos = m.back(base); pc == reject {
			m.marks = m.marks[:marked]
			return 0, false
		}
	}
}

// settle drops the ways back into a sub-program that has matched, but keeps what undoes its captures. The states it
// reached have not all failed, so none of them is remembered.
func (m *machine) settle(base, marked int) {
	kept := m.stack[:base]
	for _, f := range m.stack[base:] {
		if f.pc < 0 {
			kept = append(kept, f)
		}
	}
	m.stack = kept
	for _, bit := range m.marks[marked:] {
		m.memo[bit/64] &^= 1 << (bit % 64)
	}
	m.marks = m.marks[:marked]
}

// back returns to the latest way back above base, or rejects.
func (m *machine) back(base int) (pc, pos int) {
	for len(m.stack) > base {
		f := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if f.pc >= 0 {
			return f.pc, f.pos
		}
		m.slots[^f.pc] = f.pos
	}
	return reject, 0
}

// step carries out one instruction and returns where to go on.
func (m *machine) step(pc, pos int) (nextPC, nextPos int) {
	in := &m.code[pc]
	switch in.op {
	case opRune, opSet:
		return m.character(in, pc, pos)
	case opAssert, opExists:
		if !m.condition(in, pos) {
			return reject, 0
		}
	case opSplit:
		if m.failed(in, pos) {
			return reject, 0
		}
		m.stack = append(m.stack, frame{in.other, pos})
		return in.next, pos
	case opJump:
		return in.next, pos
	case opSave:
		m.stack = append(m.stack, frame{^in.arg, m.slots[in.arg]})
		m.slots[in.arg] = pos
	case opRestore:
		return pc + 1, m.slots[in.arg]
	case opBack:
		return m.stepBack(in, pc, pos)
	case opBreakEmpty:
		if m.slots[in.arg] == pos {
			return in.next, pos
		}
	case opBackref:
		return m.backref(in, pc, pos)
	default:
		// run has seen to opMatch, so this is opSub.
		return m.sub(in, pc, pos)
	}
	return pc + 1, pos
}

func (m *machine) character(in *instruction, pc, pos int) (nextPC, nextPos int) {
	var r rune
	var size int
	if in.back {
		if r, size = utf8.DecodeLastRuneInString(m.text[:pos]); size == 0 {
			return reject, 0
		}
		nextPos = pos - size
	} else {
		if r, size = utf8.DecodeRuneInString(m.text[pos:]); size == 0 {
			return reject, 0
		}
		nextPos = pos + size
	}
	if in.op == opRune && r == in.rune || in.op == opSet && in.set.contains(r) {
		return pc + 1, nextPos
	}
	return reject, 0
}

func (m *machine) stepBack(in *instruction, pc, pos int) (nextPC, nextPos int) {
	for range in.arg {
		if pos == 0 {
			return reject, 0
		}
		_, size := utf8.DecodeLastRuneInString(m.text[:pos])
		pos -= size
	}
	return pc + 1, pos
}

// backref matches the text of a group. A group that took no part matches nothing, not even the empty text. Without
// case, the engine still takes as many bytes as the group has, so that K and the Kelvin sign differ here.
func (m *machine) backref(in *instruction, pc, pos int) (nextPC, nextPos int) {
	start, end := m.slots[2*in.arg], m.slots[2*in.arg+1]
	if start < 0 || end < start {
		return reject, 0
	}
	want := m.text[start:end]
	nextPos = pos + len(want)
	if nextPos > len(m.text) {
		return reject, 0
	}
	m.steps += len(want) / 8
	if got := m.text[pos:nextPos]; got == want || in.fold && strings.EqualFold(got, want) {
		return pc + 1, nextPos
	}
	return reject, 0
}

func (m *machine) sub(in *instruction, pc, pos int) (nextPC, nextPos int) {
	m.depth++
	end, ok := m.run(pc+1, pos)
	m.depth--
	switch {
	case !ok:
		return in.other, pos
	case in.keep:
		return in.next, end
	default:
		return in.next, pos
	}
}

// failed reports whether the split was reached at pos before. Then it has failed, or is being tried already and trying
// it anew would go in circles.
func (m *machine) failed(split *instruction, pos int) bool {
	if len(m.memo) == 0 && !m.remember() {
		return false
	}
	bit := split.arg*(len(m.text)+1) + pos
	if m.memo[bit/64]&(1<<(bit%64)) != 0 {
		return true
	}
	m.memo[bit/64] |= 1 << (bit % 64)
	if m.depth > 0 {
		m.marks = append(m.marks, bit)
	}
	return false
}

// remember starts the memory of failed states once the match is long enough, where it is sound and small enough.
func (m *machine) remember() bool {
	words := (m.splits*(len(m.text)+1) + 63) / 64
	if !m.memoizable || m.steps < memoAfter || words > maxMemo {
		return false
	}
	if cap(m.memo) < words {
		m.memo = make([]uint64, words)
		return true
	}
	m.memo = m.memo[:words]
	clear(m.memo)
	return true
}

// condition reports whether an instruction that matches no text allows to go on.
func (m *machine) condition(in *instruction, pos int) bool {
	if in.op == opExists {
		return m.slots[2*in.arg] >= 0
	}
	return m.holds(in.assert, pos)
}

// holds reports whether an assertion is true of a position.
func (m *machine) holds(a assertion, pos int) bool {
	switch a {
	case assertTextStart, assertSearchStart:
		return pos == 0
	case assertTextEnd:
		return pos == len(m.text)
	case assertLineStart:
		return pos == 0 || m.text[pos-1] == '\n'
	case assertLineEnd:
		return pos == len(m.text) || m.text[pos] == '\n'
	case assertKeep:
		return true
	default:
		return m.holdsOfWord(a, pos)
	}
}

func (m *machine) holdsOfWord(a assertion, pos int) bool {
	before, after := m.wordBefore(pos), m.wordAfter(pos)
	switch a {
	case assertWordBoundary:
		return before != after
	case assertNotWordBoundary:
		return before == after
	case assertWordStart:
		return !before && after
	case assertWordEnd:
		return before && !after
	case assertWordStartHalf:
		return !before
	default:
		return !after
	}
}

func (m *machine) wordBefore(pos int) bool {
	r, size := utf8.DecodeLastRuneInString(m.text[:pos])
	return size > 0 && wordSet().contains(r)
}

func (m *machine) wordAfter(pos int) bool {
	r, size := utf8.DecodeRuneInString(m.text[pos:])
	return size > 0 && wordSet().contains(r)
}

func (m *machine) runeLen(pos int) int {
	_, size := utf8.DecodeRuneInString(m.text[pos:])
	return size
}
