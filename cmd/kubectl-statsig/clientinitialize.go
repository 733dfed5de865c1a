package main

import (
	"fmt"
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
	streamFlags
	hash, format string
	options      eval.ClientInitializeOptions
}

func newClientInitializeCommand(now func() time.Time) *cobra.Command {
	var f clientInitializeFlags
	cmd := &cobra.Command{
		Use:   "client-initialize --specs FILE --users FILE",
		Short: "Print the responses that client SDKs are initialized with, for a file of users",
		Long: "Print the responses that client SDKs are initialized with, for a file of users.\n\n" +
			"Reads config specs as the SDKs download them, and users in JSON, one a line. Prints one response a line, in the\n" +
			"order of the users. Files whose names end in .gz are decompressed. Lines that are no user are reported, and the exit\n" +
			"code is 1.",
		Example: "  kubectl statsig client-initialize --specs specs.json --users users.jsonl --hash none",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd, now()) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.add(cmd)
	flags.StringVar(&f.hash, "hash", "djb2", "`ALGORITHM` that hides names: djb2, sha256 or none")
	flags.StringVar(&f.format, "format", "v1", "`FORMAT` of the response: v1, v2 or init-v2")
	flags.StringVar(&f.options.ClientKey, "client-key", "", "client SDK `KEY` whose app the response is for")
	flags.StringVar(&f.options.TargetAppID, "target-app", "", "`ID` of the app the response is for; it wins over --client-key")
	flags.StringVar(&f.options.PreviousResponseHash, "previous-response-hash", "",
		"full_checksum `HASH` of the response the client has; an equal one is answered without content")
	flags.BoolVar(&f.options.RemoveIDType, "remove-id-type", false, "leave out id_type")
	flags.BoolVar(&f.options.RemoveDefaultValueGates, "remove-default-value-gates", false,
		"leave out gates that are false by default and expose nothing")
	flags.BoolVar(&f.options.RemoveExperimentsInLayers, "remove-experiments-in-layers", false,
		"leave out experiments that a layer holds")
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
	f.options.SDK = eval.SDKInfo{Type: "kubectl-statsig", Version: version}
	return nil
}

func (f *clientInitializeFlags) run(cmd *cobra.Command, now time.Time) error {
	if err := f.resolve(); err != nil {
		return err
	}
	return f.stream(cmd, now, func(p *project, _ *reporter) (string, func() printer, error) {
		return "", func() printer { return responsePrinter{project: p, options: f.options} }, nil
	})
}

// responsePrinter prints client initialize responses.
type responsePrinter struct {
	project *project
	options eval.ClientInitializeOptions
}

func (p responsePrinter) appendUser(dst []byte, _ int, user *eval.User) []byte {
	return append(p.project.evaluator.AppendClientInitialize(dst, user, p.project.now, p.options), '\n')
}
