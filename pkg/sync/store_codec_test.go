package specsync

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// storedFixture is a Stored with a list of n IDs and an empty one.
func storedFixture(tb testing.TB, n int) *Stored {
	tb.Helper()
	return &Stored{
		Scope: "0123456789abcdef", Document: specs(100, "c", "first"), Time: 100, Checksum: "c", Origin: OriginNetwork,
		ReceivedAt: time.UnixMilli(1_700_000_000_123).UTC(), ConfirmedAt: time.UnixMilli(1_700_000_600_000).UTC(),
		lists: map[string]*heldList{
			"many":  {set: applyAll(tb, newIDSet(), idLines(0, n)), fileID: "f1", created: 10, offset: int64(n * 10), size: int64(n*10) + 3},
			"empty": {set: newIDSet(), fileID: "", created: -1},
		},
	}
}

// wantStored compares all that a Stored holds.
func wantStored(t *testing.T, want, got *Stored) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Stored{})); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if len(want.lists) != len(got.lists) {
		t.Fatalf("lists: want %d, got %d", len(want.lists), len(got.lists))
	}
	for name, list := range want.lists {
		other := got.lists[name]
		if other == nil || other.fileID != list.fileID || other.created != list.created || other.offset != list.offset || other.size != list.size {
			t.Errorf("list %s: want %+v, got %+v", name, list, other)
			continue
		}
		if !list.set.equal(other.set) || !other.set.equal(list.set) {
			t.Errorf("list %s has another content", name)
		}
	}
}

func TestWhatIsSplitIsJoined(t *testing.T) {
	for name, tc := range map[string]struct {
		ids, chunkBytes int
		wantChunks      int
	}{
		"in one piece":           {ids: 10, chunkBytes: 1 << 20, wantChunks: 1},
		"in many pieces":         {ids: 10_000, chunkBytes: 10_000, wantChunks: 6},
		"byte by byte":           {ids: 1, chunkBytes: 1, wantChunks: 0},
		"many buckets of hashes": {ids: 100_000, chunkBytes: 1 << 20, wantChunks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			want := storedFixture(t, tc.ids)
			chunks, err := Split(want, tc.chunkBytes, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(chunks.Chunks); tc.wantChunks > 0 && n != tc.wantChunks {
				t.Errorf("chunks: want %d, got %d", tc.wantChunks, n)
			}
			for i, chunk := range chunks.Chunks {
				if len(chunk) == 0 || len(chunk) > tc.chunkBytes {
					t.Errorf("chunk %d has %d bytes", i, len(chunk))
				}
			}
			got, err := Join(chunks)
			if err != nil {
				t.Fatal(err)
			}
			wantStored(t, want, got)
		})
	}
}

