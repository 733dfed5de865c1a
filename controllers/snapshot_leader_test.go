package controllers

import (
	"errors"
	"testing"
	"time"

	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// TestOnlyTheLeaderStores has a store stand by, and then lead over what its predecessor left.
func TestOnlyTheLeaderStores(t *testing.T) {
	ours, older := storedSpecs(1, 2*chunkSize), storedSpecs(2, 2*chunkSize)
	for name, tc := range map[string]struct {
		left *specsync.Stored
		// damaged takes a chunk away from what is left.
		damaged    bool
		wantWrites int
	}{
		"What is there already is not written again": {left: ours},
		"What is older is replaced":                  {left: older, wantWrites: 5},
		"What was never stored is stored":            {wantWrites: 3},
		"What is for another key is replaced":        {left: forScope(ours, "another"), wantWrites: 1},
		"What is damaged is mended":                  {left: ours, damaged: true, wantWrites: 3},
	} {
		t.Run(name, func(t *testing.T) {
			log := logWrites(fakeCluster(t))
			if tc.left != nil {
				if err := secretStore(log).Save(t.Context(), tc.left); err != nil {
					t.Fatal(err)
				}
			}
			if tc.damaged {
				if err := log.Delete(t.Context(), &secretsIn(t, log)[1]); err != nil {
					t.Fatal(err)
				}
			}
			log.writes = nil
			store, leads := secretStore(log), false
			store.leads = func() bool { return leads }
			if err := store.Save(t.Context(), ours); !errors.Is(err, specsync.ErrStandby) || len(log.writes) > 0 {
				t.Fatalf("standing by: got error %v, writes %v", err, log.writes)
			}
			leads = true
			later := *ours
			later.ConfirmedAt = later.ConfirmedAt.Add(time.Hour)
			if err := store.Save(t.Context(), &later); err != nil {
				t.Fatal(err)
			}
			if len(log.writes) != tc.wantWrites {
				t.Errorf("want %d writes, got %v", tc.wantWrites, log.writes)
			}
			if got, err := secretStore(log).Load(t.Context()); err != nil || got.Document != ours.Document {
				t.Errorf("stored: %.40v, %v", got, err)
			}
			log.writes = nil
			if err := store.Save(t.Context(), &later); err != nil || len(log.writes) != 1 {
				t.Errorf("leading: want the time renewed, got %v, %v", log.writes, err)
			}
		})
	}
}

func forScope(stored *specsync.Stored, scope string) *specsync.Stored {
	other := *stored
	other.Scope = scope
	return &other
}

func TestAReplicaThatDoesNotLeadDeletesNothing(t *testing.T) {
	log := logWrites(fakeCluster(t))
	if err := secretStore(log).Save(t.Context(), storedSpecs(1, 100)); err != nil {
		t.Fatal(err)
	}
	log.writes = nil
	store := secretStore(log)
	store.leads = func() bool { return false }
	if err := store.Delete(t.Context()); err != nil || len(log.writes) > 0 {
		t.Errorf("want nothing written, got %v, %v", log.writes, err)
	}
	store.leads = nil
	if err := store.Save(t.Context(), storedSpecs(1, 100)); !errors.Is(err, errSnapshotDeleted) {
		t.Errorf("saving afterwards: want errSnapshotDeleted, got %v", err)
	}
}
