package pattern

import (
	"strings"
	"unicode/utf8"
)

// maxClassDepth is how deep classes may nest.
const maxClassDepth = 64

// maxUnion is how many ranges a class gathers before it merges them; no set of Unicode has as many once merged.
const maxUnion = 1 << 14

// classToken is one element between the brackets of a class.
type classToken struct {
	rune rune
	// set stands for \d and its like; rune has no meaning then.
	set *runeSet
	// quoted says that the rune has lost its special meaning by a backslash.
	quoted bool
}

func (t classToken) is(r rune) bool { return t.set == nil && !t.quoted && t.rune == r }

// class parses a bracketed class, nested classes and set operations included.
func (p *parser) class() (*node, error) {
	tokens, err := p.classTokens()
	if err != nil {
		return nil, err
	}
	c := classParser{tokens: tokens, fold: p.has(flagFold)}
	set, ok := c.class(0)
	if !ok || c.pos < len(tokens) {
		return nil, p.errorf("bad class")
	}
	return &node{kind: kindSet, set: set}, nil
}

// classTokens reads up to the bracket that closes the class, its opening bracket left out. Brackets are counted here
// without a look at what they mean, as the engine does: [a[]b] is unclosed.
func (p *parser) classTokens() ([]classToken, error) {
	var tokens []classToken
	p.pos++
	if p.take("^") {
		tokens = append(tokens, classToken{rune: '^'})
	}
	if p.take("]") {
		tokens = append(tokens, classToken{rune: ']'})
	}
	for depth := 1; depth > 0; {
		if p.pos == len(p.src) {
			return nil, p.errorf("missing ]")
		}
		if p.at('\\') {
			escaped, err := p.classEscape()
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, escaped...)
			continue
		}
		switch p.src[p.pos] {
		case '[':
			depth++
		case ']':
			depth--
		}
		r, size := utf8.DecodeRuneInString(p.src[p.pos:])
		p.pos += size
		tokens = append(tokens, classToken{rune: r})
	}
	return tokens, nil
}

func (p *parser) classEscape() ([]classToken, error) {
	switch {
	case p.pos+1 < len(p.src) && isDigit(p.src[p.pos+1]):
		return nil, p.errorf("back-reference in a class")
	case p.take(`\h`):
		return rawTokens("[0-9A-Fa-f]"), nil
	case p.take(`\H`):
		return rawTokens("[^0-9A-Fa-f]"), nil
	}
	r, set, err := p.charEscape()
	if err != nil {
		return nil, err
	}
	return []classToken{{rune: r, set: set, quoted: strings.ContainsRune(classMeta, r)}}, nil
}

// rawTokens is how the engine puts \h into a class: as the text of a nested one.
func rawTokens(s string) []classToken {
	tokens := make([]classToken, 0, len(s))
	for _, r := range s {
		tokens = append(tokens, classToken{rune: r})
	}
	return tokens
}

// classMeta are the characters that a backslash changes inside a class.
const classMeta = `[]^-&~`

// classParser computes the set that the tokens describe. Union binds closest; &&, -- and ~~ follow from left to right.
type classParser struct {
	tokens []classToken
	pos    int
	fold   bool
}

func (c *classParser) at(offset int, r rune) bool {
	return c.pos+offset < len(c.tokens) && c.tokens[c.pos+offset].is(r)
}

func (c *classParser) take(r rune) bool {
	if !c.at(0, r) {
		return false
	}
	c.pos++
	return true
}

// class computes the class whose opening bracket was just passed.
func (c *classParser) class(depth int) (set *runeSet, ok bool) {
	if depth == maxClassDepth {
		return nil, false
	}
	negate := c.take('^')
	union := c.leading()
	var left *runeSet
	var op rune
	for c.pos < len(c.tokens) {
		switch {
		case c.take('['):
			sub, ok := c.named()
			if !ok {
				if sub, ok = c.class(depth + 1); !ok {
					return nil, false
				}
			}
			union = append(union, sub.ranges...)
		case c.take(']'):
			set = c.apply(op, left, newRuneSet(union...))
			if c.fold {
				set = set.fold()
			}
			if negate {
				set = set.negate()
			}
			return set, true
		case c.operator():
			left = c.apply(op, left, newRuneSet(union...))
			op, union = c.tokens[c.pos].rune, nil
			c.pos += 2
		default:
			item, ok := c.item()
			if !ok {
				return nil, false
			}
			union = append(union, item...)
		}
		if len(union) > maxUnion {
			union = newRuneSet(union...).ranges
		}
	}
	return nil, false
}

// leading takes what is only literal at the start of a class: any number of dashes, or one closing bracket.
func (c *classParser) leading() []runeRange {
	var union []runeRange
	for c.take('-') {
		union = append(union, runeRange{'-', '-'})
	}
	if union == nil && c.take(']') {
		union = append(union, runeRange{']', ']'})
	}
	return union
}

func (c *classParser) operator() bool {
	return c.at(0, '&') && c.at(1, '&') || c.at(0, '-') && c.at(1, '-') || c.at(0, '~') && c.at(1, '~')
}

// apply computes left op right; op is 0 for the first operand.
func (c *classParser) apply(op rune, left, right *runeSet) *runeSet {
	if op == 0 {
		return right
	}
	if c.fold {
		left, right = left.fold(), right.fold()
	}
	switch op {
	case '&':
		return left.intersect(right)
	case '-':
		return left.intersect(right.negate())
	default:
		return left.union(right).intersect(left.intersect(right).negate())
	}
}

// item takes one character, set or range. A dash is a range only between two characters.
func (c *classParser) item() ([]runeRange, bool) {
	first := c.tokens[c.pos]
	c.pos++
	if !c.at(0, '-') || c.at(1, ']') || c.at(1, '-') {
		if first.set != nil {
			return first.set.ranges, true
		}
		return []runeRange{{first.rune, first.rune}}, true
	}
	if c.pos+1 == len(c.tokens) {
		return nil, false
	}
	last := c.tokens[c.pos+1]
	c.pos += 2
	if first.set != nil || last.set != nil || first.rune > last.rune {
		return nil, false
	}
	return []runeRange{{first.rune, last.rune}}, true
}

// named takes the rest of [:name:] or [:^name:]. Anything else is a nested class, and nothing is taken.
func (c *classParser) named() (*runeSet, bool) {
	start := c.pos
	if c.take(':') {
		negate := c.take('^')
		var name strings.Builder
		for c.pos < len(c.tokens) && c.tokens[c.pos].set == nil && !c.at(0, ':') {
			name.WriteRune(c.tokens[c.pos].rune)
			c.pos++
		}
		if set := posixSet(name.String()); set != nil && c.take(':') && c.take(']') {
			// The i flag applies before the negation: (?i)[[:^upper:]] has no letter.
			if c.fold {
				set = set.fold()
			}
			if negate {
				set = set.negate()
			}
			return set, true
		}
	}
	c.pos = start
	return nil, false
}
