package specsync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// memoryStore is a Store without a disk.
type memoryStore struct {
	mu sync.Mutex
	// content is nil for nothing.
	content *Stored
	saves   []time.Time
	// loadErr and saveErr are what goes wrong.
	loadErr, saveErr error
	// stalls makes Save wait for the end of its context.
	stalls bool
}

func (m *memoryStore) Load(context.Context) (*Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.loadErr != nil:
		return nil, m.loadErr
	case m.content == nil:
		return nil, ErrNothingStored
	default:
		return m.content, nil
	}
}

func (m *memoryStore) Save(ctx context.Context, stored *Stored) error {
	m.mu.Lock()
	m.saves = append(m.saves, now())
	stalls, err := m.stalls, m.saveErr
	m.mu.Unlock()
	if stalls {
		<-ctx.Done()
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.content = stored
	return nil
}

// fail makes saves fail from now on; nil heals them.
func (m *memoryStore) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saveErr = err
}

func (m *memoryStore) stored() *Stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.content
}

func (m *memoryStore) numSaves() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.saves)
}

// runUntilStopped runs s in a bubble until stop is called.
func runUntilStopped(t *testing.T, s *Syncer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	synctest.Wait()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// TestARestartServesWhatIsStored stores specs and ID lists, ends the syncer, and starts another.
func TestARestartServesWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newListServer()
		server.put("a", "f1", 10, line123)
		server.answer("/download_config_specs/"+testKey+".json", body(specs(100, "c", "first")))
		o := server.options(t)
		store := &memoryStore{}
		o.Store, o.StoreScope = store, "sources"
		o.IDLists = IDListOptions{Enabled: true, URL: "http://lists.test/get_id_lists"}
		s := newSyncer(t, o)
		stop := runUntilStopped(t, s)
		before := s.State()
		if before.Stale || before.StoreErr != nil {
			t.Errorf("at first: %+v", before)
		}
		time.Sleep(time.Hour)
		stop()
		confirmed := s.State().LastSuccess
		server.take()

		time.Sleep(time.Minute)
		server.answer("/download_config_specs/"+testKey+".json", body(noUpdates))
		server.delay = time.Second
		s = newSyncer(t, o)
		var seen []string
		s.Subscribe(func(_, is State) {
			seen = append(seen, fmt.Sprintf("%s stale %v from %s attempted %v", gateOf(t, is), is.Stale, is.SourceName, is.Attempted))
		})
		s.restore(t.Context())
		restored := s.State()
		if got := gateOf(t, restored); got != "first" || !restored.Stale || restored.SourceName != StoreName || restored.Attempted {
			t.Errorf("restored: %+v", restored)
		}
		if !restored.IDLists.Contains("a", hash123) {
			t.Error("the ID list is not restored")
		}
		if age, ok := restored.Age(now()); !ok || age != now().Sub(confirmed) {
			t.Errorf("age: want %s, got %s", now().Sub(confirmed), age)
		}
		if got := restored.Snapshot.Origin(); got != before.Snapshot.Origin() {
			t.Errorf("origin: want %+v, got %+v", before.Snapshot.Origin(), got)
		}

		stop = runUntilStopped(t, s)
		defer stop()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		want := []string{
			"POST /get_id_lists",
			"GET /download_config_specs/secret-Test%2FKey+%250123456789.json?sinceTime=100&checksum=c",
		}
		got := server.take()
		if strings.Contains(got[0], "GET") {
			got[0], got[1] = got[1], got[0]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("requests after the restart (-want +got):\n%s", diff)
		}
		current := s.State()
		if gateOf(t, current) != "first" || current.Stale || current.SourceName != "HTTP" || current.Err != nil {
			t.Errorf("confirmed: %+v", current)
		}
		// The specs and the ID list arrive at the same time, and may be stored in one.
		if n := store.numSaves(); n != 2 && n != 3 {
			t.Errorf("want saves for the specs and the ID list, and one at the end for the time; got %d", n)
		}
	})
}

