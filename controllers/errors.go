package controllers

import (
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
)

// conflictRetry is the pause after a write met a newer version of our own object: long enough for the watch to deliver it.
const conflictRetry = 200 * time.Millisecond

// outcome turns what a reconcile came to into what controller-runtime wants: an error is retried with backoff, a conflict on our
// own object quietly, and otherwise the soonest of the wanted times counts.
func outcome(err error, after ...time.Duration) (ctrl.Result, error) {
	if onlyConflicts(err) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: soonest(after...)}, nil
}

func onlyConflicts(err error) bool {
	if err == nil {
		return false
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			if !onlyConflicts(e) {
				return false
			}
		}
		return true
	}
	return apierrors.IsConflict(err)
}

// soonest returns the smallest positive duration, zero when there is none.
func soonest(durations ...time.Duration) time.Duration {
	var least time.Duration
	for _, d := range durations {
		if d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}
