package pattern

import (
	"slices"
	"sort"
	"sync"
	"unicode"
	"unicode/utf8"
)

// runeRange is a range of code points, both ends included.
type runeRange struct{ lo, hi rune }

// runeSet is an immutable set of code points.
type runeSet struct {
	// ranges are sorted and neither overlap nor touch.
	ranges []runeRange
	// ascii has a bit for each of the first 128 code points, where nearly all look-ups end.
	ascii [2]uint64
}

func newRuneSet(ranges ...runeRange) *runeSet {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b runeRange) int { return int(a.lo - b.lo) })
	s := &runeSet{}
	for _, r := range sorted {
		if last := len(s.ranges) - 1; last >= 0 && r.lo <= s.ranges[last].hi+1 {
			s.ranges[last].hi = max(s.ranges[last].hi, r.hi)
		} else {
			s.ranges = append(s.ranges, r)
		}
	}
	for _, r := range s.ranges {
		for c := r.lo; c <= min(r.hi, utf8.RuneSelf-1); c++ {
			s.ascii[c/64] |= 1 << (c % 64)
		}
	}
	return s
}

func (s *runeSet) contains(r rune) bool {
	if r < utf8.RuneSelf {
		return s.ascii[r/64]&(1<<(r%64)) != 0
	}
	i := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].hi >= r })
	return i < len(s.ranges) && s.ranges[i].lo <= r
}

func (s *runeSet) negate() *runeSet {
	var out []runeRange
	next := rune(0)
	for _, r := range s.ranges {
		if r.lo > next {
			out = append(out, runeRange{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, runeRange{next, utf8.MaxRune})
	}
	return newRuneSet(out...)
}

func (s *runeSet) union(other *runeSet) *runeSet {
	return newRuneSet(slices.Concat(s.ranges, other.ranges)...)
}

func (s *runeSet) intersect(other *runeSet) *runeSet {
	var out []runeRange
	for i, j := 0, 0; i < len(s.ranges) && j < len(other.ranges); {
		a, b := s.ranges[i], other.ranges[j]
		if lo, hi := max(a.lo, b.lo), min(a.hi, b.hi); lo <= hi {
			out = append(out, runeRange{lo, hi})
		}
		if a.hi < b.hi {
			i++
		} else {
			j++
		}
	}
	return newRuneSet(out...)
}

// fold adds every code point that equals one of the set under Unicode's simple case folding.
func (s *runeSet) fold() *runeSet {
	out := slices.Clone(s.ranges)
	for _, r := range casedRunes() {
		if !s.contains(r) {
			continue
		}
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			out = append(out, runeRange{f, f})
		}
	}
	return newRuneSet(out...)
}

// casedRunes are the code points that equal another one under simple case folding, sorted. Some have no case mapping of
// their own and are found only from the other side: ß folds to ẞ.
var casedRunes = sync.OnceValue(func() []rune {
	var runes []rune
	for _, c := range unicode.CaseRanges {
		for r := rune(c.Lo); r <= rune(c.Hi); r++ {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				runes = append(runes, f)
			}
		}
	}
	slices.Sort(runes)
	return slices.Compact(runes)
})

// tableSet is the union of Unicode tables.
func tableSet(tables ...*unicode.RangeTable) *runeSet {
	var ranges []runeRange
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			ranges = append(ranges, runeRange{lo, hi})
			return
		}
		for r := lo; r <= hi; r += stride {
			ranges = append(ranges, runeRange{r, r})
		}
	}
	for _, t := range tables {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride)) //nolint:gosec // Unicode ends far below the largest rune.
		}
	}
	return newRuneSet(ranges...)
}
