package specsync

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// A few real hashes: of the IDs 123, a_user and user_id, and one with the characters that base64 adds to letters and
// digits.
const (
	hash123    = "pmWkWSBC"
	hashAUser  = "Q1Wha2PJ"
	hashUserID = "+J1raWBF"
	hashSlash  = "n80ZRn//"
)

func setOf(t *testing.T, lines string) *idSet {
	t.Helper()
	b := newIDSet().edit()
	if _, err := applyLines(b, strings.NewReader(lines), 1000); err != nil {
		t.Fatal(err)
	}
	return b.done()
}

func members(s *idSet) map[string]bool {
	found := map[string]bool{}
	for _, hash := range []string{hash123, hashAUser, hashUserID, hashSlash} {
		if packed, ok := packHash(hash); ok && s.contains(packed) {
			found[hash] = true
		}
	}
	return found
}

func TestApplyLines(t *testing.T) {
	cases := map[string]struct {
		base, lines string
		want        []string
		wantCount   lineCount
	}{
		"an added hash is a member": {
			lines: "+pmWkWSBC\n", want: []string{hash123}, wantCount: lineCount{consumed: 10, marked: 1},
		},
		"the characters plus and slash are part of a hash": {
			lines: "++J1raWBF\n+n80ZRn//\n", want: []string{hashUserID, hashSlash}, wantCount: lineCount{consumed: 20, marked: 2},
		},
		"the last line about a hash decides": {
			lines: "+pmWkWSBC\n-pmWkWSBC\n-Q1Wha2PJ\n+Q1Wha2PJ\n", want: []string{hashAUser},
			wantCount: lineCount{consumed: 40, marked: 4},
		},
		"a removed hash leaves a set that held it": {
			base: "+pmWkWSBC\n+Q1Wha2PJ\n", lines: "-pmWkWSBC\n", want: []string{hashAUser},
			wantCount: lineCount{consumed: 10, marked: 1},
		},
		"a line break of two characters is one line break": {
			lines: "+pmWkWSBC\r\n+Q1Wha2PJ\r\n", want: []string{hash123, hashAUser}, wantCount: lineCount{consumed: 22, marked: 2},
		},
		"a trailing blank makes a hash that matches nobody": {
			lines: "+pmWkWSBC \n", wantCount: lineCount{consumed: 11, marked: 1},
		},
		"a leading blank makes a line of no kind": {
			lines: " +pmWkWSBC\n", wantCount: lineCount{consumed: 11, odd: 1},
		},
		"lines of other kinds are passed over": {
			lines: "pmWkWSBC\n*pmWkWSBC\n+Q1Wha2PJ\n", want: []string{hashAUser}, wantCount: lineCount{consumed: 29, marked: 1, odd: 2},
		},
		"lines of at most one character are nothing": {
			lines: "\n+\n-\n \n\r\n", wantCount: lineCount{consumed: 9},
		},
		"hashes of another length match nobody": {
			lines: "+pmWkWSB\n+pmWkWSBCC\n", wantCount: lineCount{consumed: 20, marked: 2},
		},
		"a last line without a line break counts but is not consumed": {
			lines: "+pmWkWSBC\n+Q1Wha2PJ", want: []string{hash123, hashAUser}, wantCount: lineCount{consumed: 10, marked: 2},
		},
		"a cut last line matches nobody": {
			lines: "+pmWkWSBC\n+Q1Wh", want: []string{hash123}, wantCount: lineCount{consumed: 10, marked: 2},
		},
		"a line that exceeds the buffer is passed over": {
			lines: "+" + strings.Repeat("x", 3*lineBuffer) + "\n+pmWkWSBC\n", want: []string{hash123},
			wantCount: lineCount{consumed: 3*lineBuffer + 12, marked: 1, odd: 1},
		},
		"an empty body changes nothing": {base: "+pmWkWSBC\n", want: []string{hash123}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := setOf(t, tc.base).edit()
			count, err := applyLines(b, iotest.OneByteReader(strings.NewReader(tc.lines)), 1000)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{}
			for _, hash := range tc.want {
				want[hash] = true
			}
			got := b.done()
			if diff := cmp.Diff(want, members(got)); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			if got.n != len(want) {
				t.Errorf("size: want %d, got %d", len(want), got.n)
			}
			if diff := cmp.Diff(tc.wantCount, count, cmp.AllowUnexported(lineCount{})); diff != "" {
				t.Errorf("count (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyLinesStopsAtTheLimit(t *testing.T) {
	_, err := applyLines(newIDSet().edit(), strings.NewReader("+pmWkWSBC\n+Q1Wha2PJ\n"), 1)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("want ErrTooLarge, got %v", err)
	}
}

func TestApplyLinesReportsAReadError(t *testing.T) {
	cause := errors.New("connection reset")
	_, err := applyLines(newIDSet().edit(), iotest.ErrReader(cause), 10)
	if !errors.Is(err, cause) {
		t.Errorf("want %v, got %v", cause, err)
	}
}

// TestSetAgainstAMap grows and shrinks a set through several doublings and compares it with a map after each
// generation; every older generation must stay as it was.
func TestSetAgainstAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	type generation struct {
		set  *idSet
		want map[uint64]bool
	}
	current := generation{set: newIDSet(), want: map[uint64]bool{}}
	generations := []generation{current}
	for range 12 {
		next := generation{want: map[uint64]bool{}}
		for hash := range current.want {
			next.want[hash] = true
		}
		b := current.set.edit()
		for range 1000 {
			// Few enough values for some to be added twice and some to be removed.
			hash := random.Uint64N(20_000) * ((1 << hashBits) / 20_000)
			if random.IntN(4) == 0 {
				b.remove(hash)
				delete(next.want, hash)
			} else {
				b.add(hash)
				next.want[hash] = true
			}
		}
		next.set = b.done()
		current = next
		generations = append(generations, current)
	}
	if current.set.bits < 3 {
		t.Fatalf("the set was not split often enough to test that: %d bits", current.set.bits)
	}
	for i, g := range generations {
		if g.set.n != len(g.want) {
			t.Errorf("generation %d: want %d hashes, got %d", i, len(g.want), g.set.n)
		}
		for value := range uint64(20_000) {
			hash := value * ((1 << hashBits) / 20_000)
			if g.set.contains(hash) != g.want[hash] {
				t.Fatalf("generation %d: hash %d: want %v", i, hash, g.want[hash])
			}
		}
	}
}

func TestSetsAreEqualByContent(t *testing.T) {
	cases := map[string]struct {
		a, b string
		want bool
	}{
		"the order of lines makes no difference": {a: "+pmWkWSBC\n+Q1Wha2PJ\n", b: "+Q1Wha2PJ\n+pmWkWSBC\n", want: true},
		"what was removed makes no difference":   {a: "+pmWkWSBC\n", b: "+pmWkWSBC\n+Q1Wha2PJ\n-Q1Wha2PJ\n", want: true},
		"other hashes of the same number differ": {a: "+pmWkWSBC\n", b: "+Q1Wha2PJ\n"},
		"a part differs":                         {a: "+pmWkWSBC\n", b: "+pmWkWSBC\n+Q1Wha2PJ\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := setOf(t, tc.a).equal(setOf(t, tc.b)); got != tc.want {
				t.Errorf("want %v, got %v", tc.want, got)
			}
		})
	}
}

