package serve

import "container/list"

// lru is a map of bounded size that drops what was not used for longest. It is not safe for concurrent use.
type lru[V any] struct {
	size    int
	entries map[string]*list.Element
	// order has the entry used last at its front.
	order list.List
}

type lruEntry[V any] struct {
	key   string
	value V
}

func newLRU[V any](size int) *lru[V] { return &lru[V]{size: size, entries: map[string]*list.Element{}} }

func (l *lru[V]) get(key string) (value V, ok bool) {
	element, ok := l.entries[key]
	if !ok {
		return value, false
	}
	l.order.MoveToFront(element)
	return element.Value.(*lruEntry[V]).value, true //nolint:forcetypeassert // the list holds nothing else
}

func (l *lru[V]) put(key string, value V) {
	if element, ok := l.entries[key]; ok {
		element.Value.(*lruEntry[V]).value = value //nolint:forcetypeassert // the list holds nothing else
		l.order.MoveToFront(element)
		return
	}
	if len(l.entries) >= l.size {
		last := l.order.Back()
		delete(l.entries, last.Value.(*lruEntry[V]).key) //nolint:forcetypeassert // the list holds nothing else
		l.order.Remove(last)
	}
	l.entries[key] = l.order.PushFront(&lruEntry[V]{key, value})
}
