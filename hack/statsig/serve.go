package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// demo is the --specs value that stands for the built-in project.
const demo = "demo"

type serveOptions struct {
	listen, specs, idLists, urlFile string
	keys                            []string
	quiet                           bool
}

func setupServe(p program, flags *pflag.FlagSet) func(context.Context, []string) error {
	var o serveOptions
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	flags.StringVar(&o.specs, "specs", demo, `config specs to serve: a file, or "demo"`)
	flags.StringVar(&o.idLists, "id-lists", "",
		`file of ID lists: {"list": ["unit ID", …]} or {"list": {"body": "+hash\n…"}}`)
	flags.StringArrayVar(&o.keys, "key", nil, "accept this SDK key; repeatable (default: accept every key)")
	flags.StringVar(&o.urlFile, "url-file", "", "write the URL to this file once it can be used; removed at the end")
	flags.BoolVar(&o.quiet, "quiet", false, "do not log requests")
	return func(ctx context.Context, args []string) error {
		if err := wantArguments(args); err != nil {
			return err
		}
		return serve(ctx, p, o)
	}
}

func serve(ctx context.Context, p program, o serveOptions) error {
	opts, files, err := o.load()
	if err != nil {
		return err
	}
	if !o.quiet {
		logger := log.New(p.stderr, "", log.Ltime)
		opts.OnRequest = func(r statsigtest.Request) { logger.Print(r) }
	}
	s, err := statsigtest.Listen(ctx, o.listen, opts)
	if err != nil {
		return err
	}
	defer s.Close()
	for name, text := range files {
		s.SetIDListFile(name, text)
	}
	if o.urlFile != "" {
		if err := writeWhole(o.urlFile, s.URL()+"\n"); err != nil {
			return fmt.Errorf("writing the URL: %w", err)
		}
		defer func() { _ = os.Remove(o.urlFile) }()
	}
	fmt.Fprintf(p.stdout, "%s\nServing %s until interrupted. Try: go run ./hack/statsig events --follow --url %s\n",
		s.URL(), o.specs, s.URL())
	<-ctx.Done()
	return nil
}

// load reads the files. ID lists given as raw text come back apart, since they go another way into the server.
func (o serveOptions) load() (opts statsigtest.Options, rawLists map[string]string, err error) {
	for _, k := range o.keys {
		opts.Keys = append(opts.Keys, secret.NewKey(k))
	}
	if o.specs != demo {
		if opts.Specs, err = os.ReadFile(o.specs); err != nil {
			return opts, nil, fmt.Errorf("reading config specs: %w", err)
		}
	}
	if o.idLists == "" {
		return opts, nil, nil
	}
	text, err := os.ReadFile(o.idLists)
	if err != nil {
		return opts, nil, fmt.Errorf("reading ID lists: %w", err)
	}
	if opts.IDLists, rawLists, err = parseIDLists(text); err != nil {
		return opts, nil, fmt.Errorf("reading ID lists from %s: %w", o.idLists, err)
	}
	return opts, rawLists, nil
}

func parseIDLists(text []byte) (ids map[string][]string, raw map[string]string, err error) {
	var lists map[string]json.RawMessage
	if err := json.Unmarshal(text, &lists); err != nil {
		return nil, nil, err
	}
	ids, raw = map[string][]string{}, map[string]string{}
	for name, list := range lists {
		var members []string
		if err := json.Unmarshal(list, &members); err == nil {
			ids[name] = members
			continue
		}
		var file struct{ Body *string }
		if err := json.Unmarshal(list, &file); err != nil || file.Body == nil {
			return nil, nil, fmt.Errorf(`list %q is neither an array of unit IDs nor an object with a "body"`, name)
		}
		raw[name] = *file.Body
	}
	return ids, raw, nil
}

// writeWhole writes a file in one step, so that a script that waits for it never reads half an address.
func writeWhole(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".statsig-url-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // already gone after the rename
	if _, err := f.WriteString(text); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
