package eval

// memo remembers the gates nested in one evaluation: each is worked out once and its exposures are repeated. Without it
// gates that share others would take exponential time. Memos are reused, and evaluations that meet no gate take none.
type memo struct {
	entries []memoEntry
	// index finds an entry where there are many.
	index map[*spec]int
}

type memoEntry struct {
	gate   *spec
	ruleID string
	// exposures are the gate's own, without that of the gate itself.
	exposures []SecondaryExposure
	// names is the length of their names, in a client initialize response.
	names int
	pass  bool
}

func newMemo() any { return &memo{index: map[*spec]int{}} }

// find returns nil for a gate that wasn't met yet; a nil memo has met none.
func (m *memo) find(gate *spec) *memoEntry {
	if m == nil {
		return nil
	}
	if len(m.index) > 0 {
		if i, ok := m.index[gate]; ok {
			return &m.entries[i]
		}
		return nil
	}
	for i := range m.entries {
		if m.entries[i].gate == gate {
			return &m.entries[i]
		}
	}
	return nil
}

func (m *memo) add(e memoEntry) {
	m.entries = append(m.entries, e)
	switch n := len(m.entries); {
	case n == maxLinear+1:
		for i := range m.entries {
			m.index[m.entries[i].gate] = i
		}
	case n > maxLinear:
		m.index[e.gate] = n - 1
	}
}

// remember adds a gate to the memo of this evaluation.
func (s *scope) remember(e memoEntry) {
	if s.memo == nil {
		s.memo = s.e.snapshot.memos.Get().(*memo)
	}
	s.memo.add(e)
}

// release gives the memo back for reuse, without what it refers to.
func (s *scope) release() {
	if s.memo == nil {
		return
	}
	clear(s.memo.entries)
	s.memo.entries = s.memo.entries[:0]
	clear(s.memo.index)
	s.e.snapshot.memos.Put(s.memo)
	s.memo = nil
}
