package specsync

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// gates is a document with one gate for each name; a name with a ! is switched on.
func gates(lcut int64, names ...string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		name, on := strings.CutSuffix(name, "!")
		texts[i] = fmt.Sprintf(`%q:{"type":"feature_gate","salt":"s","enabled":true,"defaultValue":%v,"rules":[],"idType":"userID",`+
			`"entity":"feature_gate","version":1}`, name, on)
	}
	return fmt.Sprintf(`{"has_updates":true,"time":%d,"checksum":"%d","dynamic_configs":{},"layer_configs":{},"condition_map":{},`+
		`"experiment_to_layer":{},"feature_gates":{%s}}`, lcut, lcut, strings.Join(texts, ","))
}

func snapshotOf(t *testing.T, document string) *eval.Snapshot {
	t.Helper()
	v := judge(document, OriginNetwork, nil, "", time.Now())
	if v.err != nil {
		t.Fatal(v.err)
	}
	return v.snapshot
}

func TestShareGuard(t *testing.T) {
	cases := map[string]struct {
		old, next        []string
		removed, changed int
		want             string
	}{
		"nothing changes": {old: []string{"a", "b"}, next: []string{"a", "b"}},
		"a gate more is no change": {
			old: []string{"a"}, next: []string{"a", "b", "c"},
		},
		"as much as allowed passes": {
			old: []string{"a", "b", "c", "d"}, next: []string{"a!", "b", "c", "d"}, changed: 25,
		},
		"a little more is held": {
			old: []string{"a", "b", "c"}, next: []string{"a!", "b", "c"}, changed: 33,
			want: "they would change 1 of 3 entities, more than 33 percent",
		},
		"what is removed is changed too": {
			old: []string{"a", "b"}, next: []string{"a"}, removed: 100, changed: 49,
			want: "they would change 1 of 2 entities, more than 49 percent",
		},
		"what is removed has its own limit": {
			old: []string{"a", "b", "c", "d"}, next: []string{"a", "b!"}, removed: 25, changed: 100,
			want: "they would remove 2 of 4 entities, more than 25 percent",
		},
		"both limits are told": {
			old: []string{"a", "b"}, next: []string{"a!"},
			want: "they would remove 1 of 2 entities, more than 0 percent; they would change 2 of 2 entities, more than 0 percent",
		},
		"all may go where everything is allowed": {
			old: []string{"a", "b"}, next: nil, removed: 100, changed: 100,
		},
		"where nothing was, nothing is held": {
			old: nil, next: []string{"a", "b"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			step := newStep(snapshotOf(t, gates(1, tc.old...)), snapshotOf(t, gates(2, tc.next...)))
			if got := ShareGuard(tc.removed, tc.changed)(step); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

// TestImpactCountsNamesOnce has every kind of entity, and a gate that others refer to.
func TestImpactCountsNamesOnce(t *testing.T) {
	const document = `{"has_updates":true,"time":%d,"condition_map":{"c":{"type":"pass_gate","targetValue":"a","operator":null,"field":null,"additionalValues":{},"idType":"userID"}},"experiment_to_layer":{},
"feature_gates":{"a":{"type":"feature_gate","salt":"%s","enabled":true,"defaultValue":false,"rules":[],"idType":"userID","entity":"feature_gate"}},
"dynamic_configs":{"d":{"type":"dynamic_config","salt":"s","enabled":true,"defaultValue":{},"idType":"userID","entity":"dynamic_config",
"rules":[{"name":"r","id":"r","salt":"r","passPercentage":100,"conditions":["c"],"returnValue":{},"idType":"userID"}]},
"e":{"type":"dynamic_config","salt":"s","enabled":true,"defaultValue":{},"rules":[],"idType":"userID","entity":"experiment"}},
"layer_configs":{"l":{"type":"dynamic_config","salt":"s","enabled":true,"defaultValue":{},"rules":[],"idType":"userID","entity":"layer"}},
"param_stores":{"p":{"parameters":{}}}}`
	got := newStep(snapshotOf(t, fmt.Sprintf(document, 1, "s")), snapshotOf(t, fmt.Sprintf(document, 2, "another")))
	if diff := cmp.Diff(Impact{Entities: 5, Changed: 2}, got.Impact); diff != "" {
		t.Errorf("the gate, and the config that refers to it (-want +got):\n%s", diff)
	}
}

func TestGuardsHoldWhatOneHolds(t *testing.T) {
	say := func(hold string) Guard { return func(Step) string { return hold } }
	for name, tc := range map[string]struct {
		guards []Guard
		want   string
	}{
		"none":           {},
		"nil guards":     {guards: []Guard{nil, nil}},
		"all let pass":   {guards: []Guard{say(""), say("")}},
		"one holds":      {guards: []Guard{say(""), say("too many workloads"), nil}, want: "too many workloads"},
		"two of them do": {guards: []Guard{say("a"), say("b")}, want: "a; b"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Guards(tc.guards...)(Step{}); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

// guarded is a syncer that must not remove gates, and a server with gates a and b.
func guarded(t *testing.T) (*Syncer, *stub) {
	t.Helper()
	server := &stub{handler: body(gates(100, "a", "b"))}
	o := server.options(t)
	o.Guard, o.GuardIdentity = ShareGuard(0, 100), "uid"
	return newSyncer(t, o), server
}

func gatesOf(s State) string { return strings.Join(s.Snapshot.Names(eval.KindGate), " ") }

// wantHeld checks what is served and what is held, "" for nothing.
func wantHeld(t *testing.T, s *Syncer, served, held string) {
	t.Helper()
	synctest.Wait()
	state := s.State()
	if got := gatesOf(state); got != served {
		t.Errorf("served: want %q, got %q", served, got)
	}
	got := ""
	if state.Held != nil {
		got = strings.Join(state.Held.Snapshot.Names(eval.KindGate), " ")
	}
	if got != held {
		t.Errorf("held: want %q, got %q", held, got)
	}
	if state.Err != nil || state.ConsecutiveFailures != 0 || time.Since(state.LastSuccess) > DefaultInterval {
		t.Errorf("want it fresh, got %+v", state)
	}
}

func TestAHeldDocumentWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := guarded(t)
		var outcomes []Outcome
		s.options.Observer = observerFunc(func(r Request) { outcomes = append(outcomes, r.Outcome) })
		told := 0
		s.Subscribe(func(_, is State) {
			if is.Held != nil {
				told++
			}
		})
		run(t, s)
		wantHeld(t, s, "a b", "")

		server.serve(body(gates(200, "a")))
		time.Sleep(DefaultInterval)
		wantHeld(t, s, "a b", "a")
		held := s.State().Held
		want := Held{
			Snapshot: held.Snapshot, Impact: Impact{Entities: 2, Removed: 1, Changed: 1},
			Message: "they would remove 1 of 2 entities, more than 0 percent",
		}
		if *held != want {
			t.Errorf("want %+v, got %+v", want, *held)
		}

		server.serve(body(noUpdates))
		server.take()
		time.Sleep(time.Minute)
		wantHeld(t, s, "a b", "a")
		for _, line := range server.take() {
			if !strings.HasSuffix(line, "?sinceTime=200&checksum=200") {
				t.Errorf("the held document is asked for again: %s", line)
			}
		}
		if told != 1 || s.State().Held != held {
			t.Errorf("want it told once, it was %d times", told)
		}
		if diff := cmp.Diff([]Outcome{OutcomeChanged, OutcomeHeld, OutcomeUnchanged}, outcomes[:3]); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}

		server.serve(body(gates(300, "b")))
		time.Sleep(DefaultInterval)
		wantHeld(t, s, "a b", "b")
		server.serve(body(gates(400, "a!", "b", "c")))
		time.Sleep(DefaultInterval)
		wantHeld(t, s, "a b c", "")
	})
}

type observerFunc func(Request)

func (f observerFunc) Observe(r Request) { f(r) }

func TestApproval(t *testing.T) {
	next := gates(200, "a")
	hash := snapshotOf(t, next).Hash()
	cases := map[string]struct {
		approve string
		want    bool
	}{
		"the whole hash approves":     {hash, true},
		"its first eight digits do":   {hash[:8], true},
		"its first seven don't":       {hash[:7], false},
		"another hash does not":       {strings.Repeat("0", len(hash)), false},
		"more than the hash does not": {hash + "0", false},
		"nothing approves nothing":    {"", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, early := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					s, server := guarded(t)
					run(t, s)
					if early {
						s.Approve(tc.approve)
					}
					server.serve(body(next))
					time.Sleep(DefaultInterval)
					synctest.Wait()
					if !early {
						wantHeld(t, s, "a b", "a")
						s.Approve(tc.approve)
					}
					if tc.want {
						wantHeld(t, s, "a", "")
					} else {
						wantHeld(t, s, "a b", "a")
					}
					server.serve(body(gates(300)))
					time.Sleep(DefaultInterval)
					synctest.Wait()
					if held := s.State().Held; held == nil || held.Snapshot.Time() != 300 {
						t.Errorf("the approval of one document let another pass")
					}
				})
			}
		})
	}
}

