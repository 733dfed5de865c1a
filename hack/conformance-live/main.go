// Command conformance-live compares this project's answers with those of Statsig's official SDK on documents and users
// that nobody has seen before. It installs the SDK from npm into a cache folder, makes random documents over all kinds
// of entities, conditions and operators, asks both, and reports each difference with the seed that brings it back:
//
//	conformance-live -seed SEED -documents 1
//
// Answers that the SDK itself doesn't repeat are told apart by asking it again. Where the SDK is known to crash, never to
// come back or to decide by chance, documents don't go; testdata/conformance/KNOWN_DIFFERENCES.md lists that. Nothing is
// sent to Statsig: the SDK talks to a server on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
)

type flags struct {
	seed             uint64
	documents, users int
	duration         time.Duration
	cache, version   string
	known, keep      string
	keepAll          bool
}

func main() {
	var f flags
	flag.Uint64Var(&f.seed, "seed", uint64(time.Now().UnixMilli()), "`seed` of the first document; each further one has the next")
	flag.IntVar(&f.documents, "documents", 200, "compare `n` documents; 0 stands for as many as -duration allows")
	flag.IntVar(&f.users, "users", 25, "ask for `n` users on each document")
	flag.DurationVar(&f.duration, "duration", 0, "stop after this `time`; 0 stands for no limit")
	flag.StringVar(&f.version, "sdk", "0.23.2", "`version` of "+sdk)
	flag.StringVar(&f.cache, "cache", "", "`folder` for the SDK (default in the user's cache folder)")
	flag.StringVar(&f.known, "known", "testdata/conformance/KNOWN_DIFFERENCES.md", "`file` with the known differences")
	flag.StringVar(&f.keep, "keep", "", "keep what differs in this `folder`, for the -data of hack/conformance")
	flag.BoolVar(&f.keepAll, "keep-all", false, "let -keep keep everything")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := f.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func (f *flags) run(ctx context.Context) error {
	if f.documents == 0 && f.duration == 0 {
		return errors.New("-documents or -duration must be set")
	}
	known, err := conformance.ReadKnown(f.known)
	if err != nil {
		return err
	}
	if f.cache == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		f.cache = filepath.Join(cache, "statsig-operator", "node-core-"+f.version)
	}
	if err := install(ctx, f.cache, f.version); err != nil {
		return err
	}
	server, err := start()
	if err != nil {
		return err
	}
	defer server.close()
	work, err := os.MkdirTemp("", "conformance-live-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	c := comparer{server: server, oracle: &oracle{ctx: ctx, folder: f.cache}, work: work, keep: f.keep, keepAll: f.keepAll, known: known, users: f.users}
	defer c.oracle.stop()
	return f.compare(ctx, &c)
}

// compare compares document after document.
func (f *flags) compare(ctx context.Context, c *comparer) error {
	began, failed, done := time.Now(), 0, 0
	for ; f.documents == 0 || done < f.documents; done++ {
		if ctx.Err() != nil || f.duration > 0 && time.Since(began) > f.duration {
			break
		}
		differs, err := c.document(f.seed + uint64(done))
		switch {
		case ctx.Err() != nil:
			continue
		case errors.Is(err, errDied):
			differs = true
			fmt.Printf("\nseed %d: %v\n", f.seed+uint64(done), err)
		case err != nil:
			return fmt.Errorf("seed %d: %w", f.seed+uint64(done), err)
		}
		if differs {
			failed++
		}
		if done%100 == 99 {
			fmt.Fprintf(os.Stderr, "%d documents, %d with differences\n", done+1, failed)
		}
	}
	fmt.Printf("\n%d documents from seed %d with %d users each, in %v\n", done, f.seed, f.users, time.Since(began).Round(time.Second))
	for _, suite := range []string{conformance.SuiteCalls, conformance.SuiteResponseCells, conformance.SuiteExposures} {
		t := c.tallies[suite]
		fmt.Printf("%-14s %10d cases %10d cells %6d mismatches %6d known %6d that the SDK doesn't repeat\n",
			suite, t.Cases, t.Cells, t.Mismatches, t.Known, t.Unstable)
	}
	if failed > 0 {
		return fmt.Errorf("%d documents with differences", failed)
	}
	return nil
}
