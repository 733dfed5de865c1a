package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// loadCommand is the argument with which the program runs itself, to load one document in a process of its own.
const loadCommand = "load-once"

// loaded is what loading one document took: nanoseconds and bytes.
type loaded struct {
	Elapsed int64
	// Before is the memory resident before the document was read, After and Peak what came on top.
	Before, After, Peak uint64
	// Live is what the heap holds after a collection, the document's text included.
	Live uint64
}

// loaders are what is compared in loading.
var loaders = map[string]func(text []byte) (any, error){
	ours:  func(text []byte) (any, error) { return compileDocument(text) },
	goSDK: func(text []byte) (any, error) { return newGoSDKClient(string(text)) },
}

// loadOnce loads a document and prints what it took.
func loadOnce(loader, path string, w io.Writer) error {
	var l loaded
	l.Before = resident("VmRSS")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	start := time.Now()
	result, err := loaders[loader](text)
	if err != nil {
		return err
	}
	l.Elapsed = time.Since(start).Nanoseconds()
	text = nil //nolint:ineffassign,wastedassign // lets the collection below have it
	l.Peak = resident("VmHWM") - l.Before
	debug.FreeOSMemory()
	l.After = resident("VmRSS") - l.Before
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	l.Live = stats.HeapAlloc
	runtime.KeepAlive(result)
	return json.NewEncoder(w).Encode(l)
}

// resident reads a size of this process from /proc; 0 where there is none.
func resident(field string) uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), field+":")
	size, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseUint(size, 10, 64)
	return n * 1024
}

// loadSection measures how documents become ready, each time in a new process.
func loadSection(ctx context.Context, o options, w io.Writer) error {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	var documents []namedDocument
	for _, size := range []float64{0.4, 10, 50} {
		text, err := largeDocument(size, false)
		if err != nil {
			return err
		}
		documents = append(documents, namedDocument{fmt.Sprintf("%.3g MB", size), text})
	}
	given, err := readDocuments(o.documents)
	if err != nil {
		return err
	}
	for _, d := range given {
		if len(d.text) >= minLargeDocument {
			documents = append(documents, d)
		}
	}
	t := table{
		title: "Decode and compile, in new processes: least (median); memory on top of the empty process, least",
		header: []string{
			"document", "loader", "bytes", "one core", "all cores", "live heap", "resident", "peak", "peak/document",
		},
	}
	for _, d := range documents {
		if err := measureLoad(ctx, o, d, folder, &t, w); err != nil {
			return fmt.Errorf("document %s: %w", d.name, err)
		}
	}
	t.print(w)
	return measureLoadScaling(o.meter, w)
}

// measureLoadScaling loads several documents at once, as happens where there are several projects.
func measureLoadScaling(how meter, w io.Writer) error {
	text, err := largeDocument(10, false)
	if err != nil {
		return err
	}
	var failed atomic.Pointer[error]
	load := func(int) {
		if _, err := compileDocument(text); err != nil {
			failed.Store(&err)
		}
	}
	cores := runtime.GOMAXPROCS(0)
	timings, err := how.compare([]contestant{
		{"one thread", onThreads(1, load)}, {"all threads", onThreads(cores, load)},
	})
	if failure := failed.Load(); failure != nil {
		return *failure
	}
	if err != nil {
		return err
	}
	t := table{
		title:  "Decode and compile of documents of 10 MB, one after another and on all threads: time per document",
		header: []string{"", "one thread", fmt.Sprintf("%d threads", cores), "scales by"},
	}
	t.add(ours, timings[0].cell(), timings[1].cell(), timings[1].ratio(timings[0]))
	t.print(w)
	return nil
}

// measureLoad adds a document's rows.
func measureLoad(ctx context.Context, o options, d namedDocument, folder string, t *table, w io.Writer) error {
	legacy, err := legacyForm(d.text)
	if err != nil {
		return err
	}
	texts := map[string][]byte{ours: d.text, goSDK: legacy}
	one, all := map[string][]loaded{}, map[string][]loaded{}
	names := []string{ours, goSDK}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(name)), texts[name], 0o600); err != nil {
			return err
		}
	}
	var core []loaded
	for range o.meter.rounds {
		for _, name := range names {
			path := filepath.Join(folder, filepath.Base(name))
			for _, cores := range []struct {
				count  int
				rounds map[string][]loaded
			}{{1, one}, {runtime.NumCPU(), all}} {
				l, err := loadInProcess(ctx, name, path, cores.count)
				if err != nil {
					return err
				}
				cores.rounds[name] = append(cores.rounds[name], l)
			}
		}
		p, err := startNode(ctx, o, d.text, w)
		if err != nil {
			return err
		}
		if p != nil {
			before, after := p.ready.Before, p.ready.After
			core = append(core, loaded{
				Elapsed: p.ready.Elapsed, After: after.Resident - before.Resident, Peak: after.Peak - before.Resident,
			})
			p.close()
		}
	}
	for _, name := range names {
		addLoad(t, d, name, one[name], all[name], len(texts[name]))
	}
	if len(core) > 0 {
		addLoad(t, d, nodeCore, nil, core, len(d.text))
	}
	return nil
}

func addLoad(t *table, d namedDocument, name string, one, all []loaded, size int) {
	least := func(of func(loaded) uint64) uint64 {
		values := make([]uint64, len(all))
		for i, l := range all {
			values[i] = of(l)
		}
		return slices.Min(values)
	}
	live := least(func(l loaded) uint64 { return l.Live })
	peak := least(func(l loaded) uint64 { return l.Peak })
	t.add(d.name, name, fmt.Sprint(size), loadTiming(one).cell(), loadTiming(all).cell(), orNone(live),
		orNone(least(func(l loaded) uint64 { return l.After })), orNone(peak),
		fmt.Sprintf("%.1f", float64(peak)/float64(size)))
}

func orNone(bytes uint64) string {
	if bytes == 0 {
		return none
	}
	return megabytes(bytes)
}

func loadTiming(rounds []loaded) timing {
	if len(rounds) == 0 {
		return timing{}
	}
	elapsed := make([]float64, len(rounds))
	for i, l := range rounds {
		elapsed[i] = float64(l.Elapsed)
	}
	slices.Sort(elapsed)
	return timing{least: elapsed[0], median: elapsed[len(elapsed)/2], measured: true}
}

// loadInProcess runs this program again to load a document on a number of cores.
func loadInProcess(ctx context.Context, loader, path string, cores int) (loaded, error) {
	program, err := os.Executable()
	if err != nil {
		return loaded{}, err
	}
	child := exec.CommandContext(ctx, program, loadCommand, loader, path)
	child.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", cores))
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, os.Stderr
	if err := child.Run(); err != nil {
		return loaded{}, fmt.Errorf("loading with %s: %w", loader, err)
	}
	var l loaded
	return l, json.Unmarshal(out.Bytes(), &l)
}
