package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/statsig-operator/statsig-operator/hack/controlplane/internal/binaries"
	"github.com/statsig-operator/statsig-operator/hack/internal/process"
)

const (
	// startTimeout bounds a start, on a slow machine too.
	startTimeout = 3 * time.Minute
	// stopGrace is how long a component may take to end by itself.
	stopGrace = 15 * time.Second
	// pollInterval is the time between two looks at a component that starts.
	pollInterval = 50 * time.Millisecond
	// tailLines is how much of a log is shown when a component fails.
	tailLines = 15
)

// Options describe a cluster to start.
type Options struct {
	// Dir is the folder of the cluster. It is created, and its logs stay.
	Dir string
	// Nodes is the number of fake nodes.
	Nodes int
	// Binaries are the programs to run. They must have been built.
	Binaries *binaries.Set
	// Out receives progress.
	Out io.Writer
}

// State says whether a component runs.
type State struct {
	// Name is the component's program.
	Name string
	// PID is its process number, 0 if it does not run.
	PID int
	// Log is the file with its output.
	Log string
}

// Up makes sure that a cluster runs in a folder and returns the path of its
// kubeconfig. A complete cluster that runs already is left as it is; the rest of
// an incomplete one is stopped and a new one started. If the start fails,
// everything is stopped again, and the error ends with the last lines that the
// component at fault printed.
func Up(ctx context.Context, o Options) (kubeconfig string, err error) {
	l, unlock, err := open(o.Dir, o.Out)
	if err != nil {
		return "", err
	}
	defer unlock()

	if complete(l) {
		fmt.Fprintf(o.Out, "The control plane in %s is running\n", l)
		return l.kubeconfig(), nil
	}
	if err := stopAll(l); err != nil {
		return "", err
	}

	start := time.Now()
	if err := startAll(ctx, l, o); err != nil {
		return "", errors.Join(err, stopAll(l))
	}
	fmt.Fprintf(o.Out, "The control plane in %s started in %.1f s\n", l, time.Since(start).Seconds())
	return l.kubeconfig(), nil
}

// Down stops the cluster in a folder and removes all but its logs.
func Down(dir string, out io.Writer) error {
	l, unlock, err := open(dir, out)
	if err != nil {
		return err
	}
	defer unlock()
	return stopAll(l)
}

// Status returns the state of every component of the cluster in a folder, and
// the path of its kubeconfig.
func Status(dir string) (states []State, kubeconfig string, err error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", fmt.Errorf("finding cluster folder: %w", err)
	}
	l := layout(absolute)
	for _, name := range stopOrder {
		pid, running := process.Running(l.run(), name)
		if !running {
			pid = 0
		}
		states = append(states, State{Name: name, PID: pid, Log: process.LogFile(l.run(), name)})
	}
	return states, l.kubeconfig(), nil
}

// open creates the folder of a cluster and keeps other processes out of it.
func open(dir string, out io.Writer) (l layout, unlock func(), err error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", nil, fmt.Errorf("finding cluster folder: %w", err)
	}
	l = layout(absolute)
	if err := l.create(); err != nil {
		return "", nil, err
	}
	unlock, err = process.Lock(filepath.Join(absolute, "lock"), func() {
		fmt.Fprintf(out, "Waiting for another command on %s ...\n", l)
	})
	return l, unlock, err
}

// complete reports whether every component runs.
func complete(l layout) bool {
	for _, name := range stopOrder {
		if _, running := process.Running(l.run(), name); !running {
			return false
		}
	}
	return true
}

func stopAll(l layout) error {
	errs := make([]error, 0, len(stopOrder))
	for _, name := range stopOrder {
		errs = append(errs, process.Stop(l.run(), name, stopGrace))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return l.clear()
}

// startAll starts the components in the order in which they need each other.
func startAll(ctx context.Context, l layout, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	if err := l.create(); err != nil {
		return err
	}
	creds, err := newCredentials(l)
	if err != nil {
		return err
	}
	p, err := reservePorts()
	if err != nil {
		return err
	}
	defer func() { _ = p.release() }()
	server := p.apiServer.url("https")
	if err := writeKubeconfig(l.kubeconfig(), server, creds); err != nil {
		return err
	}

	api := newClient(server, creds)
	for _, c := range []component{etcd(l, p), apiServer(l, p, api)} {
		if err := startAndAwait(ctx, l, o, c); err != nil {
			return err
		}
	}
	if err := createNodes(ctx, api, o.Nodes); err != nil {
		return err
	}
	return startAndAwait(ctx, l, o, controllerManager(l, p), scheduler(l, p), kwok(l, o.Binaries, api))
}

// startAndAwait starts components side by side and waits until all are ready.
func startAndAwait(ctx context.Context, l layout, o Options, components ...component) error {
	started := make([]*process.Process, len(components))
	for i, c := range components {
		for _, reserved := range c.ports {
			if err := reserved.release(); err != nil {
				return fmt.Errorf("starting %s: %w", c.name, err)
			}
		}
		var err error
		started[i], err = process.Start(l.run(), process.Command{
			Name: c.name, Path: o.Binaries.Path(c.name), Args: c.args,
		})
		if err != nil {
			return err
		}
	}
	for i, c := range components {
		if err := await(ctx, started[i], c.ready); err != nil {
			return fmt.Errorf("waiting for %s: %w\n%s", c.name, err, lastWords(l, c.name))
		}
		fmt.Fprintf(o.Out, "%s is ready\n", c.name)
	}
	return nil
}

// await polls until a component is ready, has ended, or ctx is done.
func await(ctx context.Context, p *process.Process, ready func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.Exited():
			return fmt.Errorf("it ended early: %w", p.Err())
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

// lastWords returns the end of a component's log, for people.
func lastWords(l layout, name string) string {
	lines, err := process.LogTail(l.run(), name, tailLines)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("The end of %s:\n  %s", process.LogFile(l.run(), name), strings.Join(lines, "\n  "))
}
