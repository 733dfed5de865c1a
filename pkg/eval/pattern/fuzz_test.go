package pattern

import (
	"testing"
	"unicode/utf8"
)

// FuzzCompileAndMatch checks that no expression and text make the package panic or run without end, and that both
// engines agree wherever both can decide.
func FuzzCompileAndMatch(f *testing.F) {
	seeds := []string{
		`a(?=b)|(?<!c)d`, `(?i)[[:^alpha:]&&\w--\d~~x]+`, `^(a|ab)++\1*?(?(1)x|y)`, `\p{Lu}\P{gc=Nd}\x{41}\u0041`, `(?x) a # b`,
		`(?<n>.)(?P=n)\k<-1>`, `\b{start}\w+?\>\Z`, `((a*)*)*b{,3}`, `(?<=a+|b\b)c`, `[]^-]\h[\H]`, `(?m:^|$)(?s:.)(?#c)`, `(?>(?:a|b)*)\K\G`,
	}
	for _, expr := range seeds {
		f.Add(expr, "aab ABC\n12 é日")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		p, err := Compile(expr)
		if err != nil {
			return
		}
		got := p.Match(text)
		if again := p.Match(text); again != got {
			t.Fatalf("%q on %q = %v, then %v", expr, text, got, again)
		}
		if p.linear == nil || !utf8.ValidString(text) {
			return
		}
		tree, err := parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.measure(); err != nil {
			t.Fatal(err)
		}
		prog, err := assemble(tree)
		if err != nil {
			return
		}
		m := new(machine)
		if found := m.search(prog, text); found != got && !m.exhausted {
			t.Errorf("%q on %q: the automaton says %v, the machine %v", expr, text, got, found)
		}
	})
}
