package conformance

import (
	"encoding/json"
	"fmt"
)

// Tally counts what was compared.
type Tally struct {
	// Cases are answers: a call, an entity in a response, an event, a document, a row.
	Cases int
	// Cells are the parts of answers that were compared; each is a match, a mismatch or a known difference.
	Cells, Mismatches, Known int
	// Unstable are parts that the SDK itself doesn't repeat, so that there was nothing to compare with.
	Unstable int
}

// Matches are the cells that are equal.
func (t Tally) Matches() int { return t.Cells - t.Mismatches - t.Known }

// Plus are the counts of both tallies.
func (t Tally) Plus(o Tally) Tally {
	return Tally{t.Cases + o.Cases, t.Cells + o.Cells, t.Mismatches + o.Mismatches, t.Known + o.Known, t.Unstable + o.Unstable}
}

// Outcome is what came of one case.
type Outcome struct {
	Tally
	// Shown are the first mismatches.
	Shown []Mismatch
}

// Mismatch is a cell that differs.
type Mismatch struct {
	// Entity is the name of what was asked for, Field a path into the answer.
	Kind, Entity, Field string
	// User is the user's number, or that of a row or an event.
	User int
	// Got and Want are in JSON, cut off where they are long.
	Got, Want string
}

// Cell names the place of a mismatch.
func (m Mismatch) Cell() string {
	return fmt.Sprintf("%s %q, user %d: %s", m.Kind, m.Entity, m.User, m.Field)
}

// String says all of a mismatch in a line.
func (m Mismatch) String() string { return fmt.Sprintf("%s = %s, want %s", m.Cell(), m.Got, m.Want) }

// cell names a part of a recorded answer.
type cell struct {
	kind, entity string
	user         int
	// field is a path: get.value, gcir.rule_id, metadata.gate.
	field string
}

// sheet keeps the score of one case.
type sheet struct {
	suite, group     string
	known            *Known
	unstable         map[string]bool
	stride, maxShown int
	outcome          Outcome
	// decoded are values of ours by their text: documents have few, and users many of the same.
	decoded map[string]any
}

// isUnstable tells that the SDK doesn't repeat a cell, and counts it.
func (s *sheet) isUnstable(c cell) bool {
	if len(s.unstable) == 0 || !s.unstable[fmt.Sprintf("%s/%s/%d/%s", c.kind, c.entity, c.user, c.field)] {
		return false
	}
	s.outcome.Unstable++
	return true
}

// compare counts one cell. got and want are only shown.
func (s *sheet) compare(c cell, equal bool, got, want any) {
	if s.isUnstable(c) {
		return
	}
	s.outcome.Cells++
	switch {
	case equal:
	case s.known.explains(s.suite, s.group, c):
		s.outcome.Known++
	default:
		s.outcome.Mismatches++
		if len(s.outcome.Shown) < s.maxShown {
			s.outcome.Shown = append(s.outcome.Shown, Mismatch{
				Kind: c.kind, Entity: c.entity, Field: c.field, User: c.user, Got: show(got), Want: show(want),
			})
		}
	}
}

// value decodes a JSON text of ours, nil for "".
func (s *sheet) value(text string) any {
	if text == "" {
		return nil
	}
	v, ok := s.decoded[text]
	if !ok {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			v = fmt.Errorf("no JSON: %w", err) // equals nothing recorded
		}
		if s.decoded == nil {
			s.decoded = map[string]any{}
		}
		s.decoded[text] = v
	}
	return v
}

// show is a value on one line, cut off where it is long.
func show(v any) string {
	const most = 1000
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Append(nil, v)
	}
	if len(text) > most {
		return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
	}
	return string(text)
}
