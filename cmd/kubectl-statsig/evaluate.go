package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

// outputs are the formats of evaluate, by their names for -o. Each returns what stands before the first user, and how
// printers are made.
var outputs = map[string]func(p *project, e *entities) (header string, newPrinter func() printer){
	"jsonl": newJSONLines,
	"table": newTable,
}

type evaluateFlags struct {
	projectFlags
	users, output string
	only          []string
}

func newEvaluateCommand(now func() time.Time) *cobra.Command {
	var f evaluateFlags
	cmd := &cobra.Command{
		Use:   "evaluate --specs FILE --users FILE",
		Short: "Evaluate gates, configs, layers and parameter stores for a file of users",
		Long: "Evaluate gates, configs, layers and parameter stores for a file of users.\n\n" +
			"Reads config specs as the SDKs download them, and users in JSON, one a line. Answers for each user in turn;\n" +
			"\"u\" is the user's line, counted from 0. Files whose names end in .gz are decompressed. Lines that are no user,\n" +
			"and names in --only that the config specs don't have, are reported, and the exit code is 1.",
		Example: "  # Everything, for every user\n" +
			"  kubectl statsig evaluate --specs specs.json --users users.jsonl\n\n" +
			"  # One gate and one experiment, in production, as a table\n" +
			"  kubectl statsig evaluate --specs specs.json --users users.jsonl --environment production \\\n" +
			"    --only gate:new_checkout,config:button_color -o table",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, now()) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.add(flags)
	flags.StringVar(&f.users, "users", "", "`FILE` with a user in JSON on each line; - reads the standard input")
	flags.StringSliceVar(&f.only, "only", nil,
		"evaluate no more than these `NAMES`: gate:NAME, config:NAME, layer:NAME or store:NAME, with commas between them")
	flags.StringVarP(&f.output, "output", "o", "jsonl", "`FORMAT` of the answers: jsonl, one object for each user, or table")
	for _, required := range []string{"specs", "users"} {
		_ = cmd.MarkFlagRequired(required) // fails only for a flag that is not declared
	}
	return cmd
}

func (f *evaluateFlags) run(cmd *cobra.Command, now time.Time) error {
	newOutput := outputs[f.output]
	switch {
	case newOutput == nil:
		return fmt.Errorf("--output %q: want jsonl or table", f.output)
	case f.stdinUses() > 1:
		return errors.New("only one of --specs, --users and --id-lists can read the standard input")
	}
	failures := reporter{out: cmd.ErrOrStderr()}
	p, err := f.load(cmd.InOrStdin(), now)
	if err != nil {
		return err
	}
	asked, err := f.asked(p, &failures)
	if err != nil {
		return err
	}
	users, err := openFile(f.users, cmd.InOrStdin())
	if err != nil {
		return fmt.Errorf("reading users: %w", err)
	}
	defer users.Close()
	header, newPrinter := newOutput(p, &asked)
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
func (f *evaluateFlags) stdinUses() int {
	n := 0
	for _, name := range []string{f.specs, f.users, f.idLists} {
		if name == stdinName {
			n++
		}
	}
	return n
}

// asked are the entities to evaluate.
func (f *evaluateFlags) asked(p *project, failures *reporter) (entities, error) {
	for _, problem := range p.evaluator.Snapshot().Problems() {
		failures.warning("config specs: left out %v %q: %s", problem.Kind, problem.Name, problem.Message)
	}
	if len(f.only) == 0 {
		return p.allEntities(), nil
	}
	named, unknown, err := p.namedEntities(f.only)
	for _, name := range unknown {
		failures.error("--only %q: the config specs have nothing of that name", name)
	}
	return named, err
}

// reporter tells people what went wrong while the command goes on.
type reporter struct {
	out    io.Writer
	failed bool
}

// warning reports what doesn't count as a failure: the SDKs accept it, too.
func (r *reporter) warning(format string, args ...any) {
	fmt.Fprintf(r.out, "warning: "+format+"\n", args...)
}

func (r *reporter) error(format string, args ...any) {
	r.failed = true
	fmt.Fprintf(r.out, "error: "+format+"\n", args...)
}

// result is the command's error.
func (r *reporter) result() error {
	if r.failed {
		return errReported
	}
	return nil
}
