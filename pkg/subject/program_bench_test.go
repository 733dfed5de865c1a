package subject

import "testing"

func BenchmarkAttributes(b *testing.B) {
	templates := map[string]Template{
		"default":            {Unit: UnitWorkload},
		"typical":            typicalTemplate(),
		"a loop over labels": {Unit: UnitStatic, Custom: map[string]string{"x": "namespace.metadata.labels.map(k, k)"}},
	}
	for name, template := range templates {
		b.Run(name, func(b *testing.B) {
			program, in := mustCompile(b, template), input()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := program.Attributes(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	template := typicalTemplate()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(template); err != nil {
			b.Fatal(err)
		}
	}
}
