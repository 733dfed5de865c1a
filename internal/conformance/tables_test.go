//go:build !race

package conformance_test

import (
	"testing"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
)

// TestTables compares every row. The packages that read them do the same, but under the race detector, which makes
// regular expressions twenty times slower.
func TestTables(t *testing.T) {
	conformance.TestSuites(t, "../..", conformance.SuiteUserAgents, conformance.SuiteCountries)
}