func TestWhatIsStoredForOthersIsRefused(t *testing.T) {
	saved := func(t *testing.T, key, scope, document string) *Stored {
		t.Helper()
		server := &stub{handler: body(document)}
		o := server.options(t)
		o.Client = server.client(t, key)
		source, err := NewHTTPSource(o.Client, "HTTP", "http://specs.test")
		if err != nil {
			t.Fatal(err)
		}
		store := &memoryStore{}
		o.Sources, o.Store, o.StoreScope = []Source{source}, store, scope
		stop := runUntilStopped(t, newSyncer(t, o))
		stop()
		return store.stored()
	}
	cases := map[string]struct {
		key, scope, document string
		change               func(*Stored)
		wantGate             string
		wantErr              error
	}{
		"its own is served":                               {key: testKey, scope: "cdn", document: specs(100, "a", "first"), wantGate: "first"},
		"its own that names the key is served":            {key: testKey, scope: "cdn", document: specsFor(testKey, 100, "a", "first"), wantGate: "first"},
		"another key's is refused":                        {key: "secret-other", scope: "cdn", document: specs(100, "a", "first"), wantErr: ErrWrongProject},
		"that of other sources is refused":                {key: testKey, scope: "api", document: specs(100, "a", "first"), wantErr: ErrWrongProject},
		"a document that names another key is refused":    {key: testKey, scope: "cdn", document: specs(100, "a", "first"), wantErr: ErrWrongProject, change: func(s *Stored) { s.Document = specsFor("secret-other", 100, "a", "first") }},
		"what is no document is refused":                  {key: testKey, scope: "cdn", document: specs(100, "a", "first"), wantErr: ErrMalformed, change: func(s *Stored) { s.Document = "{" }},
		"what has nothing but an envelope is no snapshot": {key: testKey, scope: "cdn", document: specs(100, "a", "first"), wantErr: ErrNoSpecs, change: func(s *Stored) { s.Document = noUpdates }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stored := *saved(t, tc.key, tc.scope, tc.document)
				if tc.change != nil {
					tc.change(&stored)
				}
				o := (&stub{handler: status(500)}).options(t)
				o.Store, o.StoreScope = &memoryStore{content: &stored}, "cdn"
				s := newSyncer(t, o)
				run(t, s)
				got := s.State()
				wantError(t, got.StoreErr, tc.wantErr)
				if gate := gateOf(t, got); gate != tc.wantGate {
					t.Errorf("want gate %q, got %q", tc.wantGate, gate)
				}
				if got.Stale != (tc.wantGate != "") || !got.Attempted || got.ConsecutiveFailures != 1 {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

func TestAStoreThatFailsCostsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		o := server.options(t)
		broken := errors.New("no space left for " + testKey)
		store := &memoryStore{loadErr: errors.New("cannot be read"), saveErr: broken}
		o.Store = store
		s := newSyncer(t, o)
		run(t, s)
		got := s.State()
		if gateOf(t, got) != "first" || got.Err != nil || got.StoreErr == nil {
			t.Errorf("at first: %+v", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(server.seen()); n != 361 {
			t.Errorf("want a poll every ten seconds, got %d in an hour", n)
		}
		if n := store.numSaves(); n < 5 || n > 30 {
			t.Errorf("want it tried again less and less, it was %d times in an hour", n)
		}
		if text := s.State().StoreErr.Error(); strings.Contains(text, testKey) || !strings.HasPrefix(text, "storing the config specs: no space") {
			t.Errorf("got %q", text)
		}
		store.fail(nil)
		time.Sleep(maxBackoff)
		synctest.Wait()
		if err := s.State().StoreErr; err != nil || store.stored() == nil {
			t.Errorf("no recovery: %v", err)
		}
	})
}

// TestAStoreOnStandbyIsAskedAgainInSilence has another process store, until it is this one's turn.
func TestAStoreOnStandbyIsAskedAgainInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := (&stub{handler: body(specs(100, "a", "first"))}).options(t)
		store := &memoryStore{saveErr: ErrStandby}
		o.Store = store
		s := newSyncer(t, o)
		told := 0
		s.Subscribe(func(_, _ State) { told++ })
		run(t, s)
		synctest.Wait()
		begun := told
		time.Sleep(time.Hour)
		synctest.Wait()
		if err := s.State().StoreErr; err != nil || told != begun {
			t.Errorf("want nobody told, got %v and %d calls", err, told-begun)
		}
		if n := store.numSaves(); n > int(time.Hour/standbyRetry)+1 {
			t.Errorf("it was asked %d times in an hour", n)
		}
		store.fail(nil)
		time.Sleep(standbyRetry)
		synctest.Wait()
		if store.stored() == nil {
			t.Error("nothing is stored once it may be")
		}
	})
}

func TestWhatIsTooLargeForAStoreIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := (&stub{handler: body(specs(100, "a", "first"))}).options(t)
		store := &memoryStore{saveErr: fmt.Errorf("room for 1 MiB: %w", ErrTooLarge)}
		o.Store = store
		s := newSyncer(t, o)
		run(t, s)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		wantError(t, s.State().StoreErr, ErrTooLarge)
		if n := store.numSaves(); n != 1 {
			t.Errorf("want one try, got %d", n)
		}
	})
}

// TestSavesAreFewAndDontHoldUpPolls changes the document with every poll while the store hangs.
func TestSavesAreFewAndDontHoldUpPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := int64(0)
		server := &stub{handler: func(w http.ResponseWriter, r *http.Request) {
			served++
			body(specs(100+served, "", fmt.Sprint("gate", served)))(w, r)
		}}
		o := server.options(t)
		store := &memoryStore{stalls: true}
		o.Store = store
		s := newSyncer(t, o)
		stop := runUntilStopped(t, s)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := len(server.seen()); n != 31 {
			t.Errorf("want a poll every ten seconds, got %d in five minutes", n)
		}
		if n := store.numSaves(); n < 3 || n > 10 {
			t.Errorf("want a save every minute or so, got %d in five minutes", n)
		}
		store.mu.Lock()
		store.stalls = false
		store.mu.Unlock()
		stop()
		if got, want := store.stored().Document, s.document; got != want {
			t.Errorf("the last document is not stored at the end: want\n%s\ngot\n%s", want, got)
		}
	})
}

func TestAStoreThatHangsAtTheEndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := (&stub{handler: body(specs(100, "a", "first"))}).options(t)
		o.Store = &memoryStore{stalls: true}
		stop := runUntilStopped(t, newSyncer(t, o))
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != flushTimeout {
			t.Errorf("want Run to end after %s, it took %s", flushTimeout, took)
		}
	})
}

// TestASharedSyncerKeepsEveryStore has two projects with a store each, one after the other.
func TestASharedSyncerKeepsEveryStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		o := server.options(t)
		p := NewPool()
		stop := runPool(t, p)
		one, two := &memoryStore{}, &memoryStore{}
		o.Store = one
		first := acquire(t, p, o)
		time.Sleep(time.Minute)
		o.Store = two
		second := acquire(t, p, o)
		synctest.Wait()
		if first.Syncer() != second.Syncer() || one.stored() == nil || two.stored() == nil {
			t.Fatal("want one syncer that writes both stores")
		}
		first.Release()
		server.serve(body(specs(200, "b", "second")))
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		if one.stored().Time != 100 || two.stored().Time != 200 {
			t.Errorf("want only the second store written after the release, got %d and %d", one.stored().Time, two.stored().Time)
		}
	})
}

func TestAClockThatWasSetBackMakesNothingYounger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := (&stub{handler: status(500)}).options(t)
		s := newSyncer(t, o)
		later := time.Now().Add(time.Hour)
		slot := s.stores.attach(&memoryStore{}, "")
		slot.store = &memoryStore{content: &Stored{
			Scope: slot.scope, Document: specs(100, "a", "first"), ReceivedAt: later, ConfirmedAt: later,
		}}
		run(t, s)
		got := s.State()
		if age, ok := got.Age(time.Now()); !ok || age != 0 {
			t.Errorf("age: got %s, %v", age, ok)
		}
		time.Sleep(time.Minute)
		if age, _ := got.Age(time.Now()); age != time.Minute {
			t.Errorf("age after a minute: got %s", age)
		}
	})
}
