package useragent

import (
	"slices"
	"testing"
)

// TestEveryRuleIsFound fails when a release of uap-go changes or drops an expression that Server Core keeps. The
// conformance test then says whether the change matters; the new hash goes into the list.
func TestEveryRuleIsFound(t *testing.T) {
	rules, err := sharedRules()
	if err != nil {
		t.Fatal(err)
	}
	var browsers, systems []uint64
	for _, rule := range rules.UA {
		browsers = append(browsers, ruleHash(rule.Expr))
	}
	for _, rule := range rules.OS {
		systems = append(systems, ruleHash(rule.Expr))
	}
	tests := map[string]struct{ list, found []uint64 }{
		"browser rules":          {list: browserRules, found: browsers},
		"operating system rules": {list: osRules, found: systems},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if slices.Sort(tc.found); !slices.Equal(tc.list, tc.found) {
				t.Errorf("uap-go has %d of the %d expressions once", len(tc.found), len(tc.list))
			}
		})
	}
}
