package specsync

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// world is a Statsig server that changes its documents and breaks at random, and what a project saw of it.
type world struct {
	*listServer
	random *rand.Rand
	// seeing guards what follows; who holds it must not wait.
	seeing sync.Mutex
	// documents are those ever offered, by hash of their content, with their times.
	documents map[string]int64
	document  string
	time      int64
	// ids is the number of IDs in the file of list a, generation the number of that file.
	ids, generation int
	// served is the time of the last snapshot seen, members the IDs of list a by generation.
	served   int64
	problems []string
}

const worldPath = "/download_config_specs/" + testKey + ".json"

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{listServer: newListServer(), random: rand.New(rand.NewPCG(seed, 7)), documents: map[string]int64{}, generation: 1}
	proper := w.handler
	// An answer may wait, so it must not hold the mutex as the list server does.
	w.serve(func(out http.ResponseWriter, r *http.Request) {
		w.content.Lock()
		answer, special := w.answers[r.URL.Path]
		w.content.Unlock()
		if special {
			answer(out, r)
			return
		}
		proper(out, r)
	})
	w.change(t)
	w.mend()
	return w
}

// change offers a newer document, and more or other IDs.
func (w *world) change(t *testing.T) {
	t.Helper()
	w.seeing.Lock()
	defer w.seeing.Unlock()
	w.time += 1 + w.random.Int64N(3)
	names := make([]string, 1+w.random.IntN(5))
	for i := range names {
		names[i] = fmt.Sprintf("gate-%d-%d", w.time, i)
	}
	w.document = gates(w.time, names...)
	w.documents[snapshotOf(t, w.document).Hash()] = w.time
	if w.random.IntN(3) == 0 {
		w.generation++
		w.ids = 0
	}
	w.ids += w.random.IntN(20)
	w.put("a", fmt.Sprint("f", w.generation), int64(w.generation), w.listFile())
}

// listFile has the IDs of its generation, from the first on.
func (w *world) listFile() string { return string(idLines(w.generation*1000, w.ids)) }

// mend ends what is wrong and offers the latest document, as Statsig does.
func (w *world) mend() {
	document, checksum := w.document, fmt.Sprint(w.time)
	w.mu.Lock()
	w.broken = nil
	w.mu.Unlock()
	w.content.Lock()
	defer w.content.Unlock()
	w.answers = map[string]http.HandlerFunc{worldPath: func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("checksum") == checksum {
			body(noUpdates)(out, r)
			return
		}
		body(document)(out, r)
	}}
}

// faults answer in every wrong way, also with what is right in itself: an old document, another key's.
func (w *world) faults(t *testing.T) []http.HandlerFunc {
	t.Helper()
	cut := w.random.IntN(len(w.document))
	old, trailing := gates(w.random.Int64N(w.time), "old"), w.document+"{"
	// A project that starts without anything takes both, and text behind a document means nothing.
	w.seeing.Lock()
	for _, document := range []string{old, trailing} {
		snapshot := snapshotOf(t, document)
		w.documents[snapshot.Hash()] = snapshot.Time()
	}
	w.seeing.Unlock()
	return []http.HandlerFunc{
		status(http.StatusInternalServerError), status(http.StatusForbidden), status(http.StatusNotFound), stall,
		body(w.document[:cut]), body(trailing), body(w.document), body("<html>"), body(""), body("null"), body(noUpdates), body(old),
		body(specsFor("secret-other", w.time+1000, "x", "other")), cutOff(w.document), zipped([]byte(w.document)),
		zipped(gzipped(w.document)), zipped(gzipped(w.document)[:20]), body(strings.Replace(w.document, "gate-", "\xff", 1)),
		retryAt(time.Now().Add(time.Duration(w.random.Int64N(int64(time.Hour))))),
		http.RedirectHandler("http://elsewhere.test/", http.StatusFound).ServeHTTP,
	}
}

// turn does one random thing to the server.
func (w *world) turn(t *testing.T) {
	t.Helper()
	w.mend()
	faults := w.faults(t)
	path := []string{worldPath, worldPath, "/get_id_lists", "/a"}[w.random.IntN(4)]
	switch w.random.IntN(6) {
	case 0, 1:
		w.change(t)
		w.mend()
	case 2, 3, 4:
		w.answer(path, faults[w.random.IntN(len(faults))])
	default:
		w.breakWith([]error{syscall.ECONNREFUSED, syscall.ECONNRESET, io.ErrUnexpectedEOF}[w.random.IntN(3)])
	}
}

// see checks a state that is visible.
func (w *world) see(s State) {
	w.seeing.Lock()
	defer w.seeing.Unlock()
	wrong := func(format string, args ...any) { w.problems = append(w.problems, fmt.Sprintf(format, args...)) }
	if s.Snapshot != nil {
		offered, known := w.documents[s.Snapshot.Hash()]
		switch {
		case !known:
			wrong("served is a document that nobody offered, of time %d", s.Snapshot.Time())
		case offered != s.Snapshot.Time():
			wrong("time %d of a document of time %d", s.Snapshot.Time(), offered)
		case offered < w.served:
			wrong("the document of time %d follows that of time %d", offered, w.served)
		}
		w.served = max(w.served, offered)
	} else if w.served > 0 {
		wrong("the snapshot is gone")
	}
	if n := s.IDLists.Len("a"); n > 0 && !w.isPrefix(s.IDLists, n) {
		wrong("the ID list holds %d IDs that are not the beginning of any file", n)
	}
}

// isPrefix reports whether list a holds just the first n IDs of one generation.
func (w *world) isPrefix(lists *IDLists, n int) bool {
	for generation := w.generation; generation > 0; generation-- {
		if !lists.Contains("a", hashOf(fmt.Sprint(generation*1000))) {
			continue
		}
		for i := range n {
			if !lists.Contains("a", hashOf(fmt.Sprint(generation*1000+i))) {
				return false
			}
		}
		return true
	}
	return false
}

// TestWhateverHappensACompleteDocumentIsServed lets hours of random changes, faults and restarts pass.
func TestWhateverHappensACompleteDocumentIsServed(t *testing.T) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				store := &memoryStore{}
				start := func() (s *Syncer, stop func()) {
					o := w.options(t)
					o.IDLists = IDListOptions{Enabled: true, URL: "http://lists.test/get_id_lists"}
					o.Store = store
					s = newSyncer(t, o)
					s.Subscribe(func(_, is State) { w.see(is) })
					return s, runUntilStopped(t, s)
				}
				s, stop := start()
				for range 60 {
					time.Sleep(time.Duration(w.random.Int64N(int64(2 * time.Minute))))
					synctest.Wait()
					w.see(s.State())
					switch w.random.IntN(15) {
					case 0:
						store.fail([]error{nil, errors.New("full")}[w.random.IntN(2)])
					case 1:
						stop()
						// What was not stored is not known after a restart; what was is never lost.
						w.seeing.Lock()
						w.served = 0
						if stored := store.stored(); stored != nil {
							w.served = stored.Time
						}
						w.seeing.Unlock()
						s, stop = start()
					default:
						w.turn(t)
					}
				}
				// When all is well again the newest document comes, and all IDs.
				w.change(t)
				w.mend()
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				final := s.State()
				w.see(final)
				if final.Err != nil || final.IDListsErr != nil || final.Snapshot.Time() != w.time || final.IDLists.Len("a") != w.ids {
					t.Errorf("in the end: want time %d and %d IDs, got %+v", w.time, w.ids, final)
				}
				stop()
				for _, problem := range w.problems {
					t.Error(problem)
				}
			})
		})
	}
}
