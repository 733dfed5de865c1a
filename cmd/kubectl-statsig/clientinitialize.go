package main

import (
	"bufio"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// hashAlgorithms are the values of --hash.
var hashAlgorithms = map[string]eval.HashAlgorithm{
	"djb2": eval.HashDJB2, "sha256": eval.HashSHA256, "none": eval.HashNone,
}

// responseFormats are the values of --format.
var responseFormats = map[string]eval.ResponseFormat{
	"v1": eval.ResponseV1, "v2": eval.ResponseV2, "init-v2": eval.ResponseInitV2,
}

type clientInitializeFlags struct {
	projectFlags
	users, hash, format string
	options             eval.ClientInitializeOptions
}

func newClientInitializeCommand(now func() time.Time) *cobra.Command {
	var f clientInitializeFlags
	cmd := &cobra.Command{
		Use:   "client-initialize --specs FILE --users FILE",
		Short: "Print the responses that client SDKs are initialized with, for a file of users",
		Long: "Print the responses that client SDKs are initialized with, for a file of users.\n\n" +
			"Reads config specs as the SDKs download them, and users in JSON, one a line. Prints one response a line, in the\n" +
			"order of the users. Lines that are no user are reported, and the exit code is 1.",
		Example: "  kubectl statsig client-initialize --specs specs.json --users users.jsonl --hash none",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd, now()) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.add(flags)
	flags.StringVar(&f.users, "users", "", "`FILE` with a user in JSON on each line; - reads the standard input")
	flags.StringVar(&f.hash, "hash", "djb2", "`ALGORITHM` that hides names: djb2, sha256 or none")
	flags.StringVar(&f.format, "format", "v1", "`FORMAT` of the response: v1, v2 or init-v2")
	flags.StringVar(&f.options.ClientKey, "client-key", "", "client SDK `KEY` whose app the response is for")
	flags.StringVar(&f.options.TargetAppID, "target-app", "", "`ID` of the app the response is for; it wins over --client-key")
	flags.StringVar(&f.options.PreviousResponseHash, "previous-response-hash", "",
		"full_checksum of the response the client has; an equal one is answered without content")
	flags.BoolVar(&f.options.RemoveIDType, "remove-id-type", false, "leave out id_type")
	flags.BoolVar(&f.options.RemoveDefaultValueGates, "remove-default-value-gates", false,
		"leave out gates that are false by default and expose nothing")
	flags.BoolVar(&f.options.RemoveExperimentsInLayers, "remove-experiments-in-layers", false,
		"leave out experiments that a layer holds")
	for _, required := range []string{"specs", "users"} {
		_ = cmd.MarkFlagRequired(required) // fails only for a flag that is not declared
	}
	return cmd
}

// resolve reads the flags that are names.
func (f *clientInitializeFlags) resolve() error {
	var ok bool
	if f.options.Hash, ok = hashAlgorithms[strings.ToLower(f.hash)]; !ok {
		return fmt.Errorf("--hash %q: want djb2, sha256 or none", f.hash)
	}
	if f.options.Format, ok = responseFormats[f.format]; !ok {
		return fmt.Errorf("--format %q: want v1, v2 or init-v2", f.format)
	}
	stdin := 0
	for _, name := range []string{f.specs, f.users, f.idLists} {
		if name == stdinName {
			stdin++
		}
	}
	if stdin > 1 {
		return errors.New("only one of --specs, --users and --id-lists can read the standard input")
	}
	f.options.SDK = eval.SDKInfo{Type: "kubectl-statsig", Version: version}
	return nil
}

func (f *clientInitializeFlags) run(cmd *cobra.Command, now time.Time) error {
	if err := f.resolve(); err != nil {
		return err
	}
	failures := reporter{out: cmd.ErrOrStderr()}
	p, err := f.load(cmd.InOrStdin(), now)
	if err != nil {
		return err
	}
	for _, problem := range p.evaluator.Snapshot().Problems() {
		failures.warning("config specs: left out %v %q: %s", problem.Kind, problem.Name, problem.Message)
	}
	users, err := openFile(f.users, cmd.InOrStdin())
	if err != nil {
		return fmt.Errorf("reading users: %w", err)
	}
	defer users.Close()
	s := userStream{
		users: users, out: bufio.NewWriterSize(cmd.OutOrStdout(), fileBuffer),
		newPrinter: func() printer { return responsePrinter{project: p, options: f.options} },
		report:     func(line int, err error) { failures.error("%s:%d: %v", displayName(f.users), line, err) },
	}
	if err := s.run(runtime.GOMAXPROCS(0)); err != nil {
		return err
	}
	return failures.result()
}

// responsePrinter prints client initialize responses.
type responsePrinter struct {
	project *project
	options eval.ClientInitializeOptions
}

func (p responsePrinter) appendUser(dst []byte, _ int, user *eval.User) []byte {
	return append(p.project.evaluator.AppendClientInitialize(dst, user, p.project.now, p.options), '\n')
}
