package specsync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// hashOf is the hash that ID lists hold for an ID.
func hashOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.StdEncoding.EncodeToString(sum[:])[:hashLength]
}

func TestHashesOfIDs(t *testing.T) {
	for id, want := range map[string]string{"123": hash123, "a_user": hashAUser, "user_id": hashUserID} {
		if got := hashOf(id); got != want {
			t.Errorf("%s: want %s, got %s", id, want, got)
		}
	}
}

// idLines is an ID list file of n IDs, numbered from first.
func idLines(first, n int) []byte {
	lines := make([]byte, 0, n*(hashLength+2))
	for i := range n {
		lines = append(lines, '+')
		lines = append(lines, hashOf(strconv.Itoa(first+i))...)
		lines = append(lines, '\n')
	}
	return lines
}

func TestContainsDoesNotAllocate(t *testing.T) {
	l := &IDLists{sets: map[string]*idSet{"a": setOf(t, line123)}}
	if allocs := testing.AllocsPerRun(100, func() { l.Contains("a", hash123) }); allocs != 0 {
		t.Errorf("want none, got %v", allocs)
	}
}

// TestAPollWithoutChangeAllocatesLittle leaves the request itself out: the source answers from memory.
func TestAPollWithoutChangeAllocatesLittle(t *testing.T) {
	document := []byte(specs(100, "a", "first"))
	for name, answer := range map[string]Answer{
		"not modified":      {NotModified: true},
		"the same document": {Document: document},
		"no updates":        {Document: []byte(noUpdates)},
	} {
		t.Run(name, func(t *testing.T) {
			next := Answer{Document: document}
			s := newSyncer(t, Options{Sources: []Source{
				NewSource("x", "x", func(context.Context, Have) (Answer, error) { return next, nil }),
			}})
			s.poll(t.Context())
			next = answer
			s.poll(t.Context())
			if allocs := testing.AllocsPerRun(100, func() { s.poll(t.Context()) }); allocs > 8 {
				t.Errorf("want at most 8 allocations, got %v", allocs)
			}
			if err := s.State().Err; err != nil {
				t.Error(err)
			}
		})
	}
}

func BenchmarkPollWithoutChange(b *testing.B) {
	large := []byte(`{"has_updates":true,"time":1,"checksum":"a","dynamic_configs":{},"layer_configs":{},"condition_map":{},` +
		`"experiment_to_layer":{},"feature_gates":{` + strings.Join(manyGates(20_000), ",") + `}}`)
	b.Run("no updates over HTTP", func(b *testing.B) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		s := newSyncer(b, server.options(b))
		s.poll(b.Context())
		server.serve(body(noUpdates))
		b.ReportAllocs()
		for b.Loop() {
			s.poll(b.Context())
		}
	})
	b.Run(fmt.Sprintf("the same %d bytes", len(large)), func(b *testing.B) {
		s := newSyncer(b, Options{Sources: []Source{
			NewSource("x", "x", func(context.Context, Have) (Answer, error) { return Answer{Document: large}, nil }),
		}})
		s.poll(b.Context())
		if err := s.State().Err; err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			s.poll(b.Context())
		}
	})
}

// largeDocument has about 50 MB, and one gate's salt of its own.
func largeDocument(lcut int64, salt string) []byte {
	gates := manyGates(380_000)
	gates[len(gates)/2] = strings.Replace(gates[len(gates)/2], `"salt":"salt"`, `"salt":"`+salt+`"`, 1)
	return fmt.Appendf(nil, `{"has_updates":true,"time":%d,"checksum":"%d","dynamic_configs":{},"layer_configs":{},"condition_map":{},`+
		`"experiment_to_layer":{},"feature_gates":{%s}}`, lcut, lcut, strings.Join(gates, ","))
}

// BenchmarkPollLargeDocument changes one gate of many with every poll; a guard compares the documents.
func BenchmarkPollLargeDocument(b *testing.B) {
	for name, guard := range map[string]Guard{"without a guard": nil, "with a guard": ShareGuard(10, 10)} {
		b.Run(name, func(b *testing.B) {
			versions := [][]byte{largeDocument(1, "one"), largeDocument(1, "two")}
			polls := 0
			s := newSyncer(b, Options{GuardIdentity: "x", Guard: guard, Sources: []Source{
				NewSource("x", "x", func(context.Context, Have) (Answer, error) {
					polls++
					text := bytes.Replace(versions[polls%2], []byte(`"time":1,"checksum":"1"`),
						fmt.Appendf(nil, `"time":%d,"checksum":"%d"`, polls, polls), 1)
					return Answer{Document: text}, nil
				}),
			}})
			s.poll(b.Context())
			b.SetBytes(int64(len(versions[0])))
			b.ReportAllocs()
			for b.Loop() {
				s.poll(b.Context())
			}
			if state := s.State(); state.Err != nil || state.Snapshot.Time() != int64(polls) {
				b.Fatalf("%+v", state)
			}
		})
	}
}

// BenchmarkStored saves and loads 50 MB of rules and a million IDs.
func BenchmarkStored(b *testing.B) {
	stored := storedFixture(b, 1_000_000)
	stored.Document = string(largeDocument(1, "one"))
	file, err := encodeFile(stored)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportMetric(float64(len(file)), "bytes")
		for b.Loop() {
			if _, err := encodeFile(stored); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := decodeFile(file); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func manyGates(n int) []string {
	gates := make([]string, n)
	for i := range gates {
		gates[i] = fmt.Sprintf(`"gate_%d":{"type":"feature_gate","salt":"salt","enabled":true,"defaultValue":false,"rules":[],`+
			`"idType":"userID","entity":"feature_gate","version":1}`, i)
	}
	return gates
}

func BenchmarkApplyLines(b *testing.B) {
	const n = 1_000_000
	lines := idLines(0, n)
	more := idLines(n, 1000)
	b.Run("a million new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			applyAll(b, newIDSet(), lines)
		}
	})
	b.Run("a thousand onto a million", func(b *testing.B) {
		set := applyAll(b, newIDSet(), lines)
		b.ReportAllocs()
		for b.Loop() {
			applyAll(b, set, more)
		}
	})
	b.Run("memory of a million", func(b *testing.B) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var set *idSet
		for b.Loop() {
			set = applyAll(b, newIDSet(), lines)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/ID")
		runtime.KeepAlive(set)
	})
}

func applyAll(tb testing.TB, set *idSet, lines []byte) *idSet {
	tb.Helper()
	builder := set.edit()
	if _, err := applyLines(builder, bytes.NewReader(lines), DefaultMaxIDs); err != nil {
		tb.Fatal(err)
	}
	return builder.done()
}

func BenchmarkContains(b *testing.B) {
	l := &IDLists{sets: map[string]*idSet{"a": applyAll(b, newIDSet(), idLines(0, 1_000_000))}}
	hashes := make([]string, 1024)
	for i := range hashes {
		hashes[i] = hashOf(strconv.Itoa(i * 1024))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		l.Contains("a", hashes[i%len(hashes)])
		i++
	}
}
