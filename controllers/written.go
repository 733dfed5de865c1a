package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writtenVersions knows which version of an object a status was last written over. As long as the cache still shows that version it
// has not seen the write, and a reconcile would only repeat it, to be refused as a conflict. It is safe for concurrent use.
type writtenVersions struct {
	mu       sync.Mutex
	replaced map[types.NamespacedName]string
}

// note remembers that a status was written over this version of an object, unless nothing came of that: there is no other version to
// wait for then.
func (w *writtenVersions) note(replaced, written client.Object) {
	if written.GetResourceVersion() == replaced.GetResourceVersion() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.replaced == nil {
		w.replaced = map[types.NamespacedName]string{}
	}
	w.replaced[client.ObjectKeyFromObject(replaced)] = replaced.GetResourceVersion()
}

// isStale reports whether an object read from the cache is older than what was written last.
func (w *writtenVersions) isStale(o client.Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	replaced, known := w.replaced[client.ObjectKeyFromObject(o)]
	return known && replaced != "" && replaced == o.GetResourceVersion()
}

func (w *writtenVersions) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.replaced, key)
}
