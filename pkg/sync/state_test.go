package specsync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTrial(t *testing.T) {
	snapshot := snapshotOf(t, specs(1, "", "a"))
	refused := &StatusError{Code: http.StatusForbidden}
	cases := map[string]struct {
		state State
		want  Trial
	}{
		"before the first answer":                      {State{}, TrialPending},
		"with specs":                                   {State{Snapshot: snapshot}, TrialPassed},
		"with specs from the store":                    {State{Snapshot: snapshot, Stale: true}, TrialPending},
		"with specs and a failure":                     {State{Snapshot: snapshot, Err: errors.New("no answer")}, TrialPending},
		"without an answer":                            {State{Err: context.DeadlineExceeded}, TrialPending},
		"refused":                                      {State{Err: fmt.Errorf("asking: %w", refused)}, TrialRefused},
		"refused by one source of two":                 {State{Err: sourceErrors{errors.New("x"), refused}}, TrialRefused},
		"refused, with specs from the store":           {State{Snapshot: snapshot, Stale: true, Err: refused}, TrialRefused},
		"refused, with specs of the source behind":     {State{Snapshot: snapshot, Skipped: refused}, TrialRefused},
		"specs of another key":                         {State{Err: ErrWrongProject}, TrialRefused},
		"specs of another key before those of its own": {State{Snapshot: snapshot, Skipped: ErrWrongProject}, TrialPassed},
		"a server without specs":                       {State{Err: ErrNoSpecs}, TrialPending},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.state.Trial(); got != tc.want {
				t.Errorf("want %d, got %d", tc.want, got)
			}
		})
	}
}

func TestAge(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	if age, ok := new(State).Age(now); ok || age != 0 {
		t.Errorf("without a success: got %s, %v", age, ok)
	}
	for since, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, 0: 0, -time.Minute: 0} {
		s := State{LastSuccess: now.Add(-since)}
		if age, ok := s.Age(now); !ok || age != want {
			t.Errorf("%s ago: want %s, got %s, %v", since, want, age, ok)
		}
	}
}

// TestANewKeyIsTriedWhileTheOldOneServes is refused first, and let in later.
func TestANewKeyIsTriedWhileTheOldOneServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{}
		known := func(keys string) {
			server.serve(func(w http.ResponseWriter, r *http.Request) {
				for key := range strings.FieldsSeq(keys) {
					if strings.Contains(r.URL.Path, key) {
						body(specsFor(key, 100, "a", "first"))(w, r)
						return
					}
				}
				w.WriteHeader(http.StatusForbidden)
			})
		}
		known("secret-old")
		store := &memoryStore{}
		options := func(key string) Options {
			c := server.client(t, key)
			source, err := NewHTTPSource(c, "HTTP", "http://specs.test")
			if err != nil {
				t.Fatal(err)
			}
			return Options{Client: c, Sources: []Source{source}, Store: store, StoreScope: "cdn"}
		}
		p := NewPool()
		stop := runPool(t, p)
		old := acquire(t, p, options("secret-old"))
		synctest.Wait()
		next := acquire(t, p, options("secret-new"))
		trial := func(l *Lease) Trial { synctest.Wait(); s := l.Syncer().State(); return s.Trial() }
		if trial(old) != TrialPassed || trial(next) != TrialRefused {
			t.Fatalf("want the old key served and the new one refused: %d, %d", trial(old), trial(next))
		}
		if got := next.Syncer().State(); got.Snapshot != nil {
			t.Errorf("the new key is served what was stored for the old one: %+v", got)
		}
		known("secret-new")
		time.Sleep(maxBackoff)
		if trial(next) != TrialPassed {
			t.Errorf("want the new key served: %+v", next.Syncer().State())
		}
		if got := gateOf(t, old.Syncer().State()); got != "first" {
			t.Errorf("the old key's snapshot is gone: %q", got)
		}
		old.Release()
		stop()
		if got := store.stored(); !strings.Contains(got.Document, "hashed_sdk_key_used") || got.Scope == "" {
			t.Errorf("stored: %+v", got)
		}
		again := newSyncer(t, options("secret-new"))
		again.restore(t.Context())
		if got := again.State(); gateOf(t, got) != "first" || got.StoreErr != nil {
			t.Errorf("after a restart the new key's specs are not served: %+v", got)
		}
	})
}

// TestNothingIsLeftRunning starts and stops all that a syncer can have; the bubble fails the test if a goroutine stays.
func TestNothingIsLeftRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newListServer()
		w := newWatched()
		p := NewPool()
		stop := runPool(t, p)
		for range 5 {
			o := server.options(t)
			o.Sources = append([]Source{w}, o.Sources...)
			o.IDLists = IDListOptions{Enabled: true, URL: "http://lists.test/get_id_lists"}
			o.Store = &memoryStore{stalls: true}
			lease := acquire(t, p, o)
			time.Sleep(time.Minute)
			lease.Release()
		}
		stop()
	})
}
