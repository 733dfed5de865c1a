package useragent_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

// recorded is one user agent and what Server Core made of it.
type recorded struct {
	userAgent string
	want      eval.UserAgent
}

// TestUserAgentsOfTheOfficialSDK compares every cell of both tables.
func TestUserAgentsOfTheOfficialSDK(t *testing.T) {
	conformance.TestSuites(t, "../../..", conformance.SuiteUserAgents)
}

func readTable(tb testing.TB, name string) []recorded {
	tb.Helper()
	file, err := os.Open(filepath.Join("..", "..", "..", "testdata", "conformance", "tables", name))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	zr, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	var rows []recorded
	for scanner := bufio.NewScanner(zr); scanner.Scan(); {
		var row [5]string
		if err := json.Unmarshal(scanner.Bytes(), &row); err != nil {
			tb.Fatalf("%s, row %d: %v", name, len(rows), err)
		}
		rows = append(rows, recorded{userAgent: row[0], want: eval.UserAgent{
			OSName: row[1], OSVersion: row[2], BrowserName: row[3], BrowserVersion: row[4],
		}})
	}
	return rows
}

func newThirdParty(tb testing.TB) *useragent.ThirdParty {
	tb.Helper()
	p, err := useragent.NewThirdParty()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
