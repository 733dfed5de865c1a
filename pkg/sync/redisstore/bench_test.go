package redisstore

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

func BenchmarkGet(b *testing.B) {
	server := miniredis.RunT(b)
	if err := server.Set(key, strings.Repeat("x", 100_000)); err != nil {
		b.Fatal(err)
	}
	s, err := New(Options{Address: server.Addr()})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context(), key); err != nil {
			b.Fatal(err)
		}
	}
}
