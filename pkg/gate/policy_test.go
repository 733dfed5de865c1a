package gate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	second = time.Second
	minute = time.Minute
)

// moment is one look at a gate: when, what is seen, and what is to come of it.
type moment struct {
	at   time.Duration
	seen Observation
	// want is "State", "State>Pending", and " stalled" behind it; wantLook is the next look, as a time after noon, 0
	// for none.
	want     string
	wantLook time.Duration
}

var (
	yes     = Observation{Answer: True, Reason: "gate a = true"}
	no      = Observation{Answer: False, Reason: "gate a = false"}
	nothing = Observation{Reason: "the specs have no gate a"}
)

// held is seen by hand on top of what is seen otherwise.
func held(seen Observation, until time.Duration) Observation {
	seen.Held = "release freeze"
	if until > 0 {
		seen.HeldUntil = noon.Add(until)
	}
	return seen
}

func suspended(seen Observation) Observation {
	seen.Suspended = true
	return seen
}

func describe(s Status, stalled bool) string {
	text := string(s.State)
	if s.Pending != "" {
		text += ">" + string(s.Pending)
	}
	if stalled {
		text += " stalled"
	}
	return text
}

func TestNext(t *testing.T) {
	after := Policy{OpenAfter: 2 * minute, CloseAfter: minute}
	cases := map[string]struct {
		policy  Policy
		moments []moment
	}{
		"without hysteresis a gate follows at once": {Policy{}, []moment{
			{0, yes, "Open", 0}, {1 * second, no, "Closed", 0}, {2 * second, nothing, "Unknown", 0}, {3 * second, yes, "Open", 0},
		}},
		"a fresh gate is closed until its answer has lasted": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {2*minute - 1, yes, "Closed>Open", 2 * minute}, {2 * minute, yes, "Open", 0},
		}},
		"a fresh gate closes at once": {after, []moment{
			{0, no, "Closed", 0},
		}},
		"a fresh gate without an answer is unknown": {after, []moment{
			{0, nothing, "Unknown", 0},
		}},
		"what is counted begins at the next whole second": {after, []moment{
			{100 * time.Millisecond, yes, "Closed>Open", 2*minute + second},
			{2*minute + 999*time.Millisecond, yes, "Closed>Open", 2*minute + second},
			{2*minute + second, yes, "Open", 0},
		}},
		"a break in between begins the count anew": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {119 * second, no, "Closed", 0}, {2 * minute, yes, "Closed>Open", 4 * minute},
			{4 * minute, yes, "Open", 0},
		}},
		"an open gate closes when its answer has lasted": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {2 * minute, yes, "Open", 0}, {3 * minute, no, "Open>Closed", 4 * minute},
			{4 * minute, no, "Closed", 0},
		}},
		"a short no does not close an open gate": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {2 * minute, yes, "Open", 0}, {3 * minute, no, "Open>Closed", 4 * minute},
			{4*minute - second, yes, "Open", 0},
		}},
		"no answer ends what is pending, and the count begins anew": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {minute, nothing, "Unknown", 0}, {2 * minute, yes, "Closed>Open", 4 * minute},
		}},
		"from unknown a gate closes at once": {after, []moment{
			{0, nothing, "Unknown", 0}, {minute, no, "Closed", 0},
		}},
		"a look that comes late opens late": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {time.Hour, yes, "Open", 0},
		}},
		"a shorter openAfter counts from when the answer came": {Policy{OpenAfter: minute}, []moment{
			{0, yes, "Closed>Open", minute}, {minute, yes, "Open", 0},
		}},
		"policy Open opens without an answer, at once": {Policy{OnFailure: FailOpen, OpenAfter: minute}, []moment{
			{0, nothing, "Open", 0}, {minute, yes, "Open", 0}, {2 * minute, no, "Closed", 0}, {3 * minute, nothing, "Open", 0},
		}},
		"policy LastKnown stays open": {Policy{OnFailure: FailLastKnown}, []moment{
			{0, yes, "Open", 0}, {minute, nothing, "Open", 0}, {2 * minute, no, "Closed", 0},
		}},
		"policy LastKnown stays closed": {Policy{OnFailure: FailLastKnown}, []moment{
			{0, no, "Closed", 0}, {minute, nothing, "Closed", 0}, {2 * minute, yes, "Open", 0},
		}},
		"policy LastKnown knows nothing of a fresh gate": {Policy{OnFailure: FailLastKnown}, []moment{
			{0, nothing, "Unknown", 0},
		}},
		"policy LastKnown ends what is pending": {Policy{OnFailure: FailLastKnown, CloseAfter: minute}, []moment{
			{0, yes, "Open", 0}, {minute, no, "Open>Closed", 2 * minute}, {90 * second, nothing, "Open", 0},
			{2 * minute, no, "Open>Closed", 3 * minute},
		}},
		"a gate held by hand closes at once": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {2 * minute, yes, "Open", 0}, {3 * minute, held(yes, 0), "Closed", 0},
		}},
		"a gate held by hand is closed without an answer too": {Policy{OnFailure: FailOpen}, []moment{
			{0, nothing, "Open", 0}, {minute, held(nothing, 0), "Closed", 0},
		}},
		"openAfter counts from the end of the hold": {after, []moment{
			{0, held(yes, 5*minute), "Closed", 5 * minute}, {5 * minute, held(yes, 5*minute), "Closed>Open", 7 * minute},
			{7 * minute, held(yes, 5*minute), "Open", 0},
		}},
		"a hold that is over holds nothing": {Policy{}, []moment{
			{time.Hour, held(yes, 5*minute), "Open", 0},
		}},
		"a hold that is removed lets the expression decide": {Policy{}, []moment{
			{0, held(yes, 0), "Closed", 0}, {minute, yes, "Open", 0},
		}},
		"a suspended gate stays open": {Policy{}, []moment{
			{0, yes, "Open", 0}, {minute, suspended(no), "Open", 0}, {2 * minute, suspended(nothing), "Open", 0}, {3 * minute, no, "Closed", 0},
		}},
		"suspension wins over a hold": {Policy{}, []moment{
			{0, yes, "Open", 0}, {minute, suspended(held(yes, 2*minute)), "Open", 0},
		}},
		"what passes while suspended does not count": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {minute, suspended(yes), "Closed", 0}, {time.Hour, yes, "Closed>Open", time.Hour + 2*minute},
		}},
		"a fresh suspended gate is unknown": {Policy{}, []moment{
			{0, suspended(yes), "Unknown", 0}, {minute, yes, "Open", 0},
		}},
		"a gate past its deadline is stalled, and opens all the same": {Policy{Deadline: 10 * minute}, []moment{
			{0, no, "Closed", 10 * minute}, {10*minute - 1, no, "Closed", 10 * minute}, {10 * minute, no, "Closed stalled", 0},
			{11 * minute, yes, "Open", 0}, {12 * minute, no, "Closed", 22 * minute},
		}},
		"the deadline counts whatever keeps the gate from opening": {Policy{Deadline: 10 * minute, OpenAfter: 8 * minute}, []moment{
			{0, nothing, "Unknown", 10 * minute}, {3 * minute, held(yes, 5*minute), "Closed", 5 * minute},
			{5 * minute, yes, "Closed>Open", 10 * minute}, {10 * minute, yes, "Closed>Open stalled", 13 * minute}, {13 * minute, yes, "Open", 0},
		}},
		"a suspended gate is not stalled": {Policy{Deadline: minute}, []moment{
			{0, no, "Closed", minute}, {2 * minute, suspended(no), "Closed", 0}, {3 * minute, no, "Closed stalled", 0},
		}},
		"a clock that jumps back makes the count begin anew": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {-time.Hour, yes, "Closed>Open", -time.Hour + 2*minute}, {-time.Hour + 2*minute, yes, "Open", 0},
		}},
		"a clock that jumps back makes the deadline begin anew": {Policy{Deadline: minute}, []moment{
			{0, no, "Closed", minute}, {-time.Hour, no, "Closed", -time.Hour + minute}, {-time.Hour + minute, no, "Closed stalled", 0},
		}},
		"a clock that jumps back by less than was counted keeps the count": {after, []moment{
			{0, yes, "Closed>Open", 2 * minute}, {minute, yes, "Closed>Open", 2 * minute}, {second, yes, "Closed>Open", 2 * minute},
			{2 * minute, yes, "Open", 0},
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var status Status
			for i, m := range tc.moments {
				is, look, stalled := tc.policy.Next(status, m.seen, noon.Add(m.at))
				var wantLook time.Time
				if m.wantLook != 0 {
					wantLook = noon.Add(m.wantLook)
				}
				if got := describe(is, stalled); got != m.want || !look.Equal(wantLook) {
					t.Fatalf("moment %d is %q with a look at %v; want %q at %v", i, got, look, m.want, wantLook)
				}
				status = is
			}
		})
	}
}

