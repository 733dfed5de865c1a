package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestWhatCannotBeUsedIsSaidInOneLine(t *testing.T) {
	specs := writeFile(t, "specs.json", string(testDocument().JSON(t)))
	users := writeFile(t, "users.jsonl", staffUser)
	plain := filepath.Join(t.TempDir(), "plain.gz")
	if err := os.WriteFile(plain, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want string
	}{
		"no specs":        {[]string{"--users", users}, `required flag(s) "specs" not set`},
		"no users":        {[]string{"--specs", specs}, `required flag(s) "users" not set`},
		"an argument":     {[]string{"--specs", specs, "--users", users, "gate"}, `unexpected argument "gate": kubectl statsig evaluate takes flags only`},
		"an unknown flag": {[]string{"--hash", "none"}, "unknown flag: --hash"},
		"specs that are not there": {
			[]string{"--specs", "/nowhere/specs.json", "--users", users},
			"reading config specs: open /nowhere/specs.json: no such file or directory",
		},
		"users that are not there": {
			[]string{"--specs", specs, "--users", "/nowhere/users.jsonl"},
			"reading users: open /nowhere/users.jsonl: no such file or directory",
		},
		"ID lists that are not there": {
			[]string{"--specs", specs, "--users", users, "--id-lists", "/nowhere/lists.json"},
			"reading ID lists: open /nowhere/lists.json: no such file or directory",
		},
		"specs that only claim to be compressed": {
			[]string{"--specs", plain, "--users", users}, "reading config specs: decompressing " + plain + ": unexpected EOF",
		},
		"specs that are none": {
			[]string{"--specs", "-", "--users", users},
			"reading config specs from the standard input: malformed config specs: at byte 0: unexpected end of text",
		},
		"ID lists that are none": {
			[]string{"--specs", specs, "--users", users, "--id-lists", writeFile(t, "a.json", "null")}, "want an object of ID lists",
		},
		"an ID list that is none": {
			[]string{"--specs", specs, "--users", users, "--id-lists", writeFile(t, "a.json", `{"beta":{"bodies":""}}`)},
			`list "beta": want an array of unit IDs, or an object with a "body"`,
		},
		"globals that are no object": {
			[]string{"--specs", specs, "--users", users, "--globals", "null"}, "reading --globals: want a JSON object",
		},
		"globals that are an array": {
			[]string{"--specs", specs, "--users", users, "--globals", "[1]"}, "reading --globals: want a JSON object",
		},
		"globals that are no JSON": {
			[]string{"--specs", specs, "--users", users, "--globals", "{region}"}, "reading --globals: invalid character",
		},
		"a time in another form": {
			[]string{"--specs", specs, "--users", users, "--now", "yesterday"},
			`--now "yesterday" is neither a time in RFC 3339 nor Unix milliseconds`,
		},
		"an unknown output": {[]string{"--specs", specs, "--users", users, "-o", "yaml"}, `--output "yaml": want jsonl or table`},
		"an unknown kind": {
			[]string{"--specs", specs, "--users", users, "--only", "flag:a"},
			`--only "flag:a": want gate:NAME, config:NAME, layer:NAME or store:NAME`,
		},
		"a kind without a name": {[]string{"--specs", specs, "--users", users, "--only", "gate:"}, `--only "gate:": want gate:NAME`},
		"two files from one input": {
			[]string{"--specs", "-", "--users", "-"}, "only one of --specs, --users and --id-lists can read the standard input",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := execute(t, "", append([]string{"evaluate"}, tc.args...)...)
			if got.Code != 1 || got.Out != "" {
				t.Errorf("code %d, stdout %q, want code 1 and nothing", got.Code, got.Out)
			}
			if !strings.HasPrefix(got.Err, "error: ") || !strings.Contains(got.Err, tc.want) {
				t.Errorf("stderr = %q, want %q", got.Err, tc.want)
			}
			if strings.Count(got.Err, "\n") != 1 || !strings.HasSuffix(got.Err, "\n") {
				t.Errorf("stderr is not one line: %q", got.Err)
			}
		})
	}
}

