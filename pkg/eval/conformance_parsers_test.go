package eval_test

import (
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

// evaluatedAt is the instant of tests that don't care.
var evaluatedAt = time.UnixMilli(1_768_478_400_000)

func countries(testing.TB) eval.CountryLookup { return country.New() }

func agentParser(t testing.TB, thirdParty bool) eval.UserAgentParser {
	t.Helper()
	if !thirdParty {
		return useragent.FirstParty{}
	}
	p, err := useragent.NewThirdParty()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
