package spool_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

// A map is the model: whatever is appended, acknowledged, claimed, released and opened again in whatever order, the
// spool has what it should.
func TestSpoolAgreesWithAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	o := spool.Options{Dir: t.TempDir(), MaxBytes: 1 << 20, Sync: spool.SyncNever}
	s := open(t, o)
	held, free := map[uint64]string{}, map[uint64]string{}
	move := func(from, to map[uint64]string) (ids []uint64) {
		for id, data := range from {
			if random.IntN(3) == 0 {
				ids = append(ids, id)
				if delete(from, id); to != nil {
					to[id] = data
				}
			}
		}
		return ids
	}
	for step := range 3000 {
		switch random.IntN(12) {
		default:
			data := fmt.Sprint(step, randomText(random.IntN(2000)))
			held[mustAppend(t, s, data)] = data
		case 0, 1:
			if err := s.Ack(move(held, nil)...); err != nil {
				t.Fatal(err)
			}
		case 2:
			s.Release(move(held, free)...)
		case 3:
			records, err := s.Claim(1+random.IntN(5), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				if want := free[r.ID]; want != string(r.Data) {
					t.Fatalf("at step %d record %d is not what it was", step, r.ID)
				}
				held[r.ID] = free[r.ID]
				delete(free, r.ID)
			}
		case 4:
			if random.IntN(10) == 0 {
				mustClose(t, s)
				s = open(t, o)
				maps.Copy(free, held)
				clear(held)
			}
		}
		got := s.Stats()
		if got.WaitingRecords != len(free) || got.Records != len(free)+len(held) || got.Events != got.Records {
			t.Fatalf("at step %d: %+v, want %d waiting, %d held", step, got, len(free), len(held))
		}
	}
}
