package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxLength is the longest expression that [Compile] accepts, in bytes.
const MaxLength = 1 << 15

// maxLinearLength bounds what is handed to package regexp, in bytes. Unicode classes are spelled out there, so that a
// short expression can print as a long one; the machine shares them instead.
const maxLinearLength = 1 << 20

// ErrInvalid is wrapped by the error of [Compile] for an expression that is not of the dialect.
var ErrInvalid = errors.New("invalid regular expression")

// ErrTooLarge is wrapped by the error of [Compile] for an expression that is too long, or unfolds into too large a
// program.
var ErrTooLarge = errors.New("regular expression too large")

// Pattern is a compiled expression. It is immutable and safe for concurrent use.
type Pattern struct {
	// linear decides in linear time; nil when the expression needs program.
	linear  *regexp.Regexp
	program *program
	// linearSize is about the size of linear.
	linearSize int
}

// Compile parses an expression. Its errors wrap [ErrInvalid] or [ErrTooLarge]; for Statsig such an expression matches
// nothing.
func Compile(expr string) (*Pattern, error) {
	if len(expr) > MaxLength {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(expr), MaxLength)
	}
	if !utf8.ValidString(expr) {
		return nil, fmt.Errorf("%w: not valid UTF-8", ErrInvalid)
	}
	t, err := parse(expr)
	if err != nil {
		return nil, err
	}
	if err := t.measure(); err != nil {
		return nil, err
	}
	if !t.root.hard {
		if re := compileLinear(t.root); re != nil {
			return &Pattern{linear: re, linearSize: t.root.unfolded()}, nil
		}
	}
	prog, err := assemble(t)
	if err != nil {
		return nil, err
	}
	return &Pattern{program: prog}, nil
}

// compileLinear returns nil where package regexp has a lower limit than the dialect, such as 1,000 repetitions.
func compileLinear(n *node) *regexp.Regexp {
	var b strings.Builder
	n.printLinear(&b)
	if b.Len() > maxLinearLength {
		return nil
	}
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil
	}
	return re
}

// Match reports whether s contains a match. It is false also when a pattern that needs backtracking exceeds the step
// limit on s.
func (p *Pattern) Match(s string) bool {
	if p.linear != nil {
		return p.linear.MatchString(s)
	}
	matched, _ := p.program.match(s)
	return matched
}
