package serve

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func answering(value string, holds time.Duration, err error) func() (string, time.Duration, error) {
	return func() (string, time.Duration, error) { return value, holds, err }
}

func TestAnswersHoldForTheirTime(t *testing.T) {
	c := NewCache[string](10)
	if _, ok := c.Get("a", noon); ok {
		t.Fatal("there is an answer that nobody gave")
	}
	if got, err := c.Ask("a", noon, answering("yes", time.Minute, nil)); got != "yes" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	for at, want := range map[time.Duration]bool{0: true, time.Minute - 1: true, time.Minute: false} {
		if got, ok := c.Get("a", noon.Add(at)); ok != want || (ok && got != "yes") {
			t.Errorf("after %s: got %q, %v, want %v", at, got, ok, want)
		}
	}
}

func TestErrorsAreNotRemembered(t *testing.T) {
	c := NewCache[string](10)
	broken := errors.New("broken")
	if _, err := c.Ask("a", noon, answering("", time.Minute, broken)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, ok := c.Get("a", noon); ok {
		t.Error("an error is remembered")
	}
}

func TestACacheIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	c := NewCache[string](3)
	for i := range 5 {
		if _, err := c.Ask(fmt.Sprint(i), noon, answering("", time.Hour, nil)); err != nil {
			t.Fatal(err)
		}
		c.Get("0", noon)
	}
	for key, want := range map[string]bool{"0": true, "1": false, "2": false, "3": true, "4": true} {
		if _, ok := c.Get(key, noon); ok != want {
			t.Errorf("%s: remembered %v, want %v", key, ok, want)
		}
	}
}

func TestWhoeverAsksMeanwhileGetsTheSameAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCache[string](10)
		var asked atomic.Int64
		answer := make(chan string)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				got, err := c.Ask("a", noon, func() (string, time.Duration, error) {
					asked.Add(1)
					return <-answer, time.Minute, nil
				})
				if got != "yes" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		synctest.Wait()
		answer <- "yes"
		all.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}
