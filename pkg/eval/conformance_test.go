package eval_test

import (
	"testing"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
)

// TestAnswersOfTheOfficialSDK compares with what Statsig's official Server Core SDK answered, cell by cell;
// testdata/conformance says how that was recorded.
func TestAnswersOfTheOfficialSDK(t *testing.T) {
	conformance.TestSuites(t, "../..", conformance.SuiteCalls, conformance.SuiteResponseCells, conformance.SuiteResponses,
		conformance.SuiteMalformed)
}
