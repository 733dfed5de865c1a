package eval_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestNextBoundary(t *testing.T) {
	const (
		now = 1_768_478_400_000 // 2026-01-15T12:00:00Z
		day = 86_400_000
	)
	gate := func(conditions ...evaltest.Condition) *evaltest.Document {
		return evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(conditions...)))
	}
	at := evaltest.CurrentTime
	tests := map[string]struct {
		reason   string
		document *evaltest.Document
		want     int64 // 0 for none
	}{
		"a gate without a clock has none":                 {document: gate(evaltest.Public())},
		"after changes one millisecond behind its target": {document: gate(at("after", now+5)), want: now + 6},
		"before changes at its target":                    {document: gate(at("before", now+5)), want: now + 5},
		"a fraction of a target is cut":                   {document: gate(at("before", now+5.9)), want: now + 5},
		"what has passed has none":                        {document: gate(at("after", now-1))},
		"what has just passed has none":                   {document: gate(at("before", now))},
		"on this day changes at its end":                  {document: gate(at("on", now)), want: now - now%day + day},
		"on another day changes at its beginning":         {document: gate(at("on", now+3*day)), want: now - now%day + 3*day},
		"a target in text is read":                        {document: gate(at("after", "2026-02-01T00:00:00Z")), want: 1_769_904_000_001},
		"the earliest of several counts": {
			document: gate(at("after", now+50), at("before", now+20), at("on", now)), want: now + 20,
		},
		"comparisons of numbers are constant":    {document: gate(at("gt", now+5)), reason: "the official SDK has no number view of the clock"},
		"a target that is no time has none":      {document: gate(at("after", "soon"))},
		"an unsupported operator has none":       {document: gate(at("around", now+5))},
		"a user's own time has none":             {document: gate(evaltest.UserFieldValue("since", "after", now+5))},
		"a target beyond the year 9999 has none": {document: gate(at("after", 9e18))},
		"a nested gate's clock counts": {
			document: gate(evaltest.PassGate("n")).Add(evaltest.NewGate("n").Rule(evaltest.NewRule("r").When(at("after", now+7)))),
			want:     now + 8,
		},
		"the start of a mapping counts": {
			document: gate().OverrideRule(evaltest.NewRule("o")).MappingFrom("g", "h", "o", now+9), want: now + 9,
		},
		"a mapping that has started has none": {
			document: gate().OverrideRule(evaltest.NewRule("o")).MappingFrom("g", "h", "o", now),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := evaltest.Compile(t, tc.document)
			got, ok := s.NextBoundary(eval.Ref{Kind: eval.KindGate, Name: "g"}, time.UnixMilli(now))
			switch {
			case ok != (tc.want != 0):
				t.Errorf("boundary %v, %t; want any %t (%s)", got, ok, tc.want != 0, tc.reason)
			case ok && got.UnixMilli() != tc.want:
				t.Errorf("boundary %d, want %d (%s)", got.UnixMilli(), tc.want, tc.reason)
			}
		})
	}
}

// TestNothingChangesBeforeTheBoundary checks random gates at random instants: no answer differs from now's before the
// boundary, and a single condition's answer differs at it.
func TestNothingChangesBeforeTheBoundary(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	instants := []int64{
		-100_000_000, -86_400_000, -86_399_999, -1, 0, 1, 86_399_999, 86_400_000, 9_999_999, 10_000_000, 10_000_001,
		9_999_999_999, 10_000_000_000, 10_000_000_001, 1_768_435_200_000, 1_768_478_400_000, 1_768_521_599_999,
		1_768_521_600_000, 1_800_000_000_000,
	}
	pick := func() int64 { return instants[random.IntN(len(instants))] + random.Int64N(5) - 2 }
	operators := []string{"before", "after", "on", "gt", "eq", "none"}
	ref := eval.Ref{Kind: eval.KindGate, Name: "g"}
	found := 0
	for range 1500 {
		conditions := make([]evaltest.Condition, 1+random.IntN(2))
		for i := range conditions {
			conditions[i] = evaltest.CurrentTime(operators[random.IntN(len(operators))], pick())
		}
		s := evaltest.Compile(t, evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(conditions...))))
		e := eval.NewEvaluator(s, eval.Options{})
		answer := func(ms int64) bool { return e.Evaluate(ref, nil, time.UnixMilli(ms), nil).Pass }
		now := pick()
		boundary, ok := s.NextBoundary(ref, time.UnixMilli(now))
		end := int64(4_000_000_000_000)
		if ok {
			found++
			end = boundary.UnixMilli()
			if end <= now {
				t.Fatalf("boundary %d is not after %d", end, now)
			}
			if len(conditions) == 1 && answer(end) == answer(now) {
				t.Errorf("%s: nothing changes at the boundary %d after %d", show(conditions), end, now)
			}
		}
		for _, ms := range append([]int64{end - 1, now + 1, now + (end-now)/2}, between(instants, now, end)...) {
			if now < ms && ms < end && answer(ms) != answer(now) {
				t.Errorf("%v: the answer at %d differs from that at %d, boundary %d, %t", fmt.Sprint(conditions), ms, now, end, ok)
			}
		}
	}
	if found < 300 {
		t.Errorf("only %d gates had a boundary", found)
	}
}

// between lists instants around those given that lie in an interval.
func between(instants []int64, from, to int64) []int64 {
	var list []int64
	for _, ms := range instants {
		for d := int64(-3); d <= 3; d++ {
			for _, candidate := range []int64{ms + d, ms/1000 + d} {
				if from < candidate && candidate < to {
					list = append(list, candidate)
				}
			}
		}
	}
	return list
}
