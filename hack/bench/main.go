// Command bench measures this repository's evaluator beside others: the same rules, the same users, one run. README.md
// says how to read what it prints. It is not a test: it judges nothing but that all give the same answers.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// options are the command's flags.
type options struct {
	meter     meter
	documents string
	sections  []string
	node      bool
	nodeCache string
}

// sections are the parts of a run, in order.
var sections = []struct {
	name string
	run  func(context.Context, options, io.Writer) error
}{
	{"evaluation", evaluationSection},
	{"parts", partsSection},
	{"response", responseSection},
	{"load", loadSection},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	if len(args) == 3 && args[0] == loadCommand {
		return loadOnce(args[1], args[2], w)
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	for _, s := range sections {
		if !slices.Contains(o.sections, s.name) {
			continue
		}
		if err := s.run(ctx, o, w); err != nil {
			return fmt.Errorf("section %s: %w", s.name, err)
		}
	}
	return nil
}

func parseOptions(args []string) (options, error) {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	var o options
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.IntVar(&o.meter.rounds, "rounds", 9, "rounds of each measurement")
	set.DurationVar(&o.meter.batch, "batch", 20*time.Millisecond, "how long each takes its turn in a round")
	set.StringVar(&o.documents, "documents", "", "folder with config specs documents (*.json) to measure as well")
	set.BoolVar(&o.node, "node", true, "measure Statsig's Node SDK, installed from npm")
	set.StringVar(&o.nodeCache, "node-cache", cache+"/statsig-operator-bench", "folder that the Node SDK is installed in")
	only := set.String("only", strings.Join(names, ","), "the sections wanted")
	if err := set.Parse(args); err != nil {
		return options{}, err
	}
	o.sections = strings.Split(*only, ",")
	for _, name := range o.sections {
		if !slices.Contains(names, name) {
			return options{}, fmt.Errorf("no section %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	if o.meter.rounds < 1 || o.meter.batch <= 0 || set.NArg() > 0 {
		return options{}, fmt.Errorf("want positive rounds and batch, and no arguments")
	}
	return o, nil
}
