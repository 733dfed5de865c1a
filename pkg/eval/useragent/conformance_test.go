package useragent_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

// recorded is one user agent and what Server Core made of it.
type recorded struct {
	userAgent string
	want      eval.UserAgent
}

func TestFirstPartyConformance(t *testing.T) {
	checkTable(t, "ua.first_party.jsonl.gz", useragent.FirstParty{}, 1)
}

func TestThirdPartyConformance(t *testing.T) {
	checkTable(t, "ua.third_party.jsonl.gz", newThirdParty(t), thirdPartyStride)
}

// checkTable checks every cell of each stride-th row.
func checkTable(t *testing.T, name string, parser eval.UserAgentParser, stride int) {
	t.Helper()
	rows := readTable(t, name)
	if want := 5636; len(rows) != want {
		t.Errorf("%s has %d rows, want %d", name, len(rows), want)
	}
	for i := 0; i < len(rows); i += stride {
		row := rows[i]
		if diff := cmp.Diff(row.want, parser.Parse(row.userAgent)); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", row.userAgent, diff)
		}
	}
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
