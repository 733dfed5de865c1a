package main

import (
	"fmt"
	"strings"
	"testing"
)

// numberedUsers are n lines of users whose IDs don't resemble each other.
func numberedUsers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"userID\":\"%x\"}\n", uint64(i)*0x9e3779b97f4a7c15)
	}
	return b.String()
}

// BenchmarkEvaluate runs the whole command: reading 10,000 users, evaluating seven entities for each, and writing.
func BenchmarkEvaluate(b *testing.B) {
	const users = 10_000
	specs := writeFile(b, "specs.json", string(testDocument().JSON(b)))
	file := writeFile(b, "users.jsonl", numberedUsers(users))
	for _, output := range []string{"jsonl", "table"} {
		b.Run(output, func(b *testing.B) {
			for b.Loop() {
				if got := execute(b, "", "evaluate", "--specs", specs, "--users", file, "-o", output); got.Code != 0 {
					b.Fatal(got.Err)
				}
			}
			b.ReportMetric(float64(b.N)*users*7/b.Elapsed().Seconds(), "evaluations/s")
		})
	}
}