func TestEqualContentsHaveEqualGenerations(t *testing.T) {
	generation := func(change func(*Stored)) string {
		s := storedFixture(t, 1000)
		change(s)
		chunks, err := Split(s, 1000, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return chunks.Generation
	}
	base := generation(func(*Stored) {})
	if len(base) != generationDigits {
		t.Errorf("got %q", base)
	}
	if got := generation(func(s *Stored) { s.ConfirmedAt = s.ConfirmedAt.Add(time.Hour) }); got != base {
		t.Errorf("another time: want %s, got %s", base, got)
	}
	if got := generation(func(s *Stored) { s.Document += " " }); got == base {
		t.Error("another document has the same generation")
	}
	if got := generation(func(s *Stored) { s.lists["many"].offset++ }); got == base {
		t.Error("another state of a list has the same generation")
	}
}

func TestWhatIsTooLargeIsNotSplit(t *testing.T) {
	if _, err := Split(storedFixture(t, 10_000), 1000, 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("want ErrTooLarge, got %v", err)
	}
	small := storedFixture(t, 10_000).WithoutIDLists()
	if small.IDs() != 0 {
		t.Errorf("without lists: %d IDs", small.IDs())
	}
	if _, err := Split(small, 1000, 10); err != nil {
		t.Errorf("without lists: %v", err)
	}
}

func TestDamagedChunksAreRefused(t *testing.T) {
	for name, damage := range map[string]func(*Chunks){
		"a byte that changed":          func(c *Chunks) { c.Chunks[2][7] ^= 1 },
		"a chunk that is missing":      func(c *Chunks) { c.Chunks = c.Chunks[:len(c.Chunks)-1] },
		"chunks in another order":      func(c *Chunks) { c.Chunks[0], c.Chunks[1] = c.Chunks[1], c.Chunks[0] },
		"a chunk that was cut":         func(c *Chunks) { c.Chunks[1] = c.Chunks[1][:10] },
		"a description that changed":   func(c *Chunks) { c.Meta[len(c.Meta)-3] ^= 1 },
		"no chunks":                    func(c *Chunks) { c.Chunks = nil },
		"nothing at all":               func(c *Chunks) { *c = Chunks{} },
		"no description":               func(c *Chunks) { c.Meta = nil; c.Sum = c.sum() },
		"another program's format":     func(c *Chunks) { c.Meta = []byte(`{"format":2}`); c.Sum = c.sum() },
		"a payload that is none":       func(c *Chunks) { c.Chunks = [][]byte{[]byte("hello")}; c.Sum = c.sum() },
		"a payload that ends too soon": func(c *Chunks) { c.Chunks = c.Chunks[:1]; c.Sum = c.sum() },
	} {
		t.Run(name, func(t *testing.T) {
			chunks, err := Split(storedFixture(t, 5000), 5000, 100)
			if err != nil {
				t.Fatal(err)
			}
			damage(chunks)
			if _, err := Join(chunks); !errors.Is(err, ErrMalformed) {
				t.Errorf("want ErrMalformed, got %v", err)
			}
		})
	}
}

// TestAPayloadIsAllOrNothing cuts a plain payload at every byte.
func TestAPayloadIsAllOrNothing(t *testing.T) {
	var plain strings.Builder
	e := encoder{w: &plain}
	e.text("document")
	e.number(1)
	e.list("l", &heldList{set: setOf(t, line123+lineAUser), fileID: "f", size: 20, offset: 20})
	e.flush()
	for length := range plain.Len() {
		d := decoder{rest: []byte(plain.String()[:length])}
		d.text()
		for range d.count(minListBytes) {
			d.text()
			d.list()
		}
		if !d.failed {
			t.Errorf("cut after %d bytes it passes", length)
		}
	}
}

func FuzzDecodeStored(f *testing.F) {
	for _, n := range []int{0, 1, 300} {
		file, err := encodeFile(storedFixture(f, n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Add([]byte(volumeMagic))
	f.Fuzz(func(t *testing.T, file []byte) {
		stored, err := decodeFile(file)
		if err != nil {
			return
		}
		again, err := encodeFile(stored)
		if err != nil {
			t.Fatal(err)
		}
		same, err := decodeFile(again)
		if err != nil {
			t.Fatal(err)
		}
		wantStored(t, stored, same)
	})
}

// FuzzDecodePayload leaves checksum and compression out, which random bytes would hardly pass.
func FuzzDecodePayload(f *testing.F) {
	f.Add([]byte("\x00\x00"))
	f.Add([]byte("\x02{}\x01\x01a\x01f\x0a\x14\x14\x02\x05\x07"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		d := decoder{rest: plain}
		d.text()
		lists := map[string]*heldList{}
		for range d.count(minListBytes) {
			name := d.text()
			lists[name] = d.list()
		}
		for name := range maps.Keys(lists) {
			set := lists[name].set
			n := 0
			last := uint64(0)
			for _, bucket := range set.buckets {
				for _, hash := range bucket {
					if n++; !set.contains(hash) || hash < last || hash >= 1<<hashBits {
						t.Fatalf("list %q: hash %d is out of place", name, hash)
					}
					last = hash
				}
			}
			if n != set.n {
				t.Errorf("list %q: want %d hashes, got %d", name, set.n, n)
			}
		}
	})
}

func TestASetMadeOfSortedHashesIsTheOneMadeOneByOne(t *testing.T) {
	for _, n := range []int{0, 1, bucketSize, bucketSize + 1, 5000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			want := applyAll(t, newIDSet(), idLines(0, n))
			var hashes []uint64
			for _, bucket := range want.buckets {
				hashes = append(hashes, bucket...)
			}
			got := idSetOf(hashes)
			if got.n != want.n || !got.equal(want) || !want.equal(got) {
				t.Errorf("want %d hashes, got %d", want.n, got.n)
			}
			edited := applyAll(t, got, idLines(n, 600))
			if edited.n != n+600 || got.n != n || !got.equal(want) {
				t.Errorf("after an edit: %d hashes, and the first has %d", edited.n, got.n)
			}
		})
	}
}
