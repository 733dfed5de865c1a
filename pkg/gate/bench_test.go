package gate

import "testing"

// expressions are typical of what people write, by what they ask for.
var expressions = []struct{ name, open string }{
	{"one gate", "gate('yes')"},
	{"a gate and a config", "gate('yes') && config('freeze').state != 'off'"},
	{"five entities", "gate('yes') && !gate('no') && config('freeze').?state.orValue('off') == 'on' && " +
		"layer('ranking').size < 5 && parameterStore('ui').width == 10"},
	{"a loop", "gate('yes') && config('freeze').zones.exists(z, z == 'a')"},
}

func BenchmarkEvaluate(b *testing.B) {
	in := fixture(b)
	for _, tc := range expressions {
		e := mustCompile(b, tc.open)
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := e.Evaluate(in); !got.Open {
					b.Fatalf("got %+v", got)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustCompile(b, expressions[1].open)
	}
}

func BenchmarkReferences(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if got := References(expressions[1].open); len(got) != 2 {
			b.Fatalf("got %v", got)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	policy := Policy{OpenAfter: minute, CloseAfter: minute, Deadline: 60 * minute}
	seen := Observation{Answer: False, Reason: "gate release = false (rule default)"}
	status, _, _ := policy.Next(Status{}, seen, noon)
	b.ReportAllocs()
	for b.Loop() {
		policy.Next(status, seen, noon)
	}
}
