package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Command is a program to run in the background.
type Command struct {
	// Name identifies the process in its state folder. It is a file name.
	Name string
	// Path is the program's file. It should be absolute.
	Path string
	// Args are its arguments. One of them should name something that is the
	// caller's alone, such as a folder: identity is the whole command line.
	Args []string
	// Env is added to the environment of this process.
	Env []string
}

// Process is a program that this process started.
type Process struct {
	// PID is its process number.
	PID int

	exited chan struct{}
	err    error
}

// record is what a pid file holds.
type record struct {
	PID  int      `json:"pid"`
	Args []string `json:"args"`
}

// Start runs a command in a session of its own, so that neither the end of this
// process nor a Ctrl-C in its terminal reaches it. Output goes to [LogFile],
// which is overwritten. A pid file is written in dir, which must exist.
func Start(dir string, c Command) (*Process, error) {
	log, err := os.OpenFile(LogFile(dir, c.Name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", c.Name, err)
	}
	// The program has its own handle.
	defer func() { _ = log.Close() }()

	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}

	p := &Process{PID: cmd.Process.Pid, exited: make(chan struct{})}
	go func() {
		if p.err = cmd.Wait(); p.err == nil {
			p.err = errors.New("exit status 0")
		}
		close(p.exited)
	}()

	if err := writeRecord(dir, c.Name, record{PID: p.PID, Args: cmd.Args}); err != nil {
		// Without a pid file nobody could stop it later.
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	return p, nil
}

// Exited is closed when the program has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err says how the program ended. It is valid, and never nil, once
// [Process.Exited] is closed.
func (p *Process) Err() error { return p.err }

// Running returns the process number of the program that was started under this
// name. It reports false if it has ended, or if its number now belongs to
// another program.
func Running(dir, name string) (int, bool) {
	r, err := readRecord(dir, name)
	if err != nil {
		return 0, false
	}
	return r.PID, r.alive()
}

// Stop ends the program that was started under this name: first politely, and
// after grace by force. It does nothing if the program is not running.
func Stop(dir, name string, grace time.Duration) error {
	r, err := readRecord(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}

	for _, attempt := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, 5 * time.Second}} {
		if !r.alive() {
			break
		}
		// The program leads a process group of its own, see Start.
		if err := syscall.Kill(-r.PID, attempt.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping %s: %w", name, err)
		}
		for deadline := time.Now().Add(attempt.wait); r.alive() && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
	}
	if r.alive() {
		return fmt.Errorf("stopping %s: process %d does not end", name, r.PID)
	}
	if err := os.Remove(pidFile(dir, name)); err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	return nil
}

// alive reports whether the recorded process still runs the recorded command.
func (r record) alive() bool {
	args, err := commandLine(r.PID)
	if err != nil {
		return false
	}
	return slices.Equal(args, normalize(r.Args))
}

func pidFile(dir, name string) string { return filepath.Join(dir, name+".pid") }

func writeRecord(dir, name string, r record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding the pid file of %s: %w", name, err)
	}
	if err := os.WriteFile(pidFile(dir, name), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the pid file of %s: %w", name, err)
	}
	return nil
}

func readRecord(dir, name string) (record, error) {
	data, err := os.ReadFile(pidFile(dir, name))
	if err != nil {
		return record{}, fmt.Errorf("reading the pid file of %s: %w", name, err)
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, fmt.Errorf("reading the pid file of %s: %w", name, err)
	}
	if r.PID <= 1 {
		// Signalling 0, -1 or a group of 1 would reach far more than one program.
		return record{}, fmt.Errorf("reading the pid file of %s: %d is not a process of ours", name, r.PID)
	}
	return r, nil
}
