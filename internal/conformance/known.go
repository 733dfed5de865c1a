package conformance

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// Known are the differences from the official SDK that are meant. A nil *Known has none.
type Known struct{ entries []*difference }

// difference is one row of the list. Each part but the reason may be "*", or end in it.
type difference struct {
	suite, group, entity, field, reason string
	used                                atomic.Bool
}

// knownHeader begins the table of differences that recorded answers show.
const knownHeader = "| Suite | Group | Entity | Field | Why |"

// ReadKnown reads the list of known differences out of a Markdown file: the table with the columns Suite, Group, Entity,
// Field and Why. The first four say where the difference is; they may be or end in an asterisk.
func ReadKnown(file string) (*Known, error) {
	text, err := os.ReadFile(file) //nolint:gosec // which file is read is for the caller to say
	if err != nil {
		return nil, fmt.Errorf("reading known differences: %w", err)
	}
	known, err := parseKnown(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading known differences from %s: %w", file, err)
	}
	return known, nil
}

func parseKnown(text string) (*Known, error) {
	_, table, ok := strings.Cut(text, knownHeader+"\n")
	if !ok {
		return nil, errors.New("no table with the header " + knownHeader)
	}
	known := &Known{}
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		parts := strings.Split(strings.Trim(line, "|"), "|")
		for i := range parts {
			parts[i] = strings.Trim(strings.TrimSpace(parts[i]), "`")
		}
		switch {
		case strings.Trim(line, "|-: ") == "":
			continue // the line under the header
		case len(parts) != 5 || parts[4] == "":
			return nil, fmt.Errorf("row %q: want five columns, the last with a reason", line)
		}
		known.entries = append(known.entries, &difference{
			suite: parts[0], group: parts[1], entity: parts[2], field: parts[3], reason: parts[4],
		})
	}
	return known, nil
}

// explains reports whether a difference is meant.
func (k *Known) explains(suite, group string, c cell) bool {
	if k == nil {
		return false
	}
	for _, e := range k.entries {
		if matches(e.suite, suite) && matches(e.group, group) && matches(e.entity, c.entity) && matches(e.field, c.field) {
			e.used.Store(true)
			return true
		}
	}
	return false
}

// Unused lists the differences of suites and groups that were compared, but not found there: they should be struck off.
func (k *Known) Unused(compared []Case) []string {
	if k == nil {
		return nil
	}
	var unused []string
	for _, e := range k.entries {
		for _, c := range compared {
			if !e.used.Load() && matches(e.suite, c.Suite) && matches(e.group, c.Group) {
				unused = append(unused, fmt.Sprintf("%s %s %s %s (%s)", e.suite, e.group, e.entity, e.field, e.reason))
				break
			}
		}
	}
	return unused
}

// matches reports whether a text is the pattern, or begins with it where it ends in an asterisk.
func matches(pattern, text string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	return text == pattern || open && strings.HasPrefix(text, prefix)
}