// FuzzApplyLines compares the parser with a plain one over the whole text, whatever the text and however it is cut
// into two downloads of which the second begins where the first was consumed to.
func FuzzApplyLines(f *testing.F) {
	f.Add([]byte("+pmWkWSBC\n-pmWkWSBC\n+Q1Wha2PJ"), 12)
	f.Add([]byte("+pmWkWSBC\r\n \n\n++J1raWBF \n<html>\n"), 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		cut = min(max(cut, 0), len(text))
		b := newIDSet().edit()
		first, err := applyLines(b, bytes.NewReader(text[:cut]), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if first.consumed > int64(cut) || first.consumed < 0 {
			t.Fatalf("%d bytes consumed of %d", first.consumed, cut)
		}
		if cut < len(text) && int(first.consumed) != bytes.LastIndexByte(text[:cut], '\n')+1 {
			t.Fatalf("%d bytes consumed, which is not the end of a line", first.consumed)
		}
		want := map[uint64]bool{}
		plainApply(want, text[:cut])
		plainApply(want, text[first.consumed:])
		if _, err := applyLines(b, bytes.NewReader(text[first.consumed:]), 1<<20); err != nil {
			t.Fatal(err)
		}
		set := b.done()
		if set.n != len(want) {
			t.Fatalf("want %d hashes, got %d", len(want), set.n)
		}
		for hash := range want {
			if !set.contains(hash) {
				t.Fatalf("hash %d is missing", hash)
			}
		}
	})
}

func plainApply(set map[uint64]bool, text []byte) {
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if i < len(lines)-1 {
			line = strings.TrimSuffix(line, "\r")
		}
		if len(line) != 1+hashLength {
			continue
		}
		hash, ok := packHash(line[1:])
		switch {
		case !ok:
		case line[0] == '+':
			set[hash] = true
		case line[0] == '-':
			delete(set, hash)
		}
	}
}
