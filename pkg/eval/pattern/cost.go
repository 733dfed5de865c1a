package pattern

// MaxSize is the largest [Pattern.Size] of an expression that has to be matched by trying; Compile takes no longer than
// for that to find out that one is too large.
const MaxSize = maxProgram

// Size is about how many instructions the expression unfolds into, of some 25 to 50 bytes each.
func (p *Pattern) Size() int {
	if p.program != nil {
		return len(p.program.code)
	}
	return p.linearSize
}

// unfolded is how many nodes there are when repetitions are spelled out.
func (n *node) unfolded() int {
	size := 1
	for _, sub := range n.subs {
		size = min(size+sub.unfolded(), maxWidth)
	}
	if n.kind == kindRepeat {
		size = min(size*max(n.min, n.max, 1), maxWidth)
	}
	return size
}

// linearShare is the part of an automaton's size that each byte of a text costs: only few states are live at a time.
const linearShare = 32

// MatchCost is [Pattern.Match] that also tells how much work it took, in instructions or something like it. The same
// match costs the same each time.
func (p *Pattern) MatchCost(s string) (matched bool, cost int) {
	if p.linear != nil {
		return p.linear.MatchString(s), 1 + p.linearSize*len(s)/linearShare
	}
	return p.program.match(s)
}
