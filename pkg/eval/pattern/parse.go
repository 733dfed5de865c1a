package pattern

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep groups may nest. It also bounds every recursion over the tree.
const maxDepth = 64

// maxRepeat is the highest count a quantifier may name. Unfolding would fail long before.
const maxRepeat = 1 << 20

type flags uint8

const (
	flagFold      flags = 1 << iota // i: compare without case
	flagMultiLine                   // m: ^ and $ also match at line breaks
	flagDotAll                      // s: the dot matches a newline
	flagSwapGreed                   // U: quantifiers are lazy, and greedy with ?
	flagVerbose                     // x: white space and # comments are skipped
)

// parser is a recursive-descent parser; pos is the offset of the next byte.
type parser struct {
	src    string
	pos    int
	flags  flags
	groups int
	names  map[string]int
	// numbered says that a back-reference of the form \1 was seen. The dialect refuses those beside named groups.
	numbered   bool
	referenced map[int]struct{}
	// properties holds the sets of the character properties met so far.
	properties map[propertyKey]*runeSet
}

func parse(src string) (*tree, error) {
	p := &parser{
		src:        src,
		names:      make(map[string]int),
		referenced: make(map[int]struct{}),
		properties: make(map[propertyKey]*runeSet),
	}
	root, err := p.alternatives(0)
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.src) {
		return nil, p.errorf("unmatched )")
	}
	t := &tree{root: root, groups: p.groups, referenced: p.referenced}
	t.dropFinalLook()
	return t, nil
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("%w at offset %d: %s", ErrInvalid, p.pos, fmt.Sprintf(format, args...))
}

func (p *parser) has(flag flags) bool { return p.flags&flag != 0 }

func (p *parser) at(c byte) bool { return p.pos < len(p.src) && p.src[p.pos] == c }

func (p *parser) take(prefix string) bool {
	if !strings.HasPrefix(p.src[p.pos:], prefix) {
		return false
	}
	p.pos += len(prefix)
	return true
}

// skip moves past (?#…) comments, and in verbose mode past white space and # comments.
func (p *parser) skip() error {
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '#' && p.has(flagVerbose):
			end := strings.IndexByte(p.src[p.pos:], '\n')
			if end < 0 {
				p.pos = len(p.src)
				return nil
			}
			p.pos += end + 1
		case (c == ' ' || c == '\r' || c == '\n' || c == '\t') && p.has(flagVerbose):
			p.pos++
		case p.take("(?#"):
			if err := p.skipComment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (p *parser) skipComment() error {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ')':
			p.pos++
			return nil
		case '\\':
			p.pos += 2
		default:
			p.pos++
		}
	}
	p.pos = len(p.src)
	return p.errorf("unclosed comment")
}

