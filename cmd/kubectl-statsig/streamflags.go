package main

import (
	"bufio"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

// streamFlags are the flags of the commands that answer for a file of users.
type streamFlags struct {
	projectFlags
	users string
}

// add declares the flags.
func (f *streamFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	f.addSpecs(flags)
	flags.StringVar(&f.users, "users", "", "`FILE` with a user in JSON on each line; - reads the standard input")
	f.addCircumstances(flags)
	for _, required := range []string{"specs", "users"} {
		_ = cmd.MarkFlagRequired(required) // fails only for a flag that is not declared
	}
}

// stream answers for every user with the printers that open makes, below a header. What goes wrong with single users or
// names is reported on the way, and makes the error errReported in the end.
func (f *streamFlags) stream(
	cmd *cobra.Command, now time.Time, open func(*project, *reporter) (header string, newPrinter func() printer, err error),
) error {
	if f.stdinUses() > 1 {
		return errors.New("only one of --specs, --users and --id-lists can read the standard input")
	}
	failures := reporter{out: cmd.ErrOrStderr()}
	p, err := f.load(cmd.InOrStdin(), now)
	if err != nil {
		return err
	}
	users, err := openFile(f.users, cmd.InOrStdin())
	if err != nil {
		return fmt.Errorf("reading users: %w", err)
	}
	defer users.Close()
	for _, problem := range p.evaluator.Snapshot().Problems() {
		failures.warning("config specs: left out %v %q: %s", problem.Kind, problem.Name, problem.Message)
	}
	header, newPrinter, err := open(p, &failures)
	if err != nil {
		return err
	}
	s := userStream{
		users: users, out: bufio.NewWriterSize(cmd.OutOrStdout(), fileBuffer), newPrinter: newPrinter,
		report: func(line int, err error) { failures.error("%s:%d: %v", displayName(f.users), line, err) },
	}
	if _, err := s.out.WriteString(header); err != nil {
		return fmt.Errorf("writing answers: %w", err)
	}
	if err := s.run(runtime.GOMAXPROCS(0)); err != nil {
		return err
	}
	return failures.result()
}

// stdinUses counts the flags that read the standard input.
func (f *streamFlags) stdinUses() int {
	n := 0
	for _, name := range []string{f.specs, f.users, f.idLists} {
		if name == stdinName {
			n++
		}
	}
	return n
}
