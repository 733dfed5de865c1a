// Command events measures event logging beside the official Go SDK's: events per second until a server on loopback has
// acknowledged them all, and allocations and CPU time per event, the server's share of both included. The variants take
// turns, and medians of the rounds are shown.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

// variant is a way to log.
type variant struct {
	name string
	// start begins to log to the server in a directory of its own. The result logs one event, and finish returns when
	// the server has acknowledged all.
	start func(server *sink, dir string) (session, error)
}

type session interface {
	// logOne logs event i.
	logOne(i int) error
	// finish waits until n events are acknowledged, and ends the session.
	finish(n int) error
}

// measurement is one round of one variant.
type measurement struct {
	perSecond, allocations, cpu float64
}

func main() {
	events := flag.Int("events", 300_000, "events per round")
	rounds := flag.Int("rounds", 5, "rounds of each variant")
	flag.Parse()
	if err := compare(*events, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compare(events, rounds int) error {
	server, err := newSink()
	if err != nil {
		return err
	}
	defer server.close()
	for kind, variants := range map[string][]variant{"custom events": customVariants(), "gate exposures": exposureVariants()} {
		measured := map[string][]measurement{}
		for range rounds {
			for _, v := range variants {
				m, err := measure(v, server, events)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", kind, v.name, err)
				}
				measured[v.name] = append(measured[v.name], m)
			}
		}
		report(kind, variants, measured)
	}
	return nil
}

func measure(v variant, server *sink, events int) (m measurement, err error) {
	dir, err := os.MkdirTemp("", "events-bench-")
	if err != nil {
		return m, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server.reset()
	s, err := v.start(server, dir)
	if err != nil {
		return m, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, started := cpuTime(), time.Now()
	for i := range events {
		if err := s.logOne(i); err != nil {
			return m, err
		}
	}
	if err := s.finish(events); err != nil {
		return m, err
	}
	took := time.Since(started)
	m.cpu = float64(cpuTime()-cpu) / float64(events)
	runtime.ReadMemStats(&after)
	m.perSecond = float64(events) / took.Seconds()
	m.allocations = float64(after.Mallocs-before.Mallocs) / float64(events)
	return m, nil
}

// cpuTime is what this process used so far.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func report(kind string, variants []variant, measured map[string][]measurement) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tevents/s\tratio\tallocations/event\tCPU ns/event\t\n", kind)
	base := median(measured[variants[0].name], func(m measurement) float64 { return m.perSecond })
	for _, v := range variants {
		all := measured[v.name]
		perSecond := median(all, func(m measurement) float64 { return m.perSecond })
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f\t%.0f\t\n", v.name, perSecond, perSecond/base,
			median(all, func(m measurement) float64 { return m.allocations }),
			median(all, func(m measurement) float64 { return m.cpu }))
	}
	_ = w.Flush()
	fmt.Println()
}

func median(all []measurement, value func(measurement) float64) float64 {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b measurement) int { return cmp.Compare(value(a), value(b)) })
	return value(sorted[len(sorted)/2])
}
