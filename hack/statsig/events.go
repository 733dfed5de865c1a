package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func setupEvents(p program, flags *pflag.FlagSet) func(context.Context, []string) error {
	s := urlFlag(flags)
	output := flags.StringP("output", "o", "table", "table, or json: one event a line, as it was sent")
	follow := flags.BoolP("follow", "f", false, "go on with those that arrive, until interrupted")
	return func(ctx context.Context, args []string) error {
		if err := wantArguments(args); err != nil {
			return err
		}
		printers := map[string]func(io.Writer, []statsigtest.Event){"table": printRows, "json": printRaw}
		printEvents, ok := printers[*output]
		if !ok {
			return fmt.Errorf("unknown output %q, want table or json", *output)
		}
		if *output == "table" {
			fmt.Fprintf(p.stdout, row, "TIME", "EVENT", "NAME", "VALUE", "RULE", "USER", "SECONDARY")
		}
		err := s.showEvents(ctx, *follow, func(events []statsigtest.Event) { printEvents(p.stdout, events) })
		if *follow && errors.Is(err, context.Canceled) {
			err = nil // an interrupt is how following ends
		}
		return err
	}
}

// showEvents shows the events there are and, if it follows, each further batch until ctx ends.
func (s *server) showEvents(ctx context.Context, follow bool, show func([]statsigtest.Event)) error {
	query := url.Values{}
	for {
		var events []statsigtest.Event
		if err := s.send(ctx, http.MethodGet, "events", query, nil, &events); err != nil {
			return err
		}
		if len(events) > 0 {
			query.Set("after", strconv.Itoa(events[len(events)-1].Number))
			slices.SortStableFunc(events, func(a, b statsigtest.Event) int { return cmp.Compare(a.Time, b.Time) })
			show(events)
		}
		if !follow {
			return nil
		}
		query.Set("wait", "30s")
	}
}

func printRaw(w io.Writer, events []statsigtest.Event) {
	for _, e := range events {
		fmt.Fprintf(w, "%s\n", e.Raw)
	}
}

// row has fixed widths, so that batches printed one after another stay in line.
const row = "%-24s  %-15s  %-24s  %-8s  %-24s  %-20s  %s\n"

func printRows(w io.Writer, events []statsigtest.Event) {
	for _, e := range events {
		fmt.Fprintf(w, row,
			time.UnixMilli(e.Time).UTC().Format("2006-01-02T15:04:05.000Z"),
			strings.TrimPrefix(e.Name, "statsig::"),
			orDash(entityOf(e)),
			orDash(valueOf(e)),
			orDash(e.Metadata["ruleID"]),
			orDash(userOf(e)),
			orDash(secondaryOf(e)))
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// entityOf is the gate, config or layer parameter that was exposed.
func entityOf(e statsigtest.Event) string {
	if gate := e.Metadata["gate"]; gate != "" {
		return gate
	}
	if parameter := e.Metadata["parameterName"]; parameter != "" {
		return e.Metadata["config"] + "." + parameter
	}
	return e.Metadata["config"]
}

// valueOf is what the event says of the outcome: config and layer exposures carry no value, only how it came about.
func valueOf(e statsigtest.Event) string {
	return cmp.Or(e.Value, e.Metadata["gateValue"], e.Metadata["rulePassed"], e.Metadata["allocatedExperiment"])
}

func userOf(e statsigtest.Event) string {
	if e.UserID != "" {
		return e.UserID
	}
	var ids []string
	for _, kind := range slices.Sorted(maps.Keys(e.CustomIDs)) {
		ids = append(ids, kind+"="+e.CustomIDs[kind])
	}
	return strings.Join(ids, ",")
}

func secondaryOf(e statsigtest.Event) string {
	gates := make([]string, 0, len(e.SecondaryExposures))
	for _, x := range e.SecondaryExposures {
		gates = append(gates, x.Gate+"="+x.GateValue)
	}
	return strings.Join(gates, ",")
}
