package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// explainKinds are the kinds of entities that can be explained, by their names on the command line.
var explainKinds = map[string]eval.Kind{
	"gate": eval.KindGate, "config": eval.KindDynamicConfig, "experiment": eval.KindExperiment, "layer": eval.KindLayer,
}

// traceOutputs are the formats of explain, by their names for -o.
var traceOutputs = map[string]func(trace *eval.Trace) string{
	"tree": func(trace *eval.Trace) string { return explainedTree(trace).String() },
	"json": indentedJSON,
}

type explainFlags struct {
	projectFlags
	user, output string
}

func newExplainCommand(now func() time.Time) *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain --specs FILE --user JSON gate|config|experiment|layer NAME",
		Short: "Show how the answer for one user comes about",
		Long: "Show how the answer for one user comes about.\n\n" +
			"Reads config specs as the SDKs download them, and evaluates one gate, config, experiment or layer: rule by rule,\n" +
			"condition by condition, with the values compared, and with the gates and experiments asked on the way. Values of\n" +
			"private attributes are not shown; unit IDs are. A name that the config specs don't have is reported, and the exit\n" +
			"code is 1.",
		Example: "  # Why does this user get the new checkout?\n" +
			"  kubectl statsig explain --specs specs.json --user '{\"userID\":\"u1\",\"email\":\"a@example.com\"}' gate new_checkout\n\n" +
			"  # The same for an experiment, in staging, for programs to read\n" +
			"  kubectl statsig explain --specs specs.json --user '{\"userID\":\"u1\"}' --environment staging -o json \\\n" +
			"    experiment button_color",
		Args: kindAndName,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, now(), args[0], args[1]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.addSpecs(flags)
	flags.StringVar(&f.user, "user", "", "the user in `JSON`")
	f.addCircumstances(flags)
	flags.StringVarP(&f.output, "output", "o", "tree", "`FORMAT` of the trace: tree or json")
	for _, required := range []string{"specs", "user"} {
		_ = cmd.MarkFlagRequired(required) // fails only for a flag that is not declared
	}
	return cmd
}

// kindAndName checks the arguments of explain.
func kindAndName(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return errors.New("want a kind and a name, such as: gate new_checkout")
	}
	return nil
}

func (f *explainFlags) run(cmd *cobra.Command, now time.Time, kind, name string) error {
	format := traceOutputs[f.output]
	ref := eval.Ref{Kind: explainKinds[kind], Name: name}
	switch {
	case format == nil:
		return fmt.Errorf("--output %q: want tree or json", f.output)
	case ref.Kind == 0:
		return fmt.Errorf("%q: want gate, config, experiment or layer", kind)
	case f.specs == stdinName && f.idLists == stdinName:
		return errors.New("only one of --specs and --id-lists can read the standard input")
	}
	user, err := eval.ParseUser([]byte(f.user))
	if err != nil {
		return fmt.Errorf("reading --user: %w", err)
	}
	p, err := f.load(cmd.InOrStdin(), now)
	if err != nil {
		return err
	}
	if !p.knows(ref) {
		return fmt.Errorf("%s %q: the config specs have nothing of that name", kind, name)
	}
	_, trace := p.evaluator.Explain(ref, user, p.now)
	if _, err := fmt.Fprint(cmd.OutOrStdout(), format(trace)); err != nil {
		return fmt.Errorf("writing the trace: %w", err)
	}
	return nil
}

// indentedJSON is a trace as kubectl prints JSON.
func indentedJSON(trace *eval.Trace) string {
	var b bytes.Buffer
	if err := json.Indent(&b, encodeJSON(trace), "", "    "); err != nil {
		return "null\n" // never: it was encoded the line before
	}
	return b.String() + "\n"
}

// tree is a text with those below it.
type tree struct {
	text  string
	below []*tree
}

// add puts a text below, and returns its place.
func (t *tree) add(format string, args ...any) *tree {
	child := &tree{text: fmt.Sprintf(format, args...)}
	t.below = append(t.below, child)
	return child
}

// note adds a text unless it is empty.
func (t *tree) note(text string) {
	if text != "" {
		t.add("(%s)", text)
	}
}

// String is the tree with lines between its texts.
func (t *tree) String() string {
	var b strings.Builder
	b.WriteString(t.text + "\n")
	t.write(&b, "")
	return b.String()
}

func (t *tree) write(b *strings.Builder, indent string) {
	for i, child := range t.below {
		branch, deeper := "├─ ", "│  "
		if i == len(t.below)-1 {
			branch, deeper = "└─ ", "   "
		}
		b.WriteString(indent + branch + child.text + "\n")
		child.write(b, indent+deeper)
	}
}
