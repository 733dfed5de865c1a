package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// outcome is what a command left behind.
type outcome struct {
	Out, Err string
	Code     int
}

// testClock is the current time of tests.
var testClock = time.UnixMilli(1_700_000_000_000)

// execute runs the plugin as kubectl would.
func execute(tb testing.TB, stdin string, args ...string) outcome {
	tb.Helper()
	var out, errOut bytes.Buffer
	root := newRootCommand(func() time.Time { return testClock })
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errOut)
	code := run(root)
	return outcome{Out: out.String(), Err: errOut.String(), Code: code}
}

// writeFile writes a file into a folder of the test's own, compressed where the name ends in .gz.
func writeFile(tb testing.TB, name, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	content := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		content = compressed(tb, text)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func compressed(tb testing.TB, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestTheVersionIsPrinted(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}} {
		got := execute(t, "", args...)
		if want := (outcome{Out: version + "\n"}); got != want {
			t.Errorf("%v = %+v, want %+v", args, got, want)
		}
	}
}

func TestHelpNamesTheCommandAsKubectlDoes(t *testing.T) {
	tests := map[string]struct {
		args []string
		want []string
	}{
		"the plugin lists its commands": {
			args: nil,
			want: []string{"kubectl statsig [command]", "evaluate ", "explain ", "version "},
		},
		"evaluate shows an example and its flags": {
			args: []string{"evaluate", "--help"},
			want: []string{
				"kubectl statsig evaluate --specs FILE --users FILE [flags]",
				"kubectl statsig evaluate --specs specs.json --users users.jsonl\n", "--now TIME", "-o, --output FORMAT",
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := execute(t, "", tc.args...)
			if got.Code != 0 || got.Err != "" {
				t.Errorf("code %d, stderr %q, want success", got.Code, got.Err)
			}
			for _, want := range tc.want {
				if !strings.Contains(got.Out, want) {
					t.Errorf("help lacks %q:\n%s", want, got.Out)
				}
			}
		})
	}
}