func TestNextSaysWhy(t *testing.T) {
	cases := map[string]struct {
		policy Policy
		was    State
		seen   Observation
		want   string
	}{
		"a gate is what its expression says":        {Policy{}, "", yes, "gate a = true"},
		"a gate that waits to open says so":         {Policy{OpenAfter: 2 * minute}, Closed, yes, "gate a = true; opens when that has lasted 2m0s"},
		"a gate that waits to close says so":        {Policy{CloseAfter: minute}, Open, no, "gate a = false; closes when that has lasted 1m0s"},
		"a gate held by hand says who wants it":     {Policy{}, Open, held(yes, 0), "held by hand: release freeze"},
		"a gate without an answer says what lacks":  {Policy{}, Open, nothing, "the specs have no gate a"},
		"an opening failure policy is named":        {Policy{OnFailure: FailOpen}, "", nothing, "failurePolicy Open: the specs have no gate a"},
		"a last known state is named":               {Policy{OnFailure: FailLastKnown}, Open, nothing, "failurePolicy LastKnown: the specs have no gate a"},
		"a fresh suspended gate says so":            {Policy{}, "", suspended(yes), "suspended before the first evaluation"},
		"a suspended gate keeps its earlier reason": {Policy{}, Open, suspended(no), "earlier"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			is, _, _ := tc.policy.Next(Status{State: tc.was, Reason: "earlier"}, tc.seen, noon)
			if is.Reason != tc.want {
				t.Errorf("reason %q, want %q", is.Reason, tc.want)
			}
		})
	}
}

