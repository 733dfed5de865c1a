package gate

import (
	"slices"
	"strings"
	"time"
)

// maxHistory bounds how many changes of state are remembered.
const maxHistory = 10

// State says whether rollouts may proceed. Empty stands for a gate that was never looked at.
type State string

// The states.
const (
	// Open lets rollouts proceed.
	Open State = "Open"
	// Closed holds them: the expression is false, or the gate is held by hand.
	Closed State = "Closed"
	// Unknown holds them because the expression has no answer.
	Unknown State = "Unknown"
)

// OnFailure says what the state is while the expression has no answer.
type OnFailure string

// The failure policies. The zero value is FailClosed.
const (
	// FailClosed makes the state Unknown, which lets nothing pass.
	FailClosed OnFailure = "Closed"
	// FailOpen makes it Open.
	FailOpen OnFailure = "Open"
	// FailLastKnown leaves it Open or Closed, whichever it was last; Unknown where it never was either.
	FailLastKnown OnFailure = "LastKnown"
)

// Policy says how a gate's state follows from what is seen. The zero value follows the expression at once, and is
// Unknown without an answer.
type Policy struct {
	OnFailure OnFailure
	// OpenAfter is how long the expression must have been true without a break before the gate opens, CloseAfter how
	// long it must have been false before an open gate closes. Neither is negative.
	OpenAfter, CloseAfter time.Duration
	// Deadline is how long the gate may be anything but open before it is stalled; 0 for ever.
	Deadline time.Duration
}

// Status is all that a gate remembers from one look to the next. Times are whole seconds, or zero.
type Status struct {
	State State
	// Reason is what decided, at most MaxReason bytes and without times.
	Reason string
	// Since is when the gate came to its state, and ClosedSince since when it has been anything but open, zero while it
	// is open.
	Since, ClosedSince time.Time
	// Pending is the state that the gate is about to come to, empty for none. PendingSince is when the expression took
	// that value, rounded up, so that nothing happens early.
	Pending      State
	PendingSince time.Time
	// History are the last ten changes of state, the newest first.
	History []Transition
}

// Transition is one change of state.
type Transition struct {
	State  State
	Time   time.Time
	Reason string
}

// Answer is what the expression says.
type Answer uint8

// The answers.
const (
	// None means that there is no answer.
	None Answer = iota
	// True means that the gate may be open.
	True
	// False means that it may not.
	False
)

// Observation is what there is to see at one instant.
type Observation struct {
	Answer Answer
	// Reason is what decided the answer, or why there is none.
	Reason string
	// Held is why the gate is held closed by hand, empty when it is not. HeldUntil is when that ends, zero for never.
	Held      string
	HeldUntil time.Time
	// Suspended freezes the state, whatever else is seen.
	Suspended bool
}

// waits is what a reason says of a pending state, before how long that takes.
var waits = map[State]string{Open: "; opens when that has lasted ", Closed: "; closes when that has lasted "}

// Next returns what becomes of a gate that is seen at an instant. look is the next instant at which time alone changes
// that, zero for none; until then the same observation gives an equal status. stalled is whether the deadline has
// passed.
//
// In order of precedence: a suspended gate stays as it is, and counts neither openAfter nor closeAfter meanwhile; one
// held by hand is closed at once; without an answer the failure policy decides, at once; and the expression decides
// when its answer has lasted. A clock that jumps back makes what is counted begin anew.
func (p Policy) Next(was Status, seen Observation, now time.Time) (is Status, look time.Time, stalled bool) {
	is = was
	is.Pending, is.PendingSince = "", time.Time{}
	var change time.Time
	switch {
	case seen.Suspended:
		is.freeze(was.Pending, now)
		return is, time.Time{}, false
	case seen.isHeld(now):
		is.enter(Closed, "held by hand: "+seen.Held, now)
		change = seen.HeldUntil
	case seen.Answer == None:
		p.fail(&is, seen.Reason, now)
	default:
		change = p.follow(&is, &was, seen, now)
	}
	if is.State == Open || p.Deadline <= 0 {
		return is, change, false
	}
	due := is.ClosedSince.Add(p.Deadline)
	if !now.Before(due) {
		return is, change, true
	}
	if change.IsZero() || due.Before(change) {
		change = due
	}
	return is, change, false
}

func (o *Observation) isHeld(now time.Time) bool {
	return o.Held != "" && (o.HeldUntil.IsZero() || now.Before(o.HeldUntil))
}

// freeze is the step of a suspended gate. Nothing is pending any more, so the reason no longer says so either.
func (s *Status) freeze(pending State, now time.Time) {
	if s.State == "" {
		s.enter(Unknown, "suspended before the first evaluation", now)
	}
	if i := strings.LastIndex(s.Reason, waits[pending]); pending != "" && i >= 0 {
		s.Reason = s.Reason[:i]
	}
}

// fail is the step without an answer.
func (p Policy) fail(is *Status, reason string, now time.Time) {
	switch p.OnFailure {
	case FailOpen:
		is.enter(Open, "failurePolicy Open: "+reason, now)
	case FailLastKnown:
		if last := is.lastKnown(); last != Unknown {
			is.enter(last, "failurePolicy LastKnown: "+reason, now)
			return
		}
		is.enter(Unknown, reason, now)
	default:
		is.enter(Unknown, reason, now)
	}
}

// lastKnown is the state that was decided last, Unknown for none.
func (s *Status) lastKnown() State {
	if s.State == Open || s.State == Closed {
		return s.State
	}
	for _, t := range s.History {
		if t.State == Open || t.State == Closed {
			return t.State
		}
	}
	return Unknown
}

// follow is the step with an answer. It returns when the gate is to change its state, zero when it need not.
func (p Policy) follow(is, was *Status, seen Observation, now time.Time) (flip time.Time) {
	wanted, meanwhile, after := Open, Closed, p.OpenAfter
	if seen.Answer == False {
		wanted, meanwhile, after = Closed, Open, p.CloseAfter
	}
	// Only an open gate has anything to put off: one that was never looked at, say, is closed at once.
	if was.State == wanted || after <= 0 || (wanted == Closed && was.State != Open) {
		is.enter(wanted, seen.Reason, now)
		return time.Time{}
	}
	since := roundUp(now)
	if was.Pending == wanted && !was.PendingSince.After(since) {
		since = was.PendingSince
	}
	flip = since.Add(after)
	if !now.Before(flip) {
		is.enter(wanted, seen.Reason, now)
		return time.Time{}
	}
	is.Pending, is.PendingSince = wanted, since
	suffix := waits[wanted] + after.String()
	is.enter(meanwhile, bounded(seen.Reason, MaxReason-len(suffix))+suffix, now)
	return flip
}

// enter brings the gate to a state, which may be the one it has, for a reason.
func (s *Status) enter(state State, reason string, now time.Time) {
	s.Reason = bounded(reason, MaxReason)
	now = now.UTC().Truncate(time.Second)
	switch {
	case state == Open:
		s.ClosedSince = time.Time{}
	case s.ClosedSince.IsZero() || s.ClosedSince.After(now):
		s.ClosedSince = now
	}
	if s.State == state {
		return
	}
	s.State, s.Since = state, now
	history := slices.Insert(slices.Clone(s.History), 0, Transition{State: state, Time: now, Reason: s.Reason})
	s.History = history[:min(len(history), maxHistory)]
}

// roundUp returns the first whole second that is not before t.
func roundUp(t time.Time) time.Time {
	whole := t.UTC().Truncate(time.Second)
	if whole.Before(t) {
		return whole.Add(time.Second)
	}
	return whole
}
