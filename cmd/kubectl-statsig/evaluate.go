package main

import (
	"fmt"
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
	streamFlags
	output string
	only   []string
}

func newEvaluateCommand(now func() time.Time) *cobra.Command {
	var f evaluateFlags
	cmd := &cobra.Command{
		Use:   "evaluate --specs FILE --users FILE",
		Short: "Evaluate gates, configs, layers and parameter stores for a file of users",
		Long: "Evaluate gates, configs, layers and parameter stores for a file of users.\n\n" +
			"Reads config specs as the SDKs download them, and users in JSON, one a line. Answers for each user in turn;\n" +
			"\"u\" is the user's line, counted from 0. Files whose names end in .gz are decompressed. Lines that are no user,\n" +
			"and names in --only that the config specs don't have, are reported, and the exit code is 1. Numbers in values are\n" +
			"doubles, as JavaScript spells them.",
		Example: "  # Everything, for every user\n" +
			"  kubectl statsig evaluate --specs specs.json --users users.jsonl\n\n" +
			"  # One gate and one experiment, in production, as a table\n" +
			"  kubectl statsig evaluate --specs specs.json --users users.jsonl --environment production \\\n" +
			"    --only gate:new_checkout,config:button_color -o table",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, now()) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.add(cmd)
	flags.StringSliceVar(&f.only, "only", nil,
		"evaluate no more than these `NAMES`: gate:NAME, config:NAME, layer:NAME or store:NAME, with commas between them")
	flags.StringVarP(&f.output, "output", "o", "jsonl", "`FORMAT` of the answers: jsonl, one object for each user, or table")
	return cmd
}

func (f *evaluateFlags) run(cmd *cobra.Command, now time.Time) error {
	newOutput := outputs[f.output]
	if newOutput == nil {
		return fmt.Errorf("--output %q: want jsonl or table", f.output)
	}
	return f.stream(cmd, now, func(p *project, failures *reporter) (string, func() printer, error) {
		asked, err := f.asked(p, failures)
		if err != nil {
			return "", nil, err
		}
		header, newPrinter := newOutput(p, &asked)
		return header, newPrinter, nil
	})
}

// asked are the entities to evaluate.
func (f *evaluateFlags) asked(p *project, failures *reporter) (entities, error) {
	if len(f.only) == 0 {
		return p.allEntities(), nil
	}
	named, unknown, err := p.namedEntities(f.only)
	for _, name := range unknown {
		failures.error("--only %q: the config specs have nothing of that name", name)
	}
	return named, err
}
