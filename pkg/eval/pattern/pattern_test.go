package pattern_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval/pattern"
)

// dialect holds expressions with texts they match and texts they don't, as Server Core 0.23.2 answered.
var dialect = map[string]struct {
	expr  string
	match []string
	miss  []string
	// invalid says that Compile refuses the expression, which is how it comes to match nothing.
	invalid bool
	reason  string
}{
	"a look-behind may have any width": {
		expr: `(?<=^x+|yz*)b`, match: []string{"xxb", "yb", "ayzzb"}, miss: []string{"b", "axb", "zb"},
	},
	"a negative look-behind of variable width rejects what stands before": {
		expr: `^\w+(?<!-\w+)b`, match: []string{"ab"}, miss: []string{"a-ab", "b"},
		reason: `\w+ takes the b first and gives it back`,
	},
	"a look-behind of variable width around a word boundary is invalid": {expr: `(?<=\ba+)b`, invalid: true, miss: []string{"aab", "ab"}},
	"alternatives of a look-behind may each have their own fixed width": {
		expr: `(?<=\bfoo|x)bar`, match: []string{"foobar", "xbar"}, miss: []string{"afoobar", "bar"},
	},
	"alternatives of a look-behind are split up once, not twice": {
		expr: `(?<=(?:\bfoo|x)|y)bar`, invalid: true, miss: []string{"foobar", "xbar", "ybar"},
	},
	"a look-behind reads characters, not bytes": {expr: `(?<=é.)a`, match: []string{"éxa", "ééa"}, miss: []string{"xa", "éa"}},
	"a look-ahead may stand anywhere": {
		expr: `^(?=.*\d)(?=.*[a-z])\w{3,}$`, match: []string{"a1b"}, miss: []string{"abc", "123", "a1"},
	},
	"the engine backtracks into a look-ahead with a capture": {
		expr: `(?=x?(a|ab))\1c`, match: []string{"ac", "abc"}, miss: []string{"ab"},
	},
	"a capture that is all of a look-ahead takes its first way only": {
		expr: `(?=(a|ab))\1c`, match: []string{"ac"}, miss: []string{"abc"},
		reason: "the engine gives the whole look-ahead to an automaton",
	},
	"an optional capture that is all of a look-ahead takes its first way only": {
		expr: `(?=(a|ab)?)\1c`, match: []string{"ac"}, miss: []string{"abc"},
	},
	"a repeated capture in a look-ahead takes any way": {
		expr: `(?=(a|ab){1,2})\1c`, match: []string{"ac", "abc"}, miss: []string{"xc"},
	},
	"a back-reference repeats the text of its group": {
		expr: `^(\w+)-\1$`, match: []string{"ab-ab", "é-é"}, miss: []string{"ab-ba", "ab-abc"},
	},
	"a back-reference to a group that took no part fails": {expr: `^(a)?\1b`, match: []string{"aab"}, miss: []string{"b", "ab"}},
	"a back-reference may count from where it stands":     {expr: `^(a)(b)\k<-2>$`, match: []string{"aba"}, miss: []string{"abb"}},
	"a back-reference ignores case where told to":         {expr: `(?i)^(é)\1$`, match: []string{"éÉ"}, miss: []string{"ée"}},
	"a back-reference takes as many bytes as its group": {
		expr: `(?i)^(k)\1$`, match: []string{"kK", "kk"}, miss: []string{"k\u212a"},
		reason: "the Kelvin sign is a k in three bytes",
	},
	"numbered back-references don't go with named groups":   {expr: `(?<n>a)\1b`, invalid: true, miss: []string{"aab"}},
	"a back-reference to no group is invalid":               {expr: `(a)\2|b`, invalid: true, miss: []string{"b"}},
	"a possessive quantifier gives nothing back":            {expr: `^a++ab`, miss: []string{"ab", "aaab"}},
	"an atomic group gives nothing back":                    {expr: `^(?>a|ab)c`, match: []string{"ac"}, miss: []string{"abc"}},
	"a conditional asks whether a group took part":          {expr: `^(<)?a(?(1)>|!)$`, match: []string{"<a>", "a!"}, miss: []string{"<a!", "a>"}},
	"a conditional may ask for an expression":               {expr: `^(?((?=\d))..|.)$`, match: []string{"1a", "a"}, miss: []string{"1", "ab"}},
	`\Z matches before any number of final newlines`:        {expr: `a\Z`, match: []string{"a", "a\n", "a\n\n"}, miss: []string{"a\nb", "ab"}},
	`$ matches only at the very end`:                        {expr: `a$`, match: []string{"a"}, miss: []string{"a\n"}},
	`\h is a hex digit`:                                     {expr: `^\h$`, match: []string{"f", "9"}, miss: []string{"g", " ", "\t"}},
	`\d knows all decimal digits`:                           {expr: `^\d$`, match: []string{"7", "٣"}, miss: []string{"Ⅷ", "½"}},
	`\w knows all letters, marks, digits and connectors`:    {expr: `^\w$`, match: []string{"日", "\u0301", "‿", "ⅷ", "ª"}, miss: []string{"-", "½"}},
	`\s knows all white space`:                              {expr: `^\s$`, match: []string{"\u00a0", "\u2003", "\v"}, miss: []string{"\u200b"}},
	`\b knows Unicode words`:                                {expr: `\bé`, match: []string{"é", "-é"}, miss: []string{"aé", "日é"}},
	`\< and \> are the ends of a word`:                      {expr: `\<a.*a\>`, match: []string{"a-a"}, miss: []string{"ba-a", "a-ab"}},
	`\b{start-half} looks at one side only`:                 {expr: `x\b{end-half}`, match: []string{"x", "x-"}, miss: []string{"xa"}},
	`\K changes nothing about whether there is a match`:     {expr: `^a\Kb$`, match: []string{"ab"}, miss: []string{"b"}},
	`\G is the start of the search`:                         {expr: `\Gb`, match: []string{"ba"}, miss: []string{"ab"}},
	`\O is any character`:                                   {expr: `^\O$`, match: []string{"\n", "é"}, miss: []string{"", "ab"}},
	`\e is escape`:                                          {expr: `\e`, match: []string{"\x1b"}, miss: []string{"e"}},
	`\Q and \E are invalid`:                                 {expr: `\Qa\E`, invalid: true, miss: []string{"a", "Qa"}},
	"recursion is invalid":                                  {expr: `a(?R)?b`, invalid: true, miss: []string{"ab"}},
	"subroutine calls are invalid":                          {expr: `(a)\g<1>`, invalid: true, miss: []string{"aa"}},
	"classes intersect, subtract and toggle":                {expr: `^[a-f&&b-z--c~~x]$`, match: []string{"b", "f", "x"}, miss: []string{"a", "c", "g"}},
	"classes nest":                                          {expr: `^[^a[b-d]]$`, match: []string{"e"}, miss: []string{"a", "c"}},
	"a closing bracket comes first or is escaped":           {expr: `^[]a\]]+$`, match: []string{"]a"}, miss: []string{"b"}},
	"POSIX classes are ASCII":                               {expr: `^[[:alpha:]]$`, match: []string{"a"}, miss: []string{"é", "1"}},
	"an unknown POSIX class is a nested class":              {expr: `^[[:fo:]]+$`, match: []string{"of:"}, miss: []string{"a"}},
	`\h in a class is a nested class`:                       {expr: `^[\h-z]$`, match: []string{"b", "-", "z"}, miss: []string{"y"}},
	"a set cannot end a range":                              {expr: `[a-\d]`, invalid: true, miss: []string{"a", "1", "-"}},
	"case folding is simple folding":                        {expr: `(?i)^ß$`, match: []string{"ß", "ẞ"}, miss: []string{"ss"}},
	"case folding crosses scripts' blocks":                  {expr: `(?i)^[j-l]s$`, match: []string{"KS", "\u212aſ"}, miss: []string{"ms"}},
	"a negated class is folded before it is negated":        {expr: `(?i)^[^a]$`, match: []string{"b"}, miss: []string{"a", "A"}},
	"a flag outlives the group it is set in":                {expr: `^(a(?i)b)c$`, match: []string{"abc", "aBC"}, miss: []string{"Abc"}},
	"a flag ends with the flag group around it":             {expr: `^(?s:(?i)a)b$`, match: []string{"Ab"}, miss: []string{"AB"}},
	"verbose mode skips blanks and comments":                {expr: "(?x) ^a b # c\n c $", match: []string{"abc"}, miss: []string{"ab c"}},
	"a comment is skipped between atom and quantifier":      {expr: `^a(?#x\))+$`, match: []string{"aaa"}, miss: []string{"ax"}},
	"a brace that opens no quantifier is text":              {expr: `^a{2}{3}b{$`, match: []string{"aa{3}b{"}, miss: []string{"aaaaaab{"}},
	"a quantifier may leave out its lower bound":            {expr: `^a{,2}$`, match: []string{"", "aa"}, miss: []string{"aaa"}},
	"a quantifier needs something to repeat":                {expr: `a**`, invalid: true, miss: []string{"a", ""}},
	"an assertion may be repeated":                          {expr: `^*a\b{1}`, match: []string{"a"}, miss: []string{"ab"}},
	"a look-around may not be repeated":                     {expr: `(?=a)*`, invalid: true, miss: []string{"a"}},
	"a repetition may exceed what package regexp allows":    {expr: `^a{1500}$`, match: []string{strings.Repeat("a", 1500)}, miss: []string{"a"}},
	"properties have loose names":                           {expr: `^\p{is_uppercase-letter}\p{gc=Nd}\P{Greek}$`, match: []string{"É1a"}, miss: []string{"É1α"}},
	"an escaped letter without meaning is invalid":          {expr: `\y`, invalid: true, miss: []string{"y"}},
	"hex escapes have three widths and braces":              {expr: `^\x41\u0042\U00000043\x{1F642}$`, match: []string{"ABC🙂"}, miss: []string{"ABC"}},
	"an empty repetition ends":                              {expr: `^(a*)*\1$`, match: []string{"", "aa"}, miss: []string{"b"}},
	"alternatives may be empty":                             {expr: `^(?:a|)b\b`, match: []string{"ab", "b"}, miss: []string{"bb"}},
	"a lazy quantifier changes nothing about a match":       {expr: `\ba+?b*?$`, match: []string{"aab"}, miss: []string{"aabc"}},
	"an atomic group around a lazy quantifier takes little": {expr: `^(?>a+?)b`, match: []string{"ab"}, miss: []string{"aab"}},
}

