package conformance

import (
	"fmt"
	"io"
)

// Report is the table of a run. Its zero value is empty.
type Report struct {
	rows  []reportRow
	total Tally
}

type reportRow struct {
	name string
	Outcome
}

// Add adds the outcome of one case. One with nothing to compare gets no row.
func (r *Report) Add(c Case, o Outcome) {
	if o.Cases == 0 {
		return
	}
	r.rows = append(r.rows, reportRow{c.Suite + " " + c.Group, o})
	r.total = r.total.Plus(o.Tally)
}

// Total are the counts of all cases.
func (r *Report) Total() Tally { return r.total }

// Write writes the table: a row for each case and one for all, and below it the first mismatches of each case.
func (r *Report) Write(out io.Writer) error {
	const format = "%-54s %10v %10v %10v %10v %8v %8v\n"
	fmt.Fprintf(out, format, "SUITE AND GROUP", "CASES", "CELLS", "MATCHES", "MISMATCHES", "KNOWN", "UNSTABLE")
	for _, row := range append(r.rows, reportRow{"all", Outcome{Tally: r.total}}) {
		t := row.Tally
		_, err := fmt.Fprintf(out, format, row.name, t.Cases, t.Cells, t.Matches(), t.Mismatches, t.Known, t.Unstable)
		if err != nil {
			return fmt.Errorf("writing the table: %w", err)
		}
	}
	for _, row := range r.rows {
		if len(row.Shown) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s, %d mismatches:\n", row.name, row.Mismatches)
		for _, m := range row.Shown {
			if _, err := fmt.Fprintf(out, "  %v\n", m); err != nil {
				return fmt.Errorf("writing mismatches: %w", err)
			}
		}
	}
	return nil
}
