package main

import (
	"fmt"
	"io"
	"strings"
)

// table is printed as Markdown, aligned to be read as it is.
type table struct {
	title  string
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	widths := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	fmt.Fprintf(w, "\n%s\n\n", t.title)
	for i, row := range append([][]string{t.header, rule}, t.rows...) {
		fmt.Fprint(w, "|")
		for column, cell := range row {
			format := " %*s |"
			if column == 0 || i == 1 {
				format = " %-*s |"
			}
			fmt.Fprintf(w, format, widths[column], cell)
		}
		fmt.Fprintln(w)
	}
}

// none stands for what was not, or can't be, measured.
const none = "-"

// cell shows the least and the median of the rounds.
func (t timing) cell() string {
	if !t.measured {
		return none
	}
	return fmt.Sprintf("%s (%s)", duration(t.least), duration(t.median))
}

// cellWithAllocs adds the allocations per operation.
func (t timing) cellWithAllocs() string {
	if !t.measured {
		return none
	}
	return fmt.Sprintf("%s · %.0f", t.cell(), t.allocs)
}

// duration shows nanoseconds in the unit that fits.
func duration(ns float64) string {
	switch {
	case ns < 1e4:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 1e7:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	default:
		return fmt.Sprintf("%.0f ms", ns/1e6)
	}
}

// ratio is how many times as long other took, by the least of their rounds.
func (t timing) ratio(other timing) string {
	if !t.measured || !other.measured {
		return none
	}
	return fmt.Sprintf("%.1f×", other.least/t.least)
}

func megabytes(bytes uint64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
