package pattern

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// group parses everything that begins with an opening parenthesis.
func (p *parser) group(depth int) (*node, error) {
	depth++
	if depth >= maxDepth {
		return nil, p.errorf("groups nest deeper than %d", maxDepth)
	}
	p.pos++
	if err := p.skip(); err != nil {
		return nil, err
	}
	switch {
	case p.take("?="):
		return p.closed(&node{kind: kindLook}, depth)
	case p.take("?!"):
		return p.closed(&node{kind: kindLook, negative: true}, depth)
	case p.take("?<="):
		return p.closed(&node{kind: kindLook, behind: true}, depth)
	case p.take("?<!"):
		return p.closed(&node{kind: kindLook, behind: true, negative: true}, depth)
	case p.take("?<"), p.take("?P<"):
		return p.namedGroup(">", depth)
	case p.take("?'"):
		return p.namedGroup("'", depth)
	case p.take("?P="):
		return p.namedBackref(")", false)
	case p.take("?>"):
		return p.closed(&node{kind: kindAtomic}, depth)
	case p.take("?("):
		return p.conditional(depth)
	case p.take("?"):
		return p.flagGroup(depth)
	default:
		p.groups++
		return p.closed(&node{kind: kindGroup, group: p.groups}, depth)
	}
}

// closed parses the inside of a group and its closing parenthesis, and makes the inside the only sub-node of n.
func (p *parser) closed(n *node, depth int) (*node, error) {
	inner, err := p.alternatives(depth)
	if err != nil {
		return nil, err
	}
	if err := p.closeGroup(); err != nil {
		return nil, err
	}
	n.subs = []*node{inner}
	return n, nil
}

func (p *parser) closeGroup() error {
	if err := p.skip(); err != nil {
		return err
	}
	if !p.take(")") {
		return p.errorf("missing )")
	}
	return nil
}

func (p *parser) namedGroup(end string, depth int) (*node, error) {
	p.groups++
	number := p.groups
	name := p.name()
	if name == "" || !p.take(end) {
		return nil, p.errorf("bad group name")
	}
	p.names[name] = number
	return p.closed(&node{kind: kindGroup, group: number}, depth)
}

// name reads letters, digits and underscores.
func (p *parser) name() string {
	rest := p.src[p.pos:]
	end := strings.IndexFunc(rest, func(r rune) bool {
		return r != '_' && !isAlphabetic(r) && !unicode.IsNumber(r)
	})
	if end < 0 {
		end = len(rest)
	}
	p.pos += end
	return rest[:end]
}

// namedBackref parses what follows \k< and its like: a name, a group number, or where relative is allowed a distance
// such as -1 for the group opened last.
func (p *parser) namedBackref(end string, relative bool) (*node, error) {
	group, ok := 0, false
	switch name := p.name(); {
	case name != "":
		if group, ok = p.names[name]; !ok {
			group, ok = parseNumber(name)
		}
	case relative && (p.at('-') || p.at('+')):
		group, ok = p.distance()
	}
	if !ok || !p.take(end) {
		return nil, p.errorf("bad group reference")
	}
	p.referenced[group] = struct{}{}
	return &node{kind: kindBackref, group: group, fold: p.has(flagFold)}, nil
}

func (p *parser) distance() (group int, ok bool) {
	back := p.at('-')
	p.pos++
	by, ok := p.decimal()
	switch {
	case !ok || by == 0 || by > MaxLength:
		return 0, false
	case back:
		group = p.groups + 1 - by
	default:
		group = p.groups + by
	}
	return group, group >= 0
}

// flagGroup parses (?flags) and (?flags:…). Only the latter has an end: a bare (?i) lasts until the next enclosing
// (?flags:…) closes, whatever groups close before.
func (p *parser) flagGroup(depth int) (*node, error) {
	start, before := p.pos, p.flags
	negate, err := p.setFlags()
	if err != nil {
		return nil, err
	}
	named := p.pos > start+1 || p.pos > start && !negate
	switch {
	case p.at(')') && named:
		p.pos++
		return &node{kind: kindEmpty}, nil
	case p.at(':') && (named || !negate):
		p.pos++
		inner, err := p.alternatives(depth)
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.errorf("missing )")
		}
		p.flags = before
		return inner, nil
	default:
		return nil, p.errorf("unknown group or flag")
	}
}

// setFlags reads letters and a dash, up to what is neither.
func (p *parser) setFlags() (negate bool, err error) {
	for ; ; p.pos++ {
		if err := p.skip(); err != nil {
			return false, err
		}
		if p.pos == len(p.src) {
			return negate, nil
		}
		flag := flagOf(p.src[p.pos])
		switch {
		case p.at('-') && !negate:
			negate = true
		case p.at('u') && !negate:
			// Unicode is always on.
		case flag != 0 && negate:
			p.flags &^= flag
		case flag != 0:
			p.flags |= flag
		default:
			return negate, nil
		}
	}
}

// flagOf returns 0 for a letter that is no flag.
func flagOf(c byte) flags {
	switch c {
	case 'i':
		return flagFold
	case 'm':
		return flagMultiLine
	case 's':
		return flagDotAll
	case 'U':
		return flagSwapGreed
	case 'x':
		return flagVerbose
	default:
		return 0
	}
}

// conditional parses what follows (?( : a group reference or an expression, then the branch for when it holds and,
// after a bar, the one for when it doesn't.
func (p *parser) conditional(depth int) (*node, error) {
	condition, err := p.condition(depth)
	if err != nil {
		return nil, err
	}
	if condition.kind == kindBackref {
		condition = &node{kind: kindExists, group: condition.group}
	}
	start := p.pos
	branches, err := p.alternatives(depth)
	if err != nil {
		return nil, err
	}
	empty := p.pos == start
	if err := p.closeGroup(); err != nil {
		return nil, err
	}
	if empty {
		if condition.kind != kindExists {
			return nil, p.errorf("a conditional needs a branch")
		}
		return condition, nil
	}
	yes, no := branches, &node{kind: kindEmpty}
	if branches.kind == kindAlternate {
		yes, no = branches.subs[0], branches.subs[1]
		if rest := branches.subs[1:]; len(rest) > 1 {
			no = &node{kind: kindAlternate, subs: rest}
		}
	}
	if yes.kind == kindEmpty && no.kind == kindEmpty {
		return condition, nil
	}
	return &node{kind: kindConditional, subs: []*node{condition, yes, no}}, nil
}

func (p *parser) condition(depth int) (*node, error) {
	switch {
	case p.pos == len(p.src):
		return nil, p.errorf("missing )")
	case p.take("'"):
		return p.namedBackref("')", true)
	case p.take("<"):
		return p.namedBackref(">)", true)
	case p.at('+'), p.at('-'), isDigit(p.src[p.pos]):
		return p.namedBackref(")", true)
	}
	n, err := p.alternatives(depth)
	if err != nil {
		return nil, err
	}
	return n, p.closeGroup()
}

// parseNumber reads a group number, which is no longer than the expression.
func parseNumber(s string) (int, bool) {
	p := parser{src: s}
	value, ok := p.decimal()
	return value, ok && p.pos == len(s) && value <= MaxLength
}

// isAlphabetic reports whether r is a letter in the sense of Unicode's Alphabetic property.
func isAlphabetic(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic)
}
