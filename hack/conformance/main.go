// Command conformance compares this project's answers with recorded ones of Statsig's official SDK, and prints a table.
// It fails where an answer differs and testdata/conformance/KNOWN_DIFFERENCES.md doesn't say why, and where that list
// names a difference that is none.
//
// Where the environment variable CONFORMANCE_DIR names another folder of the same form, what that holds is compared, too.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	data := flag.String("data", "testdata/conformance", "`folder` of recorded answers, and of the known differences")
	only := flag.String("run", "", "compare only what matches this `expression`, as \"calls op_any\"")
	most := flag.Int("show", 20, "show at most `n` mismatches of each group")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	known, err := conformance.ReadKnown(*data + "/KNOWN_DIFFERENCES.md")
	if err != nil {
		return err
	}
	folders := []string{*data}
	if more := os.Getenv("CONFORMANCE_DIR"); more != "" {
		folders = append(folders, more)
	}
	all, err := conformance.Cases(folders...)
	if err != nil {
		return err
	}
	var (
		report   conformance.Report
		compared []conformance.Case
	)
	for _, c := range all {
		if !wanted.MatchString(c.Suite + " " + c.Group) {
			continue
		}
		outcome, err := c.Run(conformance.Options{Known: known, MaxShown: *most})
		if err != nil {
			return err
		}
		report.Add(c, outcome)
		compared = append(compared, c)
	}
	if len(compared) == 0 {
		return errors.New("there is nothing to compare")
	}
	if err := report.Write(os.Stdout); err != nil {
		return err
	}
	return verdict(&report, known.Unused(compared))
}

// verdict says whether a run has failed.
func verdict(report *conformance.Report, unused []string) error {
	var problems []error
	if n := report.Total().Mismatches; n > 0 {
		problems = append(problems, fmt.Errorf("%d mismatches", n))
	}
	for _, difference := range unused {
		problems = append(problems, fmt.Errorf("the list of known differences has one that isn't there: %s", difference))
	}
	return errors.Join(problems...)
}
