package conformance

import (
	"cmp"
	"fmt"
	"slices"
)

// The suites: what is compared.
const (
	// SuiteCalls are calls for one entity and one user.
	SuiteCalls = "calls"
	// SuiteResponseCells are entities in the client initialize responses of many users.
	SuiteResponseCells = "response-cells"
	// SuiteResponses are whole client initialize responses, with many sets of options.
	SuiteResponses = "responses"
	// SuiteExposures are the exposures of many users.
	SuiteExposures = "exposures"
	// SuiteBatches are events in recorded requests.
	SuiteBatches = "batches"
	// SuiteMalformed are damaged and odd documents.
	SuiteMalformed = "malformed"
	// SuiteUserAgents are user agents, and what both parsers read in them.
	SuiteUserAgents = "user-agents"
	// SuiteCountries are addresses, and their countries.
	SuiteCountries = "countries"
)

// suiteOrder is the order in which suites run and are reported.
var suiteOrder = []string{
	SuiteCalls, SuiteResponseCells, SuiteResponses, SuiteExposures, SuiteBatches, SuiteMalformed, SuiteUserAgents,
	SuiteCountries,
}

// Case is one group of recorded answers in one suite.
type Case struct {
	Suite, Group string
	run          func(*sheet) error
}

// Cases lists what folders in the form of testdata/conformance hold, by suite and name. Where several folders hold the
// same, that of the first counts; what a folder lacks is left out. Documents that a folder doesn't hold itself are
// looked for in the folder "data" beside it.
func Cases(folders ...string) ([]Case, error) {
	var all []Case
	for _, folder := range folders {
		for _, list := range []func(string) ([]Case, error){
			groupCases, responseCases, batchCases, malformedCases, tableCases,
		} {
			cases, err := list(folder)
			if err != nil {
				return nil, fmt.Errorf("listing recorded answers in %s: %w", folder, err)
			}
			for _, c := range cases {
				known := func(other Case) bool { return other.Suite == c.Suite && other.Group == c.Group }
				if !slices.ContainsFunc(all, known) {
					all = append(all, c)
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Case) int {
		return cmp.Or(cmp.Compare(slices.Index(suiteOrder, a.Suite), slices.Index(suiteOrder, b.Suite)),
			cmp.Compare(a.Group, b.Group))
	})
	return all, nil
}

// Options are those of one run. The zero value compares everything and knows of no difference.
type Options struct {
	// Known are the differences that are no mismatches.
	Known *Known
	// Stride compares every n-th user or row only; 0 and 1 stand for all.
	Stride int
	// MaxShown bounds [Outcome.Shown]; 0 stands for 20.
	MaxShown int
}

// Run compares one case. An error says that it couldn't be compared, not that answers differ.
func (c Case) Run(o Options) (Outcome, error) {
	s := &sheet{suite: c.Suite, group: c.Group, known: o.Known, stride: max(1, o.Stride), maxShown: o.MaxShown}
	if s.maxShown == 0 {
		s.maxShown = 20
	}
	if err := c.run(s); err != nil {
		return s.outcome, fmt.Errorf("comparing %s of %s: %w", c.Suite, c.Group, err)
	}
	return s.outcome, nil
}
