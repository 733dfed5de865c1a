package eval

// slab hands out values from larger blocks: a document has thousands of specs and conditions that live and die
// together.
type slab[T any] struct{ free []T }

const slabSize = 128

func (s *slab[T]) next() *T {
	if len(s.free) == 0 {
		s.free = make([]T, slabSize)
	}
	t := &s.free[0]
	s.free = s.free[1:]
	return t
}
