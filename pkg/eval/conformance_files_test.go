package eval_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

// conformanceData holds documents and users that tests of all kinds can use.
const conformanceData = "../../testdata/conformance"

// evaluatedAt is the instant of tests that don't care.
var evaluatedAt = time.UnixMilli(1_768_478_400_000)

// everything are the options of an evaluator that lacks nothing.
func everything(l idLists) eval.Options {
	return eval.Options{IDLists: l, Country: country.New(), UserAgent: useragent.FirstParty{}}
}

// idLists is a set of ID lists in memory.
type idLists map[string]map[string]bool

// add adds a list as it is downloaded.
func (l idLists) add(name, body string) {
	list := map[string]bool{}
	for line := range strings.Lines(body) {
		if hash, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "+"); ok {
			list[hash] = true
		}
	}
	l[name] = list
}

// Contains implements [eval.IDLists].
func (l idLists) Contains(list, hash string) bool { return l[list][hash] }

func compile(t testing.TB, document []byte) *eval.Snapshot {
	t.Helper()
	d, err := eval.Decode(document)
	if err != nil {
		t.Fatal(err)
	}
	s, err := eval.Compile(d, eval.Origin{Source: "Network"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustUnmarshal(t testing.TB, text []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b
}

func readLines(t testing.TB, name string) [][]byte {
	t.Helper()
	var lines [][]byte
	s := bufio.NewScanner(bytes.NewReader(readFile(t, name)))
	s.Buffer(nil, 1<<26)
	for s.Scan() {
		lines = append(lines, bytes.Clone(s.Bytes()))
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return lines
}
