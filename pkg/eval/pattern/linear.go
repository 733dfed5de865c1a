package pattern

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printLinear writes a node that is not hard in the syntax of package regexp. Captures are left out: only whether there
// is a match counts. What is too long anyway it leaves unfinished.
func (n *node) printLinear(b *strings.Builder) {
	if b.Len() > maxLinearLength {
		return
	}
	switch n.kind {
	case kindRune:
		b.WriteString(regexp.QuoteMeta(string(n.rune)))
	case kindSet:
		n.set.printLinear(b)
	case kindAssert:
		b.WriteString([...]string{
			assertTextStart: `\A`,
			assertTextEnd:   `\z`,
			assertLineStart: `(?m:^)`,
			assertLineEnd:   `(?m:$)`,
		}[n.assert])
	case kindConcat:
		for _, sub := range n.subs {
			sub.printLinear(b)
		}
	case kindAlternate:
		b.WriteString("(?:")
		for i, sub := range n.subs {
			if i > 0 {
				b.WriteByte('|')
			}
			sub.printLinear(b)
		}
		b.WriteByte(')')
	case kindGroup:
		n.subs[0].printLinear(b)
	case kindRepeat:
		b.WriteString("(?:")
		n.subs[0].printLinear(b)
		b.WriteByte(')')
		switch n.max {
		case unbounded:
			fmt.Fprintf(b, "{%d,}", n.min)
		default:
			fmt.Fprintf(b, "{%d,%d}", n.min, n.max)
		}
		if !n.greedy {
			b.WriteByte('?')
		}
	default:
		// kindEmpty is nothing, and hard nodes don't come here.
	}
}

func (s *runeSet) printLinear(b *strings.Builder) {
	switch {
	case len(s.ranges) == 0:
		fmt.Fprintf(b, `[^\x00-\x{%x}]`, utf8.MaxRune)
	default:
		b.WriteByte('[')
		for _, r := range s.ranges {
			printRune(b, r.lo)
			b.WriteByte('-')
			printRune(b, r.hi)
		}
		b.WriteByte(']')
	}
}

// printRune writes a rune as it may stand in a class. Plain UTF-8 is the fastest form to parse.
func printRune(b *strings.Builder, r rune) {
	if r >= utf8.RuneSelf && utf8.ValidRune(r) {
		b.WriteRune(r)
		return
	}
	b.WriteString(`\x{`)
	b.WriteString(strconv.FormatInt(int64(r), 16))
	b.WriteByte('}')
}
