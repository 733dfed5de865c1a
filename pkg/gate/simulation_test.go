package gate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// event is a change of what there is to see.
type event struct {
	at   time.Time
	seen Observation
}

// simulate drives a gate along a timeline: it looks when something happens, and when the gate asked to be looked at.
// extra, where it is not nil, returns further instants at which it looks, from one instant to another. It returns the
// changes of state.
func simulate(t *testing.T, policy Policy, timeline []event, end time.Time, extra func(from, to time.Time) []time.Time) []Transition {
	t.Helper()
	var status Status
	var changes []Transition
	step := func(seen Observation, now time.Time) (look time.Time) {
		was := status.State
		status, look, _ = policy.Next(restarted(t, status), seen, now)
		if status.State != was {
			changes = append(changes, Transition{State: status.State, Time: now})
		}
		if !look.IsZero() && !look.After(now) {
			t.Fatalf("at %v the gate asks for a look at %v, which has passed", now, look)
		}
		return look
	}
	for i, e := range timeline {
		until := end
		if i+1 < len(timeline) {
			until = timeline[i+1].at
		}
		now := e.at
		for look := step(e.seen, now); !look.IsZero() && look.Before(until); {
			if extra != nil {
				for _, at := range extra(now, look) {
					step(e.seen, at)
				}
			}
			now = look
			look = step(e.seen, now)
		}
	}
	return changes
}

// restarted is what is left of a status when the operator is started again: JSON with whole seconds.
func restarted(t *testing.T, s Status) Status {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var read Status
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{read.Since, read.ClosedSince, read.PendingSince} {
		if at.Nanosecond() != 0 {
			t.Fatalf("a status has a fraction of a second: %s", text)
		}
	}
	return read
}

// expected works out the changes of state from the timeline alone: each event lasts until the next, so that within it
// the state changes at its begin, or once more when it has lasted long enough.
func expected(policy Policy, timeline []event, end time.Time) []Transition {
	var changes []Transition
	state, known := State(""), Unknown
	enter := func(next State, at time.Time) {
		if next != Unknown {
			known = next
		}
		if next != state {
			state = next
			changes = append(changes, Transition{State: next, Time: at})
		}
	}
	for i := 0; i < len(timeline); {
		first, until := timeline[i], end
		for i++; i < len(timeline); i++ {
			if timeline[i].seen.Answer != first.seen.Answer {
				until = timeline[i].at
				break
			}
		}
		// The first whole second that is not before the event.
		counted := time.Unix((first.at.UnixNano()+int64(time.Second)-1)/int64(time.Second), 0).UTC()
		switch first.seen.Answer {
		case None:
			enter(map[OnFailure]State{FailClosed: Unknown, FailOpen: Open, FailLastKnown: known}[policy.OnFailure], first.at)
		case True:
			if state != Open && policy.OpenAfter > 0 {
				enter(Closed, first.at)
				if at := counted.Add(policy.OpenAfter); at.Before(until) {
					enter(Open, at)
				}
			} else {
				enter(Open, first.at)
			}
		case False:
			if state == Open && policy.CloseAfter > 0 {
				if at := counted.Add(policy.CloseAfter); at.Before(until) {
					enter(Closed, at)
				}
			} else {
				enter(Closed, first.at)
			}
		}
	}
	return changes
}

// randomTimeline is an expression that flaps: answers that last from a moment to minutes.
func randomTimeline(r *rand.Rand) (timeline []event, end time.Time) {
	at := noon
	for range 3 + r.IntN(30) {
		timeline = append(timeline, event{at, []Observation{yes, no, yes, no, nothing}[r.IntN(5)]})
		at = at.Add(time.Millisecond + time.Duration(r.Int64N([]int64{int64(second), int64(20 * second), int64(3 * minute)}[r.IntN(3)])))
	}
	return timeline, at
}

func randomPolicy(r *rand.Rand) Policy {
	durations := []time.Duration{0, second, 10 * second, minute, 90*second + 300*time.Millisecond}
	return Policy{
		OnFailure: []OnFailure{FailClosed, FailOpen, FailLastKnown}[r.IntN(3)],
		OpenAfter: durations[r.IntN(5)], CloseAfter: durations[r.IntN(5)], Deadline: durations[1+r.IntN(4)],
	}
}

