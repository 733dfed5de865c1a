// Package conformance compares pkg/eval and pkg/events with recorded answers of Statsig's official Server Core SDK, cell
// by cell: individual calls, client initialize responses, exposures, batches of events, malformed documents, and how
// user agents and addresses are read. Tests and the command hack/conformance use it alike, so that there is one
// comparison and one list of known differences.
//
// It makes no answers of its own: folders in the form of testdata/conformance hold them, and that folder's README says
// where they come from.
//
// A [Case] and a [Known] are safe for concurrent use.
package conformance