func TestASpecThatIsLeftOutIsAWarning(t *testing.T) {
	specs := testDocument().Add(evaltest.NewGate("odd").With("salt", 1))
	got := execute(t, string(specs.JSON(t)), "evaluate", "--specs", "-", "--users", writeFile(t, "u.jsonl", staffUser), "--only", "layer:page")
	if got.Code != 0 || !strings.HasPrefix(got.Out, `{"u":0,`) {
		t.Errorf("code %d, stdout %q, want an answer", got.Code, got.Out)
	}
	if want := "warning: config specs: left out Gate \"odd\": want a string\n"; got.Err != want {
		t.Errorf("stderr = %q, want %q", got.Err, want)
	}
}

func TestUsersReadBeforeAFileBreaksOffAreAnswered(t *testing.T) {
	// Users that don't resemble each other fill more than one block of the compressed file.
	users := numberedUsers(20_000)
	whole := compressed(t, users)
	broken := filepath.Join(t.TempDir(), "users.jsonl.gz")
	if err := os.WriteFile(broken, whole[:len(whole)*3/4], 0o600); err != nil {
		t.Fatal(err)
	}
	specs := writeFile(t, "specs.json", string(testDocument().JSON(t)))
	got := execute(t, "", "evaluate", "--specs", specs, "--users", broken, "--only", "gate:staff_gate")
	if got.Code != 1 || strings.Count(got.Out, "\n") < 1000 || !strings.HasSuffix(got.Out, "}\n") {
		t.Errorf("code %d and %d answers, want code 1 and those before the break", got.Code, strings.Count(got.Out, "\n"))
	}
	if want := "error: reading users: decompressing " + broken + ": unexpected EOF\n"; got.Err != want {
		t.Errorf("stderr = %q, want %q", got.Err, want)
	}
}

// echo answers with the user's ID.
type echo struct{}

func (echo) appendUser(dst []byte, _ int, user *eval.User) []byte {
	return append(append(dst, user.UserID()...), '\n')
}

func TestAnswersThatCannotBeWrittenEndTheStream(t *testing.T) {
	s := userStream{
		users: endless{}, out: bufio.NewWriter(fullDisk{}), newPrinter: func() printer { return echo{} },
		report: func(int, error) {},
	}
	if err := s.run(4); !errors.Is(err, errFull) {
		t.Errorf("run = %v, want %v", err, errFull)
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// endless is a file of users without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, otherUser+"\n"), nil }

func TestManyWorkersKeepTheOrderOfUsers(t *testing.T) {
	users := numberedUsers(5000)
	var out strings.Builder
	s := userStream{
		// Reads of one byte let lines arrive at any time.
		users: iotest.OneByteReader(strings.NewReader(users)), out: bufio.NewWriter(&out),
		newPrinter: func() printer { return echo{} }, report: func(line int, err error) { t.Errorf("line %d: %v", line, err) },
	}
	if err := s.run(8); err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(`{"userID":"`, "", `"}`, "").Replace(users)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestAnAnswerDoesNotWaitForTheNextUser(t *testing.T) {
	in, users := io.Pipe()
	answers, out := io.Pipe()
	s := userStream{
		users: in, out: bufio.NewWriter(out), newPrinter: func() printer { return echo{} }, report: func(int, error) {},
	}
	done := make(chan error, 1)
	go func() { done <- s.run(2) }()
	lines := bufio.NewReader(answers)
	for _, id := range []string{"u1", "u2"} {
		if _, err := io.WriteString(users, `{"userID":"`+id+`"}`+"\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := lines.ReadString('\n'); got != id+"\n" || err != nil {
			t.Fatalf("answer = %q, %v, want %s", got, err, id)
		}
	}
	_ = users.Close()
	if err := <-done; err != nil {
		t.Errorf("run = %v", err)
	}
}
