// Command statsig runs the local Statsig server of pkg/statsigtest and controls one that runs elsewhere: flips gates,
// makes requests fail, shows what arrived. It is for demos and trials on one machine, and knows nothing of the real
// Statsig.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// program is where a command writes to.
type program struct {
	stdout, stderr io.Writer
}

// command is one subcommand. setup declares its flags and returns what runs once they are parsed.
type command struct {
	name, arguments, summary string
	setup                    func(p program, flags *pflag.FlagSet) func(ctx context.Context, args []string) error
}

var commands = []command{
	{"serve", "", "serve a specs document, ID lists and log_event", setupServe},
	{"flip", "GATE on|off|reset|PERCENT", "make a gate pass or fail for everyone, or for a percentage", setupFlip},
	{"set-config", "CONFIG JSON", "give everyone this value of a dynamic config or experiment", setupSetConfig},
	{"set-specs", "FILE", "replace the specs document", setupSetSpecs},
	{"set-ids", "LIST [ID …]", "make an ID list hold exactly these unit IDs", setupSetIDs},
	{"events", "", "show the events that arrived", setupEvents},
	{"requests", "", "show how many requests arrived", setupRequests},
	{"fail", "", "make requests fail", setupFail},
	{"heal", "", "end all failures", setupHeal},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, program{os.Stdout, os.Stderr}, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, pflag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "statsig:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p program, args []string) error {
	if len(args) == 0 {
		usage(p.stderr)
		return errors.New("no command given")
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(p.stdout)
		return nil
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		flags := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
		flags.SetOutput(p.stderr)
		flags.SortFlags = false
		flags.Usage = func() {
			fmt.Fprintf(p.stderr, "Usage: statsig %s %s\n\n%s.\n\n%s", c.name, c.arguments, c.summary, flags.FlagUsages())
		}
		runCommand := c.setup(p, flags)
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return runCommand(ctx, flags.Args())
	}
	usage(p.stderr)
	return fmt.Errorf("unknown command %q", args[0])
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Usage: go run ./hack/statsig COMMAND [flags]\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-10s  %-27s %s\n", c.name, c.arguments, c.summary)
	}
	fmt.Fprint(w, "\nEach command says more with --help.\n")
}

// wantArguments checks the number of positional arguments.
func wantArguments(args []string, names ...string) error {
	if len(args) != len(names) {
		return fmt.Errorf("want the arguments %v, got %d", names, len(args))
	}
	return nil
}
