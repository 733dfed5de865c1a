package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// roleVariable makes the test binary play the program that a test starts.
const roleVariable = "PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "wait":
		os.Stdout.WriteString("waiting\n")
		time.Sleep(time.Minute)
	case "crash":
		os.Stdout.WriteString("first\n")
		os.Stderr.WriteString("last\n")
		os.Exit(3)
	default:
		os.Exit(m.Run())
	}
}

// start runs the test binary in the given role and makes sure it ends.
func start(t *testing.T, dir, role string) *Process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(dir, Command{
		Name: "program", Path: program, Args: []string{"--dir=" + dir}, Env: []string{roleVariable + "=" + role},
	})
	if err != nil {
		t.Fatalf("Start() = %v", err)
	}
	t.Cleanup(func() {
		if err := Stop(dir, "program", 0); err != nil {
			t.Errorf("Stop() in cleanup = %v", err)
		}
	})
	return p
}

func TestStartedProgramIsFoundAndStopped(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "wait")

	if pid, running := Running(dir, "program"); pid != p.PID || !running {
		t.Fatalf("Running() = %d, %t, want %d, true", pid, running, p.PID)
	}
	if err := Stop(dir, "program", 10*time.Second); err != nil {
		t.Fatalf("Stop() = %v", err)
	}
	<-p.Exited()
	if _, running := Running(dir, "program"); running {
		t.Error("Running() is true after Stop()")
	}
	if err := Stop(dir, "program", 0); err != nil {
		t.Errorf("second Stop() = %v, want nothing to do", err)
	}
}

func TestEndOfAProgramIsSeen(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "crash")
	<-p.Exited()

	if got := p.Err().Error(); got != "exit status 3" {
		t.Errorf("Err() = %q", got)
	}
	if _, running := Running(dir, "program"); running {
		t.Error("Running() is true after the end")
	}
	got, err := LogTail(dir, "program", 1)
	if err != nil {
		t.Fatalf("LogTail() = %v", err)
	}
	if diff := cmp.Diff([]string{"last"}, got); diff != "" {
		t.Errorf("LogTail() (-want +got):\n%s", diff)
	}
}

func TestAnotherProgramWithTheSameNumberIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "wait")

	// A pid file from before a reboot names a number that now is someone else's.
	other := t.TempDir()
	stale := record{PID: p.PID, Args: []string{"/usr/bin/etcd", "--data-dir=" + other}}
	if err := writeRecord(other, "etcd", stale); err != nil {
		t.Fatal(err)
	}

	if _, running := Running(other, "etcd"); running {
		t.Error("Running() takes another program for ours")
	}
	if err := Stop(other, "etcd", time.Second); err != nil {
		t.Errorf("Stop() = %v", err)
	}
	if _, running := Running(dir, "program"); !running {
		t.Error("Stop() ended another program")
	}
}

func TestPidFilesThatNameNoProgramAreRefused(t *testing.T) {
	tests := map[string]struct {
		content   string
		wantError string
	}{
		"a number that would mean every process is refused": {
			content:   `{"pid":-1,"args":[]}`,
			wantError: "-1 is not a process of ours",
		},
		"a number that would mean our own group is refused": {
			content:   `{"pid":0,"args":[]}`,
			wantError: "0 is not a process of ours",
		},
		"init is refused": {
			content:   `{"pid":1,"args":["/sbin/init"]}`,
			wantError: "1 is not a process of ours",
		},
		"a damaged file is refused": {
			content:   `{"pid":`,
			wantError: "reading the pid file of program",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(pidFile(dir, "program"), []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			err := Stop(dir, "program", 0)
			if err == nil || !strings.Contains(err.Error(), tc.wantError) {
				t.Errorf("Stop() = %v, want an error with %q", err, tc.wantError)
			}
			if _, running := Running(dir, "program"); running {
				t.Error("Running() = true")
			}
		})
	}
}

func TestStartFailsForAMissingProgram(t *testing.T) {
	dir := t.TempDir()
	_, err := Start(dir, Command{Name: "program", Path: filepath.Join(dir, "absent")})
	if err == nil || !strings.Contains(err.Error(), "starting program") {
		t.Errorf("Start() = %v, want an error that names the program", err)
	}
}

func TestLogTailIsBounded(t *testing.T) {
	tests := map[string]struct {
		log   string
		lines int
		want  []string
	}{
		"a short log comes whole":                {log: "a\nb\n", lines: 5, want: []string{"a", "b"}},
		"a long log is cut to its last lines":    {log: "a\nb\nc\n", lines: 2, want: []string{"b", "c"}},
		"an empty log has no lines":              {log: "", lines: 3, want: nil},
		"a line without an end is the last line": {log: "a\nb", lines: 1, want: []string{"b"}},
		"only the end of a huge log is read": {
			log: strings.Repeat("x", 2*tailBytes) + "\nend\n", lines: 1, want: []string{"end"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(LogFile(dir, "program"), []byte(tc.log), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := LogTail(dir, "program", tc.lines)
			if err != nil {
				t.Fatalf("LogTail() = %v", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("LogTail() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLockLetsOneIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(file, func() { t.Error("waiting() called for a free lock") })
	if err != nil {
		t.Fatal(err)
	}

	waiting := make(chan struct{})
	second := make(chan error)
	order := make(chan string, 2)
	go func() {
		release, err := Lock(file, func() { close(waiting) })
		if err == nil {
			order <- "second"
			release()
		}
		second <- err
	}()
	<-waiting
	order <- "first"
	unlock()
	if err := <-second; err != nil {
		t.Fatalf("second Lock() = %v", err)
	}
	if diff := cmp.Diff([]string{"first", "second"}, []string{<-order, <-order}); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestRecordKeepsTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	want := record{PID: 1 << 20, Args: []string{"/bin/x", "--name=" + strconv.Quote("a b")}}
	if err := writeRecord(dir, "program", want); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(dir, "program")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("readRecord() (-want +got):\n%s", diff)
	}
}
