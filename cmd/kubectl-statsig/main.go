// Command kubectl-statsig is the kubectl plugin of statsig-operator; kubectl runs it as "kubectl statsig". Its offline
// commands answer from files alone, with the evaluator of the operator, and talk to no cluster and no service.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() {
	os.Exit(run(newRootCommand(time.Now)))
}

// errReported ends a command whose failures stand on the error stream already.
var errReported = errors.New("reported")

// run executes a command and returns its exit code.
func run(root *cobra.Command) int {
	err := root.Execute()
	switch {
	case err == nil:
		return 0
	case !errors.Is(err, errReported):
		fmt.Fprintln(root.ErrOrStderr(), "error:", err)
	}
	return 1
}

// newRootCommand returns the plugin with all its commands. now is the clock that they ask once.
func newRootCommand(now func() time.Time) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-statsig",
		Short: "Ask Statsig's rules, as statsig-operator does",
		Long: "Ask Statsig's rules, as statsig-operator does.\n\n" +
			"The answers are those of Statsig's own server SDK on the same config specs.",
		Version: version,
		// kubectl users never see the program's own name.
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl statsig"},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(newEvaluateCommand(now), newClientInitializeCommand(now), newExposuresCommand(now),
		newExplainCommand(now), newVersionCommand())
	return root
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this plugin",
		Example: "  kubectl statsig version",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}

// noArguments refuses arguments. What cobra says of them is that they are no commands.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q: %s takes flags only", args[0], cmd.CommandPath())
	}
	return nil
}
