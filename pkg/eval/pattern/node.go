package pattern

import "unicode"

// kind is the kind of a node.
type kind uint8

const (
	kindEmpty       kind = iota
	kindRune             // one character: rune
	kindSet              // one character of set
	kindAssert           // assert, no width
	kindConcat           // subs in order
	kindAlternate        // one of subs, the first that leads to a match
	kindGroup            // capture group number group around subs[0]
	kindRepeat           // subs[0], min to max times
	kindLook             // look-around: subs[0], behind, negative
	kindAtomic           // subs[0] without backtracking into it
	kindBackref          // the text of capture group number group
	kindExists           // whether capture group number group took part
	kindConditional      // subs[0] ? subs[1] : subs[2]
)

// unbounded is the max of a repetition without an upper bound.
const unbounded = -1

// node is one node of a parsed expression. Which fields have a meaning depends on its kind.
type node struct {
	kind     kind
	assert   assertion
	behind   bool
	negative bool
	greedy   bool
	fold     bool // a back-reference compares without case
	rune     rune
	set      *runeSet
	min, max int
	group    int
	subs     []*node

	// Set by measure.

	// width is the least number of characters matched; every match has exactly that many when fixed.
	width int
	fixed bool
	// hard says that no finite automaton decides the node, so that the machine must.
	hard bool
}

// tree is a parsed expression.
type tree struct {
	root   *node
	groups int
	// referenced holds the numbers of the groups that back-references and conditions name.
	referenced map[int]struct{}
}

// assertion is a condition on a position.
type assertion uint8

const (
	assertTextStart assertion = iota
	assertTextEnd
	assertLineStart
	assertLineEnd
	assertWordBoundary
	assertNotWordBoundary
	assertWordStart
	assertWordEnd
	assertWordStartHalf
	assertWordEndHalf
	// assertSearchStart is \G: a search for a first match starts at the start of the text.
	assertSearchStart
	// assertKeep is \K, which moves the reported start of a match and so always holds here.
	assertKeep
)

// linear reports whether package regexp has the assertion; its own \b knows ASCII only.
func (a assertion) linear() bool { return a <= assertLineEnd }

func runeNode(r rune, fold bool) *node {
	if !fold || unicode.SimpleFold(r) == r {
		return &node{kind: kindRune, rune: r}
	}
	orbit := []runeRange{{r, r}}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		orbit = append(orbit, runeRange{f, f})
	}
	return &node{kind: kindSet, set: newRuneSet(orbit...)}
}

func assertNode(a assertion) *node { return &node{kind: kindAssert, assert: a} }

// repeatable says what a quantifier may follow. Most assertions may be repeated, look-arounds may not.
func (n *node) repeatable() bool {
	switch n.kind {
	case kindEmpty, kindLook, kindExists:
		return false
	case kindAssert:
		return n.assert != assertKeep && n.assert != assertSearchStart
	default:
		return true
	}
}

// dropFinalLook turns a look-ahead at the very end into plain text: whether there is a match stays the same, and the
// expression is often linear then. \Z is the usual case.
func (t *tree) dropFinalLook() {
	last := &t.root
	if t.root.kind == kindConcat {
		last = &t.root.subs[len(t.root.subs)-1]
	}
	if n := *last; n.kind == kindLook && !n.behind && !n.negative {
		*last = n.subs[0]
	}
}
