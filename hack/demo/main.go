package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// limit bounds the whole demo, first build of the control plane included.
const limit = 40 * time.Minute

const usage = `Usage: go run ./hack/demo [up|down]

  up     run the demo and leave it running (the default)
  down   end it

DEMO_ONESHOT=1 ends it by itself.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := run(ctx, os.Args[1:])
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	d := newDemo(root, os.Stdout)
	switch {
	case len(args) == 0 || (len(args) == 1 && args[0] == "up"):
	case len(args) == 1 && args[0] == "down":
		return d.down(ctx)
	default:
		fmt.Fprint(os.Stderr, usage)
		return errors.New("unknown argument")
	}
	if os.Getenv("DEMO_ONESHOT") == "" {
		return d.up(ctx)
	}
	err = d.up(ctx)
	// What failed is told first: ending what runs must not hide it.
	if err != nil {
		d.showLogs()
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return errors.Join(err, d.down(ending))
}

// repositoryRoot is the folder above the working directory that has this repository's go.mod.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "hack", "demo", "main.go")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run this from within the repository")
		}
		dir = filepath.Dir(dir)
	}
}
