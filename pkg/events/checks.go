package events

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	nonExposedChecksEvent = "statsig::non_exposed_checks"
	// maxCheckNames bounds the names counted between two events; their number makes the next one due early.
	maxCheckNames = 1000
)

// checks counts evaluations that are not exposed, by the name of what was asked for.
type checks struct {
	mu     sync.Mutex
	counts map[string]int64
}

func newChecks() *checks { return &checks{counts: map[string]int64{}} }

// count adds one. It returns what was counted so far if there is no room for another name.
func (c *checks) count(name string) (full map[string]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, known := c.counts[name]; known {
		c.counts[name] = n + 1
		return nil
	}
	if len(c.counts) >= maxCheckNames {
		full, c.counts = c.counts, map[string]int64{}
	}
	c.counts[name] = 1
	return full
}

// take hands over what was counted since the last call, nil if nothing was.
func (c *checks) take() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.counts) == 0 {
		return nil
	}
	counts := c.counts
	c.counts = map[string]int64{}
	return counts
}

// names is the number of names counted since the last event.
func (c *checks) names() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.counts)
}

// CountCheck counts one evaluation that is not exposed: of a gate, dynamic config, experiment or layer whose exposure is
// switched off, or of a parameter store. The counts go out as one event with the batch that is sent at the next
// [Options.FlushInterval], at a [Logger.Flush], or at the end; Statsig uses them to tell what is still asked for. Counts
// of a disabled logger are not kept.
func (l *Logger) CountCheck(name string) {
	if l.options.Disabled {
		return
	}
	if full := l.checks.count(name); full != nil {
		l.logChecks(full)
	}
}

// flushChecks queues what was counted since the last call; it comes before each scheduled batch.
func (l *Logger) flushChecks() { l.logChecks(l.checks.take()) }

func (l *Logger) logChecks(counts map[string]int64) {
	if len(counts) > 0 {
		l.Log(checksEvent(counts, l.now()))
	}
}

// checksEvent carries the counts as JSON in a string, since Statsig's metadata does not nest. It has no user.
func checksEvent(counts map[string]int64, at time.Time) CustomEvent {
	text := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendString(text, name)
		text = append(text, ':')
		text = strconv.AppendInt(text, counts[name], 10)
	}
	text = append(text, '}')
	return CustomEvent{
		Name:     nonExposedChecksEvent,
		Metadata: map[string]Value{"checks": String(string(text))},
		Time:     at,
	}
}
