package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// server is a running server, by its address.
type server struct{ url string }

// urlFlag declares the flag that every controlling command has.
func urlFlag(flags *pflag.FlagSet) *server {
	s := &server{}
	flags.StringVar(&s.url, "url", "", "address of the server, as serve prints it (required)")
	return s
}

// send makes one control request and decodes its answer into result unless that is nil.
func (s *server) send(ctx context.Context, method, path string, query url.Values, body []byte, result any) error {
	if s.url == "" {
		return errors.New("--url is required: the address that serve printed")
	}
	target := strings.TrimSuffix(s.url, "/") + "/control/" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("calling the server: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("calling the server: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if json.Unmarshal(text, &refusal) != nil || refusal.Error == "" {
			return fmt.Errorf("%s does not answer like the server of this command: status %d", s.url, response.StatusCode)
		}
		return fmt.Errorf("the server refuses: %s", refusal.Error)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(text, result); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return nil
}

func setupFlip(p program, flags *pflag.FlagSet) func(context.Context, []string) error {
	s := urlFlag(flags)
	rule := flags.String("rule", "", "ID or name of the rule whose percentage changes (default: the gate's last rule)")
	return func(ctx context.Context, args []string) error {
		if err := wantArguments(args, "GATE", "on|off|reset|PERCENT"); err != nil {
			return err
		}
		query, err := parseFlip(args[1], *rule)
		if err != nil {
			return err
		}
		if err := s.send(ctx, http.MethodPost, "gates/"+url.PathEscape(args[0]), query, nil, nil); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s: %s\n", args[0], args[1])
		return nil
	}
}

func parseFlip(state, rule string) (url.Values, error) {
	query := url.Values{}
	switch state {
	case "on":
		query.Set("pass", "true")
	case "off":
		query.Set("pass", "false")
	case "reset":
		query.Set("reset", "true")
	default:
		percent := strings.TrimSuffix(state, "%")
		if _, err := strconv.ParseFloat(percent, 64); err != nil {
			return nil, fmt.Errorf("%q is none of on, off, reset and a percentage", state)
		}
		query.Set("percentage", percent)
		query.Set("rule", rule)
		return query, nil
	}
	if rule != "" {
		return nil, errors.New("--rule goes with a percentage only")
	}
	return query, nil
}

func setupSetConfig(p program, flags *pflag.FlagSet) func(context.Context, []string) error {
	s := urlFlag(flags)
	return func(ctx context.Context, args []string) error {
		if err := wantArguments(args, "CONFIG", "JSON"); err != nil {
			return err
		}
		if err := s.send(ctx, http.MethodPut, "configs/"+url.PathEscape(args[0]), nil, []byte(args[1]), nil); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s: %s\n", args[0], args[1])
		return nil
	}
}

func setupSetSpecs(p program, flags *pflag.FlagSet) func(context.Context, []string) error {
	s := urlFlag(flags)
	asIs := flags.Bool("as-is", false, "serve the file byte for byte; clients ignore it if its time is older "+
		"(default: give it the latest time)")
	return func(ctx context.Context, args []string) error {
		if err := wantArguments(args, "FILE"); err != nil {
			return err
		}
		doc, err := os.ReadFile(args[0])
		if err != nil {
			return fmt.Errorf("reading config specs: %w", err)
		}
		query := url.Values{"bump": {strconv.FormatBool(!*asIs)}}
		if err := s.send(ctx, http.MethodPut, "specs", query, doc, nil); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "serving %s\n", args[0])
		return nil
	}
}

func setupSetIDs(p program, flags *pflag.FlagSet) func(context.Context, []string) error {
	s := urlFlag(flags)
	return func(ctx context.Context, args []string) error {
		if len(args) == 0 {
			return errors.New("want the name of a list, then its unit IDs")
		}
		ids, err := json.Marshal(args[1:])
		if err != nil {
			return fmt.Errorf("encoding unit IDs: %w", err)
		}
		if err := s.send(ctx, http.MethodPut, "id-lists/"+url.PathEscape(args[0]), nil, ids, nil); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s: %d unit IDs\n", args[0], len(args)-1)
		return nil
	}
}

func setupRequests(p program, flags *pflag.FlagSet) func(context.Context, []string) error {
	s := urlFlag(flags)
	return func(ctx context.Context, args []string) error {
		if err := wantArguments(args); err != nil {
			return err
		}
		var answer struct {
			Counts map[statsigtest.Endpoint]int
		}
		if err := s.send(ctx, http.MethodGet, "requests", nil, nil, &answer); err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.stdout, 0, 0, 3, ' ', 0)
		fmt.Fprintln(w, "ENDPOINT\tREQUESTS")
		for _, e := range statsigtest.Endpoints() {
			fmt.Fprintf(w, "%s\t%d\n", e, answer.Counts[e])
		}
		return w.Flush()
	}
}

func setupFail(p program, flags *pflag.FlagSet) func(context.Context, []string) error {
	s := urlFlag(flags)
	flags.String("endpoint", "", fmt.Sprintf("what fails, one of %v (default: everything)", statsigtest.Endpoints()))
	flags.Int("times", 0, "how many requests fail (default: all, until heal)")
	flags.Duration("delay", 0, "wait this long before anything else")
	flags.Int("status", 0, "answer with this HTTP status")
	flags.String("body", "", "answer with this body")
	flags.Duration("retry-after", 0, "send a Retry-After header")
	flags.Int("truncate-after", 0, "cut the connection after this many bytes of the body")
	flags.Bool("drop", false, "close the connection without an answer")
	flags.Bool("garbage", false, "answer with a page of HTML")
	return func(ctx context.Context, args []string) error {
		if err := wantArguments(args); err != nil {
			return err
		}
		// The server's parameters have the names of the flags.
		query := url.Values{}
		flags.Visit(func(f *pflag.Flag) {
			if f.Name != "url" {
				query.Set(f.Name, f.Value.String())
			}
		})
		if err := s.send(ctx, http.MethodPost, "fail", query, nil, nil); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, "failing; heal ends it")
		return nil
	}
}

func setupHeal(p program, flags *pflag.FlagSet) func(context.Context, []string) error {
	s := urlFlag(flags)
	return func(ctx context.Context, args []string) error {
		if err := wantArguments(args); err != nil {
			return err
		}
		if err := s.send(ctx, http.MethodDelete, "fail", nil, nil, nil); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, "healed")
		return nil
	}
}
