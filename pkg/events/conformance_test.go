package events_test

import (
	"os"
	"testing"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
)

// TestEventsOfTheOfficialSDK compares exposures and batches with what Statsig's official Server Core SDK sent. They were
// recorded with real projects, whose documents are not part of this repository.
func TestEventsOfTheOfficialSDK(t *testing.T) {
	if os.Getenv("CONFORMANCE_DIR") == "" {
		t.Skip("CONFORMANCE_DIR is not set")
	}
	conformance.TestSuites(t, "../..", conformance.SuiteExposures, conformance.SuiteBatches)
}