func (p *parser) alternatives(depth int) (*node, error) {
	first, err := p.sequence(depth)
	if err != nil {
		return nil, err
	}
	if err := p.skip(); err != nil {
		return nil, err
	}
	if !p.at('|') {
		// The engine looks only here: (?<n>a)\1 is refused, (?<n>a)\1|b is not.
		if p.numbered && len(p.names) > 0 {
			return nil, p.errorf("numbered back-reference beside named groups")
		}
		return first, nil
	}
	n := &node{kind: kindAlternate, subs: []*node{first}}
	for p.take("|") {
		next, err := p.sequence(depth)
		if err != nil {
			return nil, err
		}
		n.subs = append(n.subs, next)
		if err := p.skip(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (p *parser) sequence(depth int) (*node, error) {
	var subs []*node
	for p.pos < len(p.src) {
		start := p.pos
		n, err := p.piece(depth)
		if err != nil {
			return nil, err
		}
		if p.pos == start {
			break
		}
		if n.kind != kindEmpty {
			subs = append(subs, n)
		}
	}
	switch len(subs) {
	case 0:
		return &node{kind: kindEmpty}, nil
	case 1:
		return subs[0], nil
	default:
		return &node{kind: kindConcat, subs: subs}, nil
	}
}

// piece parses an atom and its quantifier. A second quantifier is not one: a** is an error, a{2}{3} is two a and the
// text {3}.
func (p *parser) piece(depth int) (*node, error) {
	atom, err := p.atom(depth)
	if err != nil {
		return nil, err
	}
	if err := p.skip(); err != nil {
		return nil, err
	}
	lo, hi, ok, err := p.quantifier()
	if err != nil || !ok {
		return atom, err
	}
	if !atom.repeatable() {
		return nil, p.errorf("nothing to repeat")
	}
	if hi != unbounded && lo > hi {
		return nil, p.errorf("repetition from %d to %d", lo, hi)
	}
	if err := p.skip(); err != nil {
		return nil, err
	}
	lazy := p.take("?")
	n := &node{kind: kindRepeat, subs: []*node{atom}, min: lo, max: hi, greedy: lazy == p.has(flagSwapGreed)}
	if p.take("+") {
		n = &node{kind: kindAtomic, subs: []*node{n}}
	}
	return n, nil
}

// quantifier parses one of ? * + {…}. A brace that opens no quantifier is left alone: it is an ordinary character then.
func (p *parser) quantifier() (lo, hi int, ok bool, err error) {
	switch {
	case p.take("?"):
		return 0, 1, true, nil
	case p.take("*"):
		return 0, unbounded, true, nil
	case p.take("+"):
		return 1, unbounded, true, nil
	case !p.at('{'):
		return 0, 0, false, nil
	}
	start := p.pos
	lo, hi, ok = p.counts()
	if !ok {
		p.pos = start
		return 0, 0, false, nil
	}
	if lo > maxRepeat || hi > maxRepeat {
		return 0, 0, false, fmt.Errorf("%w: a repetition exceeds %d", ErrTooLarge, maxRepeat)
	}
	return lo, hi, true, nil
}

// counts parses {n}, {n,}, {,m} or {n,m}.
func (p *parser) counts() (lo, hi int, ok bool) {
	p.pos++
	if p.skip() != nil {
		return 0, 0, false
	}
	if !p.at(',') {
		if lo, ok = p.decimal(); !ok || p.skip() != nil {
			return 0, 0, false
		}
	}
	hi = lo
	if p.take(",") {
		if p.skip() != nil {
			return 0, 0, false
		}
		if hi, ok = p.decimal(); !ok {
			hi = unbounded
		}
	}
	if p.skip() != nil || !p.take("}") {
		return 0, 0, false
	}
	return lo, hi, true
}

// decimal reads digits. Without any, or with a number no counter holds, it reads nothing and returns false.
func (p *parser) decimal() (int, bool) {
	value, end := 0, p.pos
	for ; end < len(p.src) && isDigit(p.src[end]); end++ {
		digit := int(p.src[end] - '0')
		if value > (math.MaxInt-digit)/10 {
			return 0, false
		}
		value = value*10 + digit
	}
	if end == p.pos {
		return 0, false
	}
	p.pos = end
	return value, true
}

func (p *parser) atom(depth int) (*node, error) {
	if err := p.skip(); err != nil {
		return nil, err
	}
	if p.pos == len(p.src) {
		return &node{kind: kindEmpty}, nil
	}
	switch p.src[p.pos] {
	case '.':
		p.pos++
		return p.dot(p.has(flagDotAll)), nil
	case '^':
		p.pos++
		if p.has(flagMultiLine) {
			return assertNode(assertLineStart), nil
		}
		return assertNode(assertTextStart), nil
	case '$':
		p.pos++
		if p.has(flagMultiLine) {
			return assertNode(assertLineEnd), nil
		}
		return assertNode(assertTextEnd), nil
	case '(':
		return p.group(depth)
	case '\\':
		return p.escape()
	case '[':
		return p.class()
	case '+', '*', '?', '|', ')':
		return &node{kind: kindEmpty}, nil
	default:
		r, size := utf8.DecodeRuneInString(p.src[p.pos:])
		p.pos += size
		return runeNode(r, p.has(flagFold)), nil
	}
}

func (p *parser) dot(newline bool) *node {
	if newline {
		return &node{kind: kindSet, set: anySet()}
	}
	return &node{kind: kindSet, set: lineSet()}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
