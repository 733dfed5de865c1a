package useragent

import (
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	"github.com/ua-parser/uap-go/uaparser"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// ThirdParty is the parser on the regular expressions of uap-core. It implements eval.UserAgentParser. [NewThirdParty]
// makes one.
//
// A parse tries some 250 expressions and takes about half a millisecond; callers keep the result.
type ThirdParty struct {
	rules *uaparser.Parser
}

// NewThirdParty returns a ThirdParty. All of them share their expressions, which the first call in a process compiles
// in a few hundred milliseconds. It fails only if uap-go does.
func NewThirdParty() (*ThirdParty, error) {
	rules, err := sharedRules()
	if err != nil {
		return nil, fmt.Errorf("compiling user-agent expressions: %w", err)
	}
	return &ThirdParty{rules: rules}, nil
}

var sharedRules = sync.OnceValues(func() (*uaparser.Parser, error) {
	// The cache can't be left out, but it goes unused: parsing here goes past it.
	p, err := uaparser.New(uaparser.WithCacheSize(1))
	if err != nil {
		return nil, err
	}
	reduced := &uaparser.RegexDefinitions{}
	for _, rule := range p.UA {
		if isKept(browserRules, rule.Expr) {
			reduced.UA = append(reduced.UA, rule)
		}
	}
	for _, rule := range p.OS {
		if isKept(osRules, rule.Expr) {
			reduced.OS = append(reduced.OS, rule)
		}
	}
	p.RegexDefinitions = reduced
	return p, nil
})

// isKept reports whether an expression is on the list.
func isKept(list []uint64, expr string) bool {
	_, ok := slices.BinarySearch(list, ruleHash(expr))
	return ok
}

// ruleHash is the 64-bit FNV-1a hash of an expression.
func ruleHash(expr string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(expr))
	return h.Sum64()
}

// Parse reads a user agent. Names are "Other" where nothing is recognised. Versions always have three parts, with 0 for
// missing ones.
func (p *ThirdParty) Parse(userAgent string) eval.UserAgent {
	var browser uaparser.UserAgent
	for _, rule := range p.rules.UA {
		if rule.Match(userAgent, &browser); browser.Family != "" {
			break
		}
	}
	var os uaparser.Os
	for _, rule := range p.rules.OS {
		if rule.Match(userAgent, &os); os.Family != "" {
			break
		}
	}
	return eval.UserAgent{
		OSName:         orElse(os.Family, other),
		OSVersion:      threeParts(os.Major, os.Minor, os.Patch),
		BrowserName:    orElse(browser.Family, other),
		BrowserVersion: threeParts(browser.Major, browser.Minor, browser.Patch),
	}
}

func threeParts(major, minor, patch string) string {
	return orElse(major, "0") + "." + orElse(minor, "0") + "." + orElse(patch, "0")
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
