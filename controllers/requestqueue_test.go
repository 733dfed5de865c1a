package controllers

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func requestFor(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: name}}
}

// queueOf gives q a queue, as its controller does, and ends it with the test.
func queueOf(t *testing.T, q *requestQueue) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	t.Cleanup(queue.ShutDown)
	if err := q.source().Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	return queue
}

// takeAll returns the names of the queued requests, in order.
func takeAll(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) []string {
	var names []string
	for queue.Len() > 0 {
		request, _ := queue.Get()
		queue.Done(request)
		names = append(names, request.Name)
	}
	return names
}

func TestRequestsReachTheController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &requestQueue{}
		q.add(requestFor("too-early"))
		queue := queueOf(t, q)
		if got := takeAll(queue); got != nil {
			t.Errorf("before the controller starts: want requests dropped, got %v", got)
		}
		q.add(requestFor("a"), requestFor("b"), requestFor("a"))
		if diff := cmp.Diff([]string{"a", "b"}, takeAll(queue)); diff != "" {
			t.Errorf("queued (-want +got):\n%s", diff)
		}
		q.addAfter(time.Minute, requestFor("later"))
		q.addAfter(time.Hour, requestFor("later"))
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		if got := takeAll(queue); got != nil {
			t.Errorf("before its time: want nothing, got %v", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if diff := cmp.Diff([]string{"later"}, takeAll(queue)); diff != "" {
			t.Errorf("at its time (-want +got):\n%s", diff)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := takeAll(queue); got != nil {
			t.Errorf("asked for twice: want one request, at the earlier time, got %v too", got)
		}
	})
}

func TestWhatIsDueDoesNotWaitForRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &requestQueue{}
		queue := queueOf(t, q)
		failure := errors.New("refused")
		if result, err := q.retried(requestFor("a"), failure, 0, time.Minute); !errors.Is(err, failure) || !result.IsZero() {
			t.Errorf("want the error alone, got %+v, %v", result, err)
		}
		if result, err := q.retried(requestFor("b"), nil, time.Minute); err != nil || result.RequeueAfter != time.Minute {
			t.Errorf("without an error: want a request for later, got %+v, %v", result, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a"}, takeAll(queue)); diff != "" {
			t.Errorf("queued when it is due (-want +got):\n%s", diff)
		}
	})
}