func TestReconsider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(gates(100, "a", "b"))}
		o := server.options(t)
		var limit atomic.Int64
		o.Guard, o.GuardIdentity = func(s Step) string { return ShareGuard(int(limit.Load()), 100)(s) }, "uid"
		s := newSyncer(t, o)
		run(t, s)
		s.Reconsider()
		server.serve(body(gates(200, "a")))
		time.Sleep(DefaultInterval)
		s.Reconsider()
		wantHeld(t, s, "a b", "a")
		server.take()
		limit.Store(50)
		s.Reconsider()
		wantHeld(t, s, "a", "")
		if requests := server.take(); len(requests) != 0 {
			t.Errorf("requests: %v", requests)
		}
	})
}

// TestWhatIsPutBackIsHeldNoMore lets a ConfigMap change and change back, which its time does not show.
func TestWhatIsPutBackIsHeldNoMore(t *testing.T) {
	for name, checksums := range map[string]bool{"with checksums": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				document := func(lcut int64, names ...string) string {
					text := gates(lcut, names...)
					if !checksums {
						text = strings.Replace(text, fmt.Sprintf(`"checksum":"%d",`, lcut), "", 1)
					}
					return text
				}
				var current atomic.Pointer[string]
				set := func(text string) { current.Store(&text) }
				set(document(100, "a", "b"))
				source := NewSource("ConfigMap", "x", func(_ context.Context, have Have) (Answer, error) {
					text := *current.Load()
					if have.Version == text {
						return Answer{NotModified: true, Version: text}, nil
					}
					return Answer{Document: []byte(text), Version: text}, nil
				})
				s := newSyncer(t, Options{Sources: []Source{source}, Guard: ShareGuard(0, 100), GuardIdentity: "uid"})
				run(t, s)
				for range 2 {
					set(document(200, "a"))
					time.Sleep(2 * DefaultInterval)
					wantHeld(t, s, "a b", "a")
					set(document(100, "a", "b"))
					time.Sleep(2 * DefaultInterval)
					wantHeld(t, s, "a b", "")
				}
				set(document(50, "b"))
				time.Sleep(DefaultInterval)
				synctest.Wait()
				wantError(t, s.State().Err, ErrOutdated)
			})
		})
	}
}

