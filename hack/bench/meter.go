package main

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// sample is what some operations took. Peers outside this process can't count allocations and leave them 0.
type sample struct {
	elapsed    time.Duration
	operations int
	allocs     uint64
}

// counted measures one call.
func counted(do func()) sample {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	do()
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	return sample{elapsed: elapsed, allocs: after.Mallocs - before.Mallocs}
}

// repeated returns what repeats an operation n times.
func repeated(do func(i int)) func(n int) (sample, error) { return onThreads(1, do) }

// onThreads returns what repeats an operation n times on each of some threads.
func onThreads(threads int, do func(i int)) func(n int) (sample, error) {
	return each(threads, func(_, n int) {
		for i := range n {
			do(i)
		}
	})
}

// each returns what runs a loop of n operations on each of some threads.
func each(threads int, loop func(thread, n int)) func(n int) (sample, error) {
	return func(n int) (sample, error) {
		s := counted(func() {
			if threads == 1 {
				loop(0, n)
				return
			}
			var group sync.WaitGroup
			for t := range threads {
				group.Go(func() { loop(t, n) })
			}
			group.Wait()
		})
		s.operations = n * threads
		return s, nil
	}
}

// timing sums rounds up, in nanoseconds per operation. The zero value stands for what was not measured.
type timing struct {
	least, median, allocs float64
	measured              bool
}

// contestant is one of several things whose speed is compared.
type contestant struct {
	name string
	// run does n operations; nil is not measured.
	run func(n int) (sample, error)
}

// meter is how carefully is measured.
type meter struct {
	rounds int
	batch  time.Duration
}

// compare lets contestants take turns, a batch each per round, so that whatever else the machine does falls on all of
// them. The timings are in the contestants' order.
func (m meter) compare(contestants []contestant) ([]timing, error) {
	sizes := make([]int, len(contestants))
	for i, c := range contestants {
		var err error
		if sizes[i], err = m.size(c); err != nil {
			return nil, err
		}
	}
	rounds := make([][]float64, len(contestants))
	timings := make([]timing, len(contestants))
	for range m.rounds {
		for i, c := range contestants {
			if c.run == nil {
				continue
			}
			runtime.GC() // what one contestant left behind is not the next one's work
			s, err := c.run(sizes[i])
			if err != nil {
				return nil, fmt.Errorf("measuring %s: %w", c.name, err)
			}
			rounds[i] = append(rounds[i], float64(s.elapsed.Nanoseconds())/float64(s.operations))
			timings[i].allocs = float64(s.allocs) / float64(s.operations)
		}
	}
	for i := range timings {
		if len(rounds[i]) > 0 {
			slices.Sort(rounds[i])
			timings[i].least, timings[i].median, timings[i].measured = rounds[i][0], rounds[i][len(rounds[i])/2], true
		}
	}
	return timings, nil
}

// size finds how many operations make a batch, which also warms the contestant up.
func (m meter) size(c contestant) (int, error) {
	if c.run == nil {
		return 0, nil
	}
	for n := 1; ; n *= 4 {
		s, err := c.run(n)
		if err != nil {
			return 0, fmt.Errorf("measuring %s: %w", c.name, err)
		}
		if s.elapsed >= m.batch/4 {
			return max(1, int(float64(n)*float64(m.batch)/float64(s.elapsed))), nil
		}
	}
}
