package pattern_test

import (
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval/pattern"
)

var benchmarks = map[string]struct{ expr, text string }{
	"Literal":       {`statsig`, "user-17@statsig.com"},
	"Linear":        {`^[\w.+-]+@(statsig|example)\.com$`, "jane.doe+tag@example.com"},
	"WordBoundary":  {`\bexample\b`, "jane.doe+tag@example.com"},
	"LookBehind":    {`(?<=@)example(?!\.org)`, "jane.doe+tag@example.com"},
	"BackReference": {`(\w)\1`, "jane.doe+tag@exammple.com"},
	"Catastrophic":  {`\b(a+)+$`, strings.Repeat("a", 40) + "!"},
}

func BenchmarkMatch(b *testing.B) {
	for name, tc := range benchmarks {
		b.Run(name, func(b *testing.B) {
			p, err := pattern.Compile(tc.expr)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Match(tc.text)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for name, tc := range benchmarks {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pattern.Compile(tc.expr); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