// TestTheGuardSeesWhatIsStored has the network bring what the guard holds, after a restart.
func TestTheGuardSeesWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(gates(100, "a", "b"))}
		o := server.options(t)
		o.Guard, o.GuardIdentity, o.Store = ShareGuard(0, 100), "uid", &memoryStore{}
		stop := runUntilStopped(t, newSyncer(t, o))
		stop()
		server.serve(body(gates(200, "a")))
		s := newSyncer(t, o)
		run(t, s)
		wantHeld(t, s, "a b", "a")
		if s.State().Stale {
			t.Error("a source has answered, and the state is still stale")
		}
	})
}

func TestAGuardNeedsAnIdentity(t *testing.T) {
	o := (&stub{}).options(t)
	o.Guard = ShareGuard(0, 0)
	if _, err := New(o); err == nil {
		t.Error("want an error")
	}
	p := NewPool()
	o.GuardIdentity = "one"
	first := acquire(t, p, o)
	again := acquire(t, p, o)
	o.GuardIdentity = "two"
	other := acquire(t, p, o)
	o.Guard = nil
	none := acquire(t, p, o)
	if first.Syncer() != again.Syncer() || first.Syncer() == other.Syncer() || first.Syncer() == none.Syncer() {
		t.Error("want a syncer shared only by those with the same guard")
	}
}
