package ofrep

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// catalogs has a catalog for each snapshot in use. A snapshot that nobody uses any longer takes its catalog with it.
type catalogs struct {
	mu sync.RWMutex
	by map[weak.Pointer[eval.Snapshot]]*catalog
}

func (c *catalogs) of(s *eval.Snapshot) *catalog {
	p := weak.Make(s)
	c.mu.RLock()
	found := c.by[p]
	c.mu.RUnlock()
	if found != nil {
		return found
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if found = c.by[p]; found != nil {
		return found
	}
	if c.by == nil {
		c.by = map[weak.Pointer[eval.Snapshot]]*catalog{}
	}
	found = &catalog{static: map[eval.Ref]bool{}}
	c.by[p] = found
	runtime.AddCleanup(s, c.forget, p)
	return found
}

func (c *catalogs) forget(p weak.Pointer[eval.Snapshot]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.by, p)
}

// catalog is what is worked out once for a snapshot. It must not refer to the snapshot.
type catalog struct {
	once    sync.Once
	entries []entry
	span    atomic.Pointer[span]

	mu sync.RWMutex
	// static remembers which entities answer the same for everyone.
	static map[eval.Ref]bool
}

// span is a time in which the clock changes no answer.
type span struct {
	from, until time.Time // until is zero where it has no end
}

// boundary is the first instant after now at which the clock can change an answer, zero where there is none.
func (c *catalog) boundary(s *eval.Snapshot, now time.Time) time.Time {
	if p := c.span.Load(); p != nil && !now.Before(p.from) && (p.until.IsZero() || now.Before(p.until)) {
		return p.until
	}
	until, _ := s.FirstBoundary(now)
	c.span.Store(&span{now, until})
	return until
}

// isStatic reports whether neither the user nor the clock makes a difference to an entity's rules.
func (c *catalog) isStatic(s *eval.Snapshot, r eval.Ref) bool {
	c.mu.RLock()
	static, known := c.static[r]
	c.mu.RUnlock()
	if known {
		return static
	}
	needs := s.Closure(r)
	static = len(needs.Fields) == 0 && len(needs.IDLists) == 0 && !needs.UsesTime && !needs.UsesIP && !needs.UsesUserAgent
	c.mu.Lock()
	defer c.mu.Unlock()
	c.static[r] = static
	return static
}

// entry is one entity of a bulk answer.
type entry struct {
	ref eval.Ref
	// head opens the object of the entity's own answer, up to and with its key; "" where the entity has none.
	head string
	// parameterHead does so for its parameters, up to the parameter's name.
	parameterHead string
	// parameters are those of a store; others are in the value.
	parameters []string
	// longer is what stands behind the name and a dot in the names of entities that such keys mean in place of parameters.
	longer []string
}

// all lists the entities of bulk answers, in the order of kinds and names.
func (c *catalog) all(s *eval.Snapshot) []entry {
	c.once.Do(func() {
		refs := s.Refs()
		gates := s.Names(eval.KindGate)
		names := make([]string, len(refs))
		for i, r := range refs {
			names[i] = r.Name
		}
		slices.Sort(names)
		for _, r := range refs {
			switch r.Kind {
			case eval.KindGate:
				// Segments and holdouts are not listed.
				if _, listed := slices.BinarySearch(gates, r.Name); !listed {
					continue
				}
			case eval.KindDynamicConfig, eval.KindExperiment:
				if r.Kind != s.ConfigKind(r.Name) {
					continue
				}
			default:
			}
			c.entries = append(c.entries, newEntry(s, r, names))
		}
	})
	return c.entries
}

// newEntry finds the keys under which single evaluations know an entity and its parameters: without the kind where that
// can't mean anything else.
func newEntry(s *eval.Snapshot, r eval.Ref, sorted []string) entry {
	e := entry{ref: r}
	prefix := kindWord(r.Kind) + ":"
	bare := !isTaken(s, r)
	if _, _, explicit := cutKind(r.Name); explicit {
		bare = false
	}
	if r.Kind != eval.KindLayer && r.Kind != eval.KindParameterStore {
		e.head = keyHead(prefix, r.Name, bare)
		e.head += `"`
	}
	if r.Kind == eval.KindGate {
		return e
	}
	first, _ := slices.BinarySearch(sorted, r.Name+".")
	for _, name := range sorted[first:] {
		rest, longer := strings.CutPrefix(name, r.Name+".")
		if !longer {
			break
		}
		bare = false
		if s.Has(eval.Ref{Kind: r.Kind, Name: name}) {
			e.longer = append(e.longer, rest)
		}
	}
	e.parameterHead = keyHead(prefix, r.Name+".", bare)
	if r.Kind == eval.KindParameterStore {
		e.parameters = s.Parameters(r.Name)
	}
	return e
}

// isTaken reports whether an entity's name alone means another entity.
func isTaken(s *eval.Snapshot, r eval.Ref) bool {
	switch r.Kind {
	case eval.KindDynamicConfig, eval.KindExperiment:
		return s.Has(eval.Ref{Kind: eval.KindGate, Name: r.Name})
	case eval.KindLayer:
		return s.ConfigKind(r.Name) != 0
	case eval.KindParameterStore:
		return s.ConfigKind(r.Name) != 0 || s.Has(eval.Ref{Kind: eval.KindLayer, Name: r.Name})
	default:
		return false
	}
}

// keyHead opens the object of an answer and its key, which is left open.
func keyHead(prefix, name string, bare bool) string {
	if !bare {
		name = prefix + name
	}
	text := string(appendMember(nil, "{", "key", name))
	return text[:len(text)-1]
}

// isReachable reports whether the key of a parameter means the parameter.
func (e *entry) isReachable(parameter string) bool {
	for _, name := range e.longer {
		rest, ok := strings.CutPrefix(parameter, name)
		if ok && (rest == "" || rest[0] == '.') {
			return false
		}
	}
	return parameter != ""
}