func TestDialect(t *testing.T) {
	for name, tc := range dialect {
		t.Run(name, func(t *testing.T) {
			p, err := pattern.Compile(tc.expr)
			if got := errors.Is(err, pattern.ErrInvalid); got != tc.invalid || (err != nil) != got {
				t.Fatalf("Compile(%q) = %v, want invalid = %v %s", tc.expr, err, tc.invalid, tc.reason)
			}
			for _, text := range tc.match {
				if !p.Match(text) {
					t.Errorf("%q does not match %q %s", tc.expr, text, tc.reason)
				}
			}
			for _, text := range tc.miss {
				if err == nil && p.Match(text) {
					t.Errorf("%q matches %q %s", tc.expr, text, tc.reason)
				}
			}
		})
	}
}

func TestCompileRefusesWhatIsTooLarge(t *testing.T) {
	tests := map[string]string{
		"an expression over the length limit":           strings.Repeat("a", pattern.MaxLength+1),
		"a repetition that unfolds into too much":       `\b(?:a{1000}){1000}`,
		"a count beyond any text":                       `a{2000000}`,
		"nested optional repetitions of nothing":        `\b((((){0,999999}){0,999999}){0,999999}){0,999999}`,
		"repetitions inside a look-behind":              `(?<=(?:a{1000}){0,1000})b`,
		"a look-behind whose width passes every number": `(?<=a{1048576}(?:b{1048576}){1048576})b`,
	}
	for name, expr := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := pattern.Compile(expr); !errors.Is(err, pattern.ErrTooLarge) {
				t.Errorf("Compile = %v, want an error that wraps ErrTooLarge", err)
			}
		})
	}
}

