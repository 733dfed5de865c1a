package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// requestQueue lets what is not a watch queue objects with a controller: changed specs, delivered events. Before the controller
// starts, requests are dropped: it begins with all objects anyway.
type requestQueue struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// source gives the queue to its controller.
func (q *requestQueue) source() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.queue = queue
		return nil
	})
}

func (q *requestQueue) add(requests ...reconcile.Request) { q.addAfter(0, requests...) }

func (q *requestQueue) addAfter(after time.Duration, requests ...reconcile.Request) {
	q.mu.Lock()
	queue := q.queue
	q.mu.Unlock()
	if queue == nil {
		return
	}
	for _, request := range requests {
		queue.AddAfter(request, after)
	}
}

// retried is outcome, where what is due at its time does not wait for the retries of what failed, which come ever more seldom.
func (q *requestQueue) retried(request reconcile.Request, err error, after ...time.Duration) (reconcile.Result, error) {
	if due := soonest(after...); err != nil && due > 0 {
		q.addAfter(due, request)
	}
	return outcome(err, after...)
}
