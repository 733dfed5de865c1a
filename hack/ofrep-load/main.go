// Command ofrep-load measures how many OFREP evaluations a second pkg/ofrep serves over loopback, and how long each
// takes. README.md says what is measured and how to read it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// serveCommand is the argument with which the program starts itself as the server.
const serveCommand = "serve"

// options are the command's flags.
type options struct {
	url, token  string
	flag        string
	flags       int
	processors  int
	pid         int
	duration    time.Duration
	concurrency []int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "ofrep-load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	if len(args) > 0 && args[0] == serveCommand {
		return serve(ctx, w, args[1:])
	}
	o := options{}
	set := pflag.NewFlagSet("ofrep-load", pflag.ContinueOnError)
	set.SortFlags = false
	set.StringVar(&o.url, "url", "", "measure the server at this address, such as https://host/projects/shop/checkout, not one of its own")
	set.StringVar(&o.token, "token", "", "bearer token to send; a server of its own then wants it")
	set.StringVar(&o.flag, "flag", "new_checkout", "flag to ask --url for")
	set.IntVar(&o.pid, "pid", 0, "process of the server at --url, to tell what each request costs it; on Linux")
	set.IntVar(&o.flags, "flags", 100, "gates of the server's own document")
	set.IntVar(&o.processors, "processors", 1, "GOMAXPROCS of the server of its own")
	set.DurationVar(&o.duration, "duration", 3*time.Second, "how long each row is measured")
	set.IntSliceVar(&o.concurrency, "concurrency", []int{1, 8, 50}, "connections that ask at once")
	if err := set.Parse(args); err != nil {
		return err
	}
	base := o.url
	if base == "" {
		server, err := startServer(ctx, &o)
		if err != nil {
			return fmt.Errorf("starting the server: %w", err)
		}
		defer server.stop()
		base = server.url
	}
	return measureAll(ctx, &o, base, w)
}

// scenario is a kind of request.
type scenario struct {
	name, path, body string
	// tagged sends the tag of the answer before along.
	tagged bool
}

const (
	nobody = `{"context":{}}`
	alice  = `{"context":{"targetingKey":"alice","email":"alice@example.com","country":"NZ","plan":"pro","level":7}}`
)

// scenarios are asked of a server of its own, or of the server at an address.
func scenarios(o *options) []scenario {
	if o.url != "" {
		return []scenario{
			{name: "single", path: "/" + url.PathEscape(o.flag), body: alice},
			{name: "bulk", body: alice},
			{name: "bulk, 304", body: alice, tagged: true},
		}
	}
	return []scenario{
		{name: "single, same for all", path: "/static_7", body: nobody},
		{name: "single, targeting", path: "/targeted_7", body: alice},
		{name: "bulk", body: alice},
		{name: "bulk, 304", body: alice, tagged: true},
	}
}

func measureAll(ctx context.Context, o *options, base string, w io.Writer) error {
	target, err := newTarget(base, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "| %-20s | %11s | %10s | %9s | %9s | %12s | %9s |\n", "request", "connections", "requests/s", "p50", "p99", "CPU per each", "memory")
	fmt.Fprintf(w, "|%s|\n", strings.Join([]string{
		strings.Repeat("-", 22), strings.Repeat("-", 13), strings.Repeat("-", 12), strings.Repeat("-", 11), strings.Repeat("-", 11),
		strings.Repeat("-", 14), strings.Repeat("-", 11),
	}, "|"))
	for _, s := range scenarios(o) {
		for _, connections := range o.concurrency {
			r, err := target.measure(ctx, s, connections, o.duration)
			if err != nil {
				return fmt.Errorf("measuring %s with %d connections: %w", s.name, connections, err)
			}
			fmt.Fprintf(w, "| %-20s | %11d | %10.0f | %9s | %9s | %12s | %9s |\n", s.name, connections, r.rate(), micros(r.p50), micros(r.p99),
				r.perRequest(), r.memory())
		}
	}
	if o.url == "" {
		fmt.Fprint(w, "\n", flagd)
	}
	return nil
}

func micros(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }

// flagd is what there is to compare with.
const flagd = `flagd's own figures (test/loadtest in github.com/open-feature/flagd, image loadTestResults.png): 20,290 requests/s
with 1 CPU and 64 MB for one of 5,000 boolean flags, 19,581 for one of 100; no targeting, 50 k6 users, its HTTP API, Apple M1 Pro.
`

var errStatus = errors.New("unexpected status")

// status is what a request of the scenario is answered once it is known.
func (s *scenario) status() int {
	if s.tagged {
		return http.StatusNotModified
	}
	return http.StatusOK
}
