package statsigtest

import (
	_ "embed"
	"slices"
)

//go:embed demo.json
var demoProject []byte

// DemoProject returns the demo project's config specs, a v2 document; README.md lists what is in it. The caller may
// change the bytes.
func DemoProject() []byte { return slices.Clone(demoProject) }

// DemoIDLists returns the unit IDs of the demo project's ID lists, by list name.
func DemoIDLists() map[string][]string {
	return map[string][]string{"beta_workloads": {"shop/search", "shop/ledger-0"}}
}
