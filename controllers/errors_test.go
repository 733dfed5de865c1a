package controllers

import (
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
)

var errConflict = apierrors.NewConflict(schema.GroupResource{Resource: "flagbindings"}, "shop", errors.New("the object was modified"))

func TestOutcomeOfAReconcile(t *testing.T) {
	errOther := errors.New("the API server is away")
	wrapped := func(err error) error { return fmt.Errorf("writing the status: %w", err) }
	for name, tc := range map[string]struct {
		err       error
		after     []time.Duration
		want      ctrl.Result
		wantError bool
	}{
		"Nothing to wait for":                                   {},
		"The soonest time counts":                               {after: []time.Duration{time.Hour, time.Minute, 2 * time.Minute}, want: ctrl.Result{RequeueAfter: time.Minute}},
		"Zero and negative times are none":                      {after: []time.Duration{0, -time.Second, time.Hour}, want: ctrl.Result{RequeueAfter: time.Hour}},
		"Only zeros are nothing to wait for":                    {after: []time.Duration{0, 0}},
		"An error is left to the backoff":                       {err: errOther, after: []time.Duration{time.Minute}, wantError: true},
		"A conflict is retried quietly and soon":                {err: errConflict, after: []time.Duration{time.Minute}, want: ctrl.Result{RequeueAfter: conflictRetry}},
		"A wrapped conflict is a conflict":                      {err: wrapped(errConflict), want: ctrl.Result{RequeueAfter: conflictRetry}},
		"Several conflicts are a conflict":                      {err: wrapped(errors.Join(wrapped(errConflict), errConflict)), want: ctrl.Result{RequeueAfter: conflictRetry}},
		"Conflicts in several joins are a conflict":             {err: errors.Join(wrapped(errors.Join(errConflict)), errConflict), want: ctrl.Result{RequeueAfter: conflictRetry}},
		"A conflict beside another error is an error":           {err: errors.Join(errConflict, errOther), wantError: true},
		"A conflict deep beside another error is an error":      {err: errors.Join(errConflict, wrapped(errors.Join(errConflict, errOther))), wantError: true},
		"Two errors in one format beside a conflict are errors": {err: fmt.Errorf("%w and %w", errConflict, errOther), wantError: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := outcome(tc.err, tc.after...)
			if (err != nil) != tc.wantError {
				t.Fatalf("error: want one %v, got %v", tc.wantError, err)
			}
			if got != tc.want {
				t.Errorf("result: want %+v, got %+v", tc.want, got)
			}
		})
	}
}
