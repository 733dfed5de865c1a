package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestSuites compares what testdata/conformance has of some suites and, where the environment variable CONFORMANCE_DIR
// names another such folder, what that has. root is the way to the repository's root. Every mismatch is an error of the
// test, and so is a known difference that none of the recordings shows. Under the race detector, which would take
// minutes for all of it, every tenth user or row is compared.
func TestSuites(t *testing.T, root string, suites ...string) {
	t.Helper()
	data := filepath.Join(root, "testdata", "conformance")
	known, err := ReadKnown(filepath.Join(data, "KNOWN_DIFFERENCES.md"))
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{data}
	if more := os.Getenv("CONFORMANCE_DIR"); more != "" {
		folders = append(folders, more)
	}
	all, err := Cases(folders...)
	if err != nil {
		t.Fatal(err)
	}
	var compared []Case
	for _, c := range all {
		if !slices.Contains(suites, c.Suite) {
			continue
		}
		compared = append(compared, c)
		t.Run(c.Suite+"/"+c.Group, func(t *testing.T) {
			outcome, err := c.Run(Options{Known: known, Stride: testStride})
			if err != nil {
				t.Fatal(err)
			}
			for _, mismatch := range outcome.Shown {
				t.Error(mismatch)
			}
			t.Logf("%d cases, %d cells, %d mismatches, %d known differences, %d unstable",
				outcome.Cases, outcome.Cells, outcome.Mismatches, outcome.Known, outcome.Unstable)
		})
	}
	if testStride > 1 {
		return // what isn't compared shows no difference
	}
	for _, difference := range known.Unused(compared) {
		t.Errorf("known difference that isn't there: %s", difference)
	}
}
