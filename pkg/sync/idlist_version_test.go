package specsync

import "testing"

// idsOf is a set made by adding hashes one after the other, and then removing some.
func idsOf(add, remove []uint64) *idSet {
	b := newIDSet().edit()
	for _, hash := range add {
		b.add(hash)
	}
	for _, hash := range remove {
		b.remove(hash)
	}
	return b.done()
}

func TestVersionsTellContentsApart(t *testing.T) {
	many := make([]uint64, 10*bucketSize) // enough to split buckets
	for i := range many {
		many[i] = uint64(i) << (hashBits - 12)
	}
	version := func(sets map[string]*idSet) string { return (&IDLists{sets: sets}).Version() }
	base := version(map[string]*idSet{"a": idsOf([]uint64{1, 2, 3}, nil)})
	for name, tc := range map[string]struct {
		sets     map[string]*idSet
		wantSame bool
	}{
		"the same in another order":       {sets: map[string]*idSet{"a": idsOf([]uint64{3, 1, 2}, nil)}, wantSame: true},
		"the same after a detour":         {sets: map[string]*idSet{"a": idsOf([]uint64{9, 3, 1, 2, 2}, []uint64{9, 8})}, wantSame: true},
		"the same as it is stored":        {sets: map[string]*idSet{"a": idSetOf([]uint64{1, 2, 3})}, wantSame: true},
		"the same after growing":          {sets: map[string]*idSet{"a": idsOf(append(many[4:], 1, 2, 3), many[4:])}, wantSame: true},
		"another ID in place of one":      {sets: map[string]*idSet{"a": idsOf([]uint64{1, 2, 4}, nil)}},
		"others of the same sum":          {sets: map[string]*idSet{"a": idsOf([]uint64{0, 2, 4}, nil)}},
		"one less":                        {sets: map[string]*idSet{"a": idsOf([]uint64{1, 2}, nil)}},
		"another name":                    {sets: map[string]*idSet{"b": idsOf([]uint64{1, 2, 3}, nil)}},
		"an empty list beside it":         {sets: map[string]*idSet{"a": idsOf([]uint64{1, 2, 3}, nil), "b": newIDSet()}},
		"none":                            {},
		"the same IDs, in two lists each": {sets: map[string]*idSet{"a": idsOf([]uint64{1, 2}, nil), "b": idsOf([]uint64{3}, nil)}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := version(tc.sets) == base; got != tc.wantSame {
				t.Errorf("the same version: %v, want %v", got, tc.wantSame)
			}
		})
	}
	var none *IDLists
	if none.Version() != version(nil) {
		t.Error("no lists have two versions")
	}
}
