package serve

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func TestLimitsAreEachKeysOwn(t *testing.T) {
	l := NewLimits(2, 3)
	for i := range 3 {
		if wait := l.Take("ann", noon); wait != 0 {
			t.Fatalf("time %d within the burst: wait %s", i, wait)
		}
	}
	for range 5 { // what is refused is not counted
		if wait := l.Take("ann", noon); wait != 500*time.Millisecond {
			t.Errorf("beyond the burst: wait %s, want 500ms", wait)
		}
	}
	if wait := l.Take("bob", noon); wait != 0 {
		t.Errorf("another key: wait %s", wait)
	}
	if wait := l.Take("ann", noon.Add(500*time.Millisecond)); wait != 0 {
		t.Errorf("after the wait: wait %s", wait)
	}
}

// TestAFloodLeavesNoDebt has many ask for one key at the same instant, over and over.
func TestAFloodLeavesNoDebt(t *testing.T) {
	l := NewLimits(1, 1)
	var flood sync.WaitGroup
	for range 16 {
		flood.Go(func() {
			for range 2000 {
				l.Take("ann", noon)
			}
		})
	}
	flood.Wait()
	if wait := l.Take("ann", noon.Add(time.Second)); wait != 0 {
		t.Errorf("a second later: wait %s", wait)
	}
}

func TestLimitsAreBounded(t *testing.T) {
	l := NewLimits(1, 1)
	for i := range maxLimited + 10 {
		l.Take(fmt.Sprint("stranger", i), noon)
	}
	if n := len(l.limits.entries); n != maxLimited || l.limits.order.Len() != n {
		t.Errorf("%d keys and %d in order are remembered, want %d", n, l.limits.order.Len(), maxLimited)
	}
	if wait := l.Take(fmt.Sprint("stranger", maxLimited+9), noon); wait == 0 {
		t.Error("the last one is forgotten")
	}
	if wait := l.Take("stranger0", noon); wait != 0 {
		t.Error("the first one is remembered beyond the bound")
	}
}

func TestRetryAfterIsInWholeSeconds(t *testing.T) {
	for wait, want := range map[time.Duration]int{0: 1, time.Millisecond: 1, time.Second: 1, 1001 * time.Millisecond: 2} {
		if got := RetryAfter(wait); got != want {
			t.Errorf("%s: got %d, want %d", wait, got, want)
		}
	}
}
