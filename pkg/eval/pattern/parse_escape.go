package pattern

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// escape parses a backslash outside a class.
func (p *parser) escape() (*node, error) {
	start := p.pos
	if p.pos++; p.pos == len(p.src) {
		return nil, p.errorf("trailing backslash")
	}
	c := p.src[p.pos]
	if isDigit(c) {
		return p.numberedBackref()
	}
	p.pos++
	switch c {
	case 'k':
		switch {
		case p.take("'"):
			return p.namedBackref("'", true)
		case p.take("<"):
			return p.namedBackref(">", true)
		}
		return nil, p.errorf("bad group reference")
	case 'b', 'B':
		return p.wordBoundary(c == 'B')
	case 'Z':
		newlines := &node{kind: kindRepeat, subs: []*node{runeNode('\n', false)}, max: unbounded, greedy: true}
		end := &node{kind: kindConcat, subs: []*node{newlines, assertNode(assertTextEnd)}}
		return &node{kind: kindLook, subs: []*node{end}}, nil
	case 'O':
		return p.dot(true), nil
	}
	if a, ok := assertEscapes[c]; ok {
		return assertNode(a), nil
	}
	p.pos = start
	r, set, err := p.charEscape()
	switch {
	case err != nil:
		return nil, err
	case set != nil:
		return &node{kind: kindSet, set: set}, nil
	default:
		// Only the forms that name a code point obey the i flag; an escaped letter or sign stands for itself.
		return runeNode(r, p.has(flagFold) && (c == 'x' || c == 'u' || c == 'U')), nil
	}
}

// assertEscapes are the escapes that match a position.
var assertEscapes = map[byte]assertion{
	'A': assertTextStart,
	'z': assertTextEnd,
	'<': assertWordStart,
	'>': assertWordEnd,
	'G': assertSearchStart,
	'K': assertKeep,
}

func (p *parser) numberedBackref() (*node, error) {
	group, ok := p.decimal()
	// The engine's own bound. It can make a short expression invalid: (a)\1 is long enough, by one character.
	if !ok || group >= len(p.src)/2 {
		return nil, p.errorf("bad group reference")
	}
	p.numbered = true
	p.referenced[group] = struct{}{}
	return &node{kind: kindBackref, group: group, fold: p.has(flagFold)}, nil
}

// wordBoundary parses what may follow \b and \B: a name in braces, unless the braces hold a quantifier.
func (p *parser) wordBoundary(negate bool) (*node, error) {
	start := p.pos
	if err := p.skip(); err != nil {
		return nil, err
	}
	if p.take("{") {
		if err := p.skip(); err != nil {
			return nil, err
		}
		if p.pos == len(p.src) || p.src[p.pos] != ',' && !isDigit(p.src[p.pos]) {
			return p.namedBoundary(negate)
		}
	}
	p.pos = start
	if negate {
		return assertNode(assertNotWordBoundary), nil
	}
	return assertNode(assertWordBoundary), nil
}

func (p *parser) namedBoundary(negate bool) (*node, error) {
	var name strings.Builder
	for {
		if err := p.skip(); err != nil {
			return nil, err
		}
		if p.pos == len(p.src) || p.at('}') {
			break
		}
		name.WriteByte(p.src[p.pos])
		p.pos++
	}
	a, ok := map[string]assertion{
		"start":      assertWordStart,
		"end":        assertWordEnd,
		"start-half": assertWordStartHalf,
		"end-half":   assertWordEndHalf,
	}[name.String()]
	if negate || !ok || !p.take("}") {
		return nil, p.errorf("unknown word boundary")
	}
	return assertNode(a), nil
}

// charEscape parses an escape that stands for one character, in a class or outside: a set, or a rune when set is nil.
func (p *parser) charEscape() (r rune, set *runeSet, err error) {
	p.pos++
	if p.pos == len(p.src) {
		return 0, nil, p.errorf("trailing backslash")
	}
	r, size := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += size
	switch r {
	case 'd', 's', 'w', 'h':
		return 0, perlSet(r), nil
	case 'D', 'S', 'W', 'H':
		return 0, perlSet(r + 'a' - 'A').negate(), nil
	case 'x':
		r, err = p.hex(2)
		return r, nil, err
	case 'u':
		r, err = p.hex(4)
		return r, nil, err
	case 'U':
		r, err = p.hex(8)
		return r, nil, err
	case 'p', 'P':
		set, err = p.property(r == 'P')
		return 0, set, err
	}
	if control, ok := controlEscapes[r]; ok {
		return control, nil, nil
	}
	// Letters that mean something outside a class are themselves inside one; those that mean nothing are errors.
	if r < utf8.RuneSelf && isAlphabetic(r) && !strings.ContainsRune("kAzBKG", r) {
		return 0, nil, p.errorf("unknown escape \\%c", r)
	}
	return r, nil, nil
}

// controlEscapes holds the letters for control characters. \b is one inside a class only; outside, escape has dealt
// with it.
var controlEscapes = map[rune]rune{
	'a': '\a', 'b': '\b', 'e': 0x1b, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
}

// hex parses exactly digits hex digits, or up to eight in braces.
func (p *parser) hex(digits int) (rune, error) {
	if err := p.skip(); err != nil {
		return 0, err
	}
	var text []byte
	if rest := p.src[p.pos:]; len(rest) >= digits && isHex(rest[:digits]) {
		text = []byte(rest[:digits])
		p.pos += digits
	} else if p.take("{") {
		for {
			if err := p.skip(); err != nil {
				return 0, err
			}
			if p.pos == len(p.src) || !isHex(p.src[p.pos:p.pos+1]) || len(text) == 8 {
				break
			}
			text = append(text, p.src[p.pos])
			p.pos++
		}
		if !p.take("}") {
			return 0, p.errorf("bad hex escape")
		}
	}
	value, err := strconv.ParseUint(string(text), 16, 32)
	if err != nil || value > utf8.MaxRune || !utf8.ValidRune(rune(value)) {
		return 0, p.errorf("bad hex escape")
	}
	return rune(value), nil
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; !isDigit(s[i]) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// property parses what follows \p or \P: one letter, or a name or name=value in braces.
func (p *parser) property(negate bool) (*runeSet, error) {
	if p.pos == len(p.src) {
		return nil, p.errorf("missing property name")
	}
	_, size := utf8.DecodeRuneInString(p.src[p.pos:])
	name := p.src[p.pos : p.pos+size]
	p.pos += size
	if name == "{" {
		end := strings.IndexByte(p.src[p.pos:], '}')
		if end < 0 {
			return nil, p.errorf("missing }")
		}
		name = p.src[p.pos : p.pos+end]
		p.pos += end + 1
	}
	key := propertyKey{name: name, fold: p.has(flagFold), negate: negate}
	set, ok := p.properties[key]
	if !ok {
		if set = propertySet(name); set == nil {
			return nil, p.errorf("unknown property")
		}
		if key.fold {
			set = set.fold()
		}
		if negate {
			set = set.negate()
		}
		p.properties[key] = set
	}
	return set, nil
}

// propertyKey is all that the set of a \p depends on.
type propertyKey struct {
	name         string
	fold, negate bool
}
