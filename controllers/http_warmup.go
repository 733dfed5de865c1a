package controllers

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// warmUp bounds how long a replica is kept from being ready because projects await their first answer: no project may
// keep the others from being served.
const warmUp = 15 * time.Second

// warmingUp says when a replica that has just started can answer: once the cache is filled, and the projects that
// evaluate over HTTP have asked their sources, with whatever result. Before that it would have clients fall back to
// their own defaults at each update of the operator. What comes later, such as another project, changes nothing.
type warmingUp struct {
	synced   func() bool
	cache    client.Reader
	runtimes *Runtimes

	mu sync.Mutex
	// filled is when the cache was first seen to be filled.
	filled time.Time
	ready  bool
}

// check is a readiness probe.
func (w *warmingUp) check(request *http.Request) error {
	if !w.synced() {
		return errors.New("the cache is not filled yet")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.runtimes.Now()
	if w.filled.IsZero() {
		w.filled = now
	}
	if w.ready || now.Sub(w.filled) >= warmUp {
		w.ready = true
		return nil
	}
	projects := &v1alpha1.StatsigProjectList{}
	if err := w.cache.List(request.Context(), projects, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing StatsigProjects: %w", err)
	}
	for i := range projects.Items {
		project := &projects.Items[i]
		name := client.ObjectKeyFromObject(project)
		if project.Spec.OFREP != nil && !project.Spec.Suspend && w.runtimes.awaits(name) {
			return fmt.Errorf("StatsigProject %s awaits its first answer", name)
		}
	}
	w.ready = true
	return nil
}

// awaits reports whether it is still open, in this process, what a project evaluates with.
func (r *Runtimes) awaits(project types.NamespacedName) bool {
	running, settled := r.lookup(project)
	if running == nil {
		return !settled
	}
	_, _, awaited := running.evaluator()
	return awaited
}
