package events_test

import (
	"testing"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
)

// TestEventsOfTheOfficialSDK compares exposures and batches with what Statsig's official Server Core SDK sent.
func TestEventsOfTheOfficialSDK(t *testing.T) {
	conformance.TestSuites(t, "../..", conformance.SuiteExposures, conformance.SuiteBatches)
}
