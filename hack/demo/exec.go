package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pause is the time between two looks at something awaited.
const pause = 50 * time.Millisecond

func (d *demo) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = d.root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.kubeconfig)
	return cmd
}

// output runs a command and returns what it printed.
func (d *demo) output(ctx context.Context, name string, args ...string) (string, error) {
	return collect(d.command(ctx, name, args...))
}

func collect(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// stream runs a command whose progress the user wants to see.
func (d *demo) stream(ctx context.Context, name string, args ...string) error {
	cmd := d.command(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = d.out, d.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}

func (d *demo) kubectl(ctx context.Context, args ...string) (string, error) {
	return d.output(ctx, d.kubectlBin, args...)
}

func (d *demo) kubectlQuiet(ctx context.Context, args ...string) error {
	_, err := d.kubectl(ctx, args...)
	return err
}

func (d *demo) kubectlInput(ctx context.Context, input string, args ...string) (string, error) {
	cmd := d.command(ctx, d.kubectlBin, args...)
	cmd.Stdin = strings.NewReader(input)
	return collect(cmd)
}

// show runs kubectl and shows both the command and what it printed.
func (d *demo) show(ctx context.Context, args ...string) error {
	text, err := d.kubectl(ctx, args...)
	if err != nil {
		return err
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		if quoted[i] = arg; strings.ContainsAny(arg, " {}[]*\\") {
			quoted[i] = "'" + arg + "'"
		}
	}
	d.printf("$ kubectl %s\n%s", strings.Join(quoted, " "), indent(text))
	return nil
}

// kubectlName is how a user calls kubectl: by name where the machine has one.
func (d *demo) kubectlName() string {
	if _, err := exec.LookPath("kubectl"); err == nil {
		return "kubectl"
	}
	return d.kubectlBin
}

// eventually tries until met gives no error, and says what was awaited when it never does.
func (d *demo) eventually(ctx context.Context, limit time.Duration, what string, met func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := met()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, errors.Join(context.Cause(ctx), err))
		case <-time.After(pause):
		}
	}
}

func (d *demo) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format, args...)
}

// bold makes a heading stand out where it is shown on a terminal.
func (d *demo) bold(text string) string {
	file, ok := d.out.(*os.File)
	if !ok {
		return text
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return text
	}
	return "\033[1m" + text + "\033[0m"
}

func indent(text string) string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}

// folders makes the folders that the demo needs.
func (d *demo) folders() error {
	return os.MkdirAll(filepath.Join(d.dir, "bin"), 0o750)
}
