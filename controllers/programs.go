package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// programCache keeps what was compiled of each object's spec. Compiling CEL costs far more than a reconcile. It is safe for concurrent
// use, and the zero value is ready.
type programCache[P any] struct {
	mu       sync.Mutex
	programs map[types.NamespacedName]compiledProgram[P]
}

type compiledProgram[P any] struct {
	uid        types.UID
	generation int64
	program    P
	err        error
}

// compile returns what an object's spec was compiled to, or what is wrong with it. It calls compile once for each generation.
func (c *programCache[P]) compile(o client.Object, compile func() (P, error)) (P, error) {
	key := client.ObjectKeyFromObject(o)
	c.mu.Lock()
	held, known := c.programs[key]
	c.mu.Unlock()
	if known && held.uid == o.GetUID() && held.generation == o.GetGeneration() {
		return held.program, held.err
	}
	held = compiledProgram[P]{uid: o.GetUID(), generation: o.GetGeneration()}
	held.program, held.err = compile()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.programs == nil {
		c.programs = map[types.NamespacedName]compiledProgram[P]{}
	}
	c.programs[key] = held
	return held.program, held.err
}

func (c *programCache[P]) forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.programs, key)
}
