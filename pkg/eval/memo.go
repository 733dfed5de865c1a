package eval

// memo remembers the gates nested in one evaluation: each is worked out once and its exposures are repeated. Without it
// gates that share others would take exponential time. Few gates fit in place, more cost a map.
type memo struct {
	few  [maxFew]memoEntry
	used int
	more map[*spec]memoEntry
}

const maxFew = 4

type memoEntry struct {
	gate   *spec
	ruleID string
	// from and to bound the gate's own exposures in the recorder.
	from, to int
	pass     bool
}

func (m *memo) find(gate *spec) (memoEntry, bool) {
	for i := range m.used {
		if m.few[i].gate == gate {
			return m.few[i], true
		}
	}
	e, ok := m.more[gate]
	return e, ok
}

func (m *memo) add(e memoEntry) {
	if m.used < maxFew {
		m.few[m.used] = e
		m.used++
		return
	}
	if m.more == nil {
		m.more = map[*spec]memoEntry{}
	}
	m.more[e.gate] = e
}