func TestNextBoundsReasons(t *testing.T) {
	seen := Observation{Answer: True, Reason: strings.Repeat("x", 2*MaxReason), Held: strings.Repeat("ä", MaxReason)}
	is, _, _ := Policy{}.Next(Status{}, seen, noon)
	if len(is.Reason) > MaxReason || !strings.HasSuffix(is.Reason, "ä…") {
		t.Errorf("the reason of a hold has %d bytes: %s", len(is.Reason), is.Reason)
	}
	seen.Held = ""
	is, _, _ = Policy{OpenAfter: minute}.Next(Status{}, seen, noon)
	if len(is.Reason) != MaxReason || !strings.HasSuffix(is.Reason, "x…; opens when that has lasted 1m0s") {
		t.Errorf("the reason of a gate that waits has %d bytes: %s", len(is.Reason), is.Reason)
	}
	if got := is.History[0].Reason; got != is.Reason {
		t.Errorf("the history has another reason: %s", got)
	}
}

func TestHistoryKeepsTheLastTen(t *testing.T) {
	var status Status
	for i := range 12 {
		seen := Observation{Answer: True, Reason: fmt.Sprintf("reason %d", i)}
		if i%2 == 1 {
			seen.Answer = False
		}
		before := status
		status, _, _ = Policy{}.Next(status, seen, noon.Add(time.Duration(i)*minute+500*time.Millisecond))
		if len(before.History) > 0 && before.History[0].Reason != fmt.Sprintf("reason %d", i-1) {
			t.Fatalf("step %d changed the history of the status it was given", i)
		}
	}
	var want []Transition
	for i := 11; i >= 2; i-- {
		state := Open
		if i%2 == 1 {
			state = Closed
		}
		want = append(want, Transition{State: state, Time: noon.Add(time.Duration(i) * minute), Reason: fmt.Sprintf("reason %d", i)})
	}
	if diff := cmp.Diff(want, status.History); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestAReasonAloneIsNoTransition(t *testing.T) {
	status, _, _ := Policy{}.Next(Status{}, yes, noon)
	is, _, _ := Policy{}.Next(status, Observation{Answer: True, Reason: "gate b = true"}, noon.Add(minute))
	want := status
	want.Reason = "gate b = true"
	if diff := cmp.Diff(want, is); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestLastKnownLooksIntoTheHistory(t *testing.T) {
	status, _, _ := Policy{}.Next(Status{}, yes, noon)
	status, _, _ = Policy{}.Next(status, nothing, noon.Add(minute))
	is, _, _ := Policy{OnFailure: FailLastKnown}.Next(status, nothing, noon.Add(2*minute))
	if is.State != Open {
		t.Errorf("a gate that was open before it was unknown is %s, want Open", is.State)
	}
}

func TestSuspensionTakesBackThatAGateWaits(t *testing.T) {
	for answer, seen := range map[string]Observation{"Closed": yes, "Open": no} {
		policy := Policy{OpenAfter: minute, CloseAfter: minute}
		waiting, _, _ := policy.Next(Status{State: State(answer)}, seen, noon)
		if waiting.Pending == "" {
			t.Fatalf("nothing is pending: %+v", waiting)
		}
		is, _, _ := policy.Next(waiting, suspended(seen), noon.Add(second))
		if is.Reason != seen.Reason || is.Pending != "" {
			t.Errorf("a suspended gate is %+v, want nothing pending and the reason %q", is, seen.Reason)
		}
	}
}