func TestCompileRefusesInvalidUTF8(t *testing.T) {
	if _, err := pattern.Compile("a\xff"); !errors.Is(err, pattern.ErrInvalid) {
		t.Errorf("Compile = %v, want an error that wraps ErrInvalid", err)
	}
}

func TestMatchEndsOnCatastrophicInput(t *testing.T) {
	tests := map[string]struct {
		expr, text string
		want       bool
		reason     string
	}{
		"nested quantifiers in a linear expression": {
			expr: `^(([a-z])+.)+[A-Z]([a-z])+$`, text: strings.Repeat("a", 1<<16),
		},
		"nested quantifiers beside a word boundary": {
			expr: `\b(a+)+$`, text: strings.Repeat("a", 5000) + "!",
			reason: "failed states are remembered",
		},
		"nested quantifiers beside a word boundary, with a match": {
			expr: `\b(a|a)+!$`, text: strings.Repeat("a", 5000) + "!", want: true,
		},
		"nested quantifiers before a back-reference": {
			expr: `^(a|a)+\1b`, text: strings.Repeat("a", 100),
			reason: "the step limit ends it",
		},
		"a look-ahead that reads to the end at every position": {
			expr: `(?=.*x)y`, text: strings.Repeat("a", 20000),
			reason: "the step limit ends it",
		},
		"a long text without a match": {
			expr: `\bword\b`, text: strings.Repeat("words and swords ", 20000),
		},
		"a long text with a match at its end": {
			expr: `\bword\b`, text: strings.Repeat("words and swords ", 20000) + "word", want: true,
		},
		"a loop over nothing": {expr: `\b(?:a*)*b`, text: "ac"},
		"a capture that ends before it starts": {
			expr: `(?:(?<=(a.))|(?=\1))*\1c`, text: "abcabc",
			reason: "Server Core's process dies of the like",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := pattern.Compile(tc.expr)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match(tc.text); got != tc.want {
				t.Errorf("Match = %v, want %v %s", got, tc.want, tc.reason)
			}
		})
	}
}
