// Package pattern matches the regular expressions of the str_matches operator: the dialect of Statsig's Server Core,
// which is Perl-like and Unicode-aware. It is no general regular-expression library: it only answers whether a text
// contains a match.
//
// What the dialect has beyond Go's regexp: look-ahead and look-behind, also of variable width; back-references by
// number, name and distance; atomic groups and possessive quantifiers; conditionals; \K, \G, \Z (before any trailing
// newlines), \O (any character), \h (a hex digit), \< and \> (word start and end) and the \b{start} family; {,n}; set
// operations &&, -- and ~~ in classes; \d, \w, \s and \b over all of Unicode while [[:alpha:]] and its kin stay ASCII.
// A flag group such as (?i) lasts to the end of the enclosing (?flags:…), not of the enclosing group. \Q…\E, \R, \N,
// \X, \c, recursion and the flags a and R are errors, and so is a look-behind of variable width around anything but
// plain text, classes, line anchors, groups and repetition. Character properties are those of Go's unicode tables:
// general categories, scripts and properties by their long names, Any, ASCII, Assigned, Alphabetic, Lowercase,
// Uppercase, Math; \p{Emoji}, \p{scx=…} and other names Go has no table for are errors.
//
// # How it works
//
// [Compile] parses the expression into a tree. A tree that a finite automaton can decide is printed in Go's syntax and
// left to package regexp, whose time is linear in the text. Everything else becomes a small program for a backtracking
// machine that remembers, where no back-reference forbids it, which states already failed.
//
// # Bounds
//
// There is no clock: the machine counts steps and the answer past the limit is "no match", as in Server Core, so the
// same pattern and text give the same answer everywhere. An expression may be [MaxLength] bytes long; repetition may
// unfold it to 65,536 instructions.
//
// # Where it departs from Server Core
//
// The limits are not Server Core's to the step: what needs millions of steps may be found by one and not by the other.
// Its tables are of Unicode 16, Go's are older. Where its process ends, at a group that a look-behind makes end before
// it starts, there is no match here. Some expressions without sense that it accepts are errors here: {2,1}, and in a
// class a range whose upper end is an opening bracket. And a conditional with an expression that takes up text, in a
// repetition without upper bound, may match nothing here and exceeds the limits there.
//
// A [Pattern] is immutable and safe for concurrent use.
package pattern
