package eval_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// TestEvaluatorsAndUsersAreShared evaluates everything for the same users in many goroutines, so that the race detector
// sees all that is filled in late.
func TestEvaluatorsAndUsersAreShared(t *testing.T) {
	e := benchEvaluator(t)
	users := make([]*eval.User, 4)
	for i := range users {
		users[i] = eval.NewUser(benchUser(i))
	}
	evaluate := func() []eval.Result {
		var results []eval.Result
		var rec eval.Recorder
		for _, ref := range benchEntities {
			for _, u := range users {
				res := e.Evaluate(ref, u, evaluatedAt, &rec)
				res.SecondaryExposures, res.Undelegated = nil, nil
				results = append(results, res)
			}
		}
		return results
	}
	var wg sync.WaitGroup
	results := make([][]eval.Result, 8)
	for i := range results {
		wg.Go(func() { results[i] = evaluate() })
	}
	wg.Wait()
	for _, got := range results[1:] {
		if diff := cmp.Diff(results[0], got, cmp.AllowUnexported(eval.Result{})); diff != "" {
			t.Errorf("answers differ between goroutines:\n%s", diff)
		}
	}
}