func TestFlappingNeverOpensEarlyOrLate(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		policy := randomPolicy(r)
		timeline, end := randomTimeline(r)
		want := expected(policy, timeline, end)
		resync := func(from, to time.Time) []time.Time {
			between := int64(to.Sub(from))
			first := r.Int64N(between)
			return []time.Time{from.Add(time.Duration(first)), from.Add(time.Duration(first + r.Int64N(between-first)))}
		}
		for name, extra := range map[string]func(from, to time.Time) []time.Time{"as asked": nil, "with resyncs": resync} {
			if diff := cmp.Diff(want, simulate(t, policy, timeline, end, extra)); diff != "" {
				t.Fatalf("seed %d, %s, policy %+v, timeline %v: changes (-want +got):\n%s", seed, name, policy, timeline, diff)
			}
		}
	}
}

func TestNothingChangesBeforeTheNextLook(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		policy := randomPolicy(r)
		status, now := Status{}, noon
		for i := range 30 {
			seen := []Observation{
				yes, no, nothing, held(yes, 0), suspended(no), held(nothing, time.Duration(1+r.IntN(300))*second),
			}[r.IntN(6)]
			is, look, stalled := policy.Next(status, seen, now)
			later := now.Add(time.Duration(r.Int64N(int64(10 * minute))))
			if !look.IsZero() && !later.Before(look) {
				later = now.Add(time.Duration(r.Int64N(int64(look.Sub(now)))))
			}
			again, lookAgain, stalledAgain := policy.Next(is, seen, later)
			if diff := cmp.Diff(is, again); diff != "" || !look.Equal(lookAgain) || stalled != stalledAgain {
				t.Fatalf("seed %d, step %d, policy %+v, %+v seen again %v later: look %v, then %v; stalled %t, then %t; status (-first +again):\n%s",
					seed, i, policy, seen, later.Sub(now), look, lookAgain, stalled, stalledAgain, diff)
			}
			status, now = restarted(t, is), later.Add(time.Duration(r.Int64N(int64(minute))))
			if r.IntN(10) == 0 {
				now = now.Add(-time.Duration(r.Int64N(int64(time.Hour))))
			}
		}
	}
}

func TestWhatAlwaysHolds(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		policy := randomPolicy(r)
		status, now := Status{}, noon
		for i := range 40 {
			seen := []Observation{yes, no, nothing, held(yes, 0), suspended(no)}[r.IntN(5)]
			is, look, stalled := policy.Next(status, seen, now)
			// What is suspended stays as it was, even where the clock jumps back.
			if problem := invariant(is, look, stalled, now); problem != "" && !seen.Suspended {
				t.Fatalf("seed %d, step %d: %s: %+v", seed, i, problem, is)
			}
			status, now = is, now.Add(time.Duration(r.Int64N(int64(2*minute)))-30*second)
		}
	}
}

// invariant says which rule a status breaks, "" for none.
func invariant(s Status, look time.Time, stalled bool, now time.Time) string {
	switch {
	case s.State != Open && s.State != Closed && s.State != Unknown:
		return "there is no state"
	case (s.State == Open) != s.ClosedSince.IsZero():
		return "closedSince does not fit the state"
	case s.ClosedSince.After(now):
		return "closedSince is to come"
	case stalled && s.State == Open:
		return "an open gate is stalled"
	case (s.Pending == "") != s.PendingSince.IsZero():
		return "pending and its time do not fit"
	case s.Pending != "" && (s.Pending == s.State || s.State == Unknown):
		return "what is pending is there already, or nothing is known"
	case s.Pending != "" && look.IsZero():
		return "something is pending that nobody will look at"
	case len(s.History) == 0 || len(s.History) > maxHistory || s.History[0].State != s.State:
		return "the history does not lead to the state"
	}
	for i := 1; i < len(s.History); i++ {
		if s.History[i].State == s.History[i-1].State {
			return fmt.Sprintf("transition %d of the history changes nothing", i)
		}
	}
	return ""
}
