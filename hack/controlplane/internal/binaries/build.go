package binaries

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

	"github.com/statsig-operator/statsig-operator/hack/internal/process"
)

// heartbeat is how often a build says that it is still alive.
const heartbeat = 5 * time.Second

// build makes the named programs, one after the other: each build uses every
// core by itself.
func (s *Set) build(ctx context.Context, names []string) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("creating the cache folder: %w", err)
	}
	unlock, err := process.Lock(filepath.Join(s.dir, ".lock"), func() {
		fmt.Fprintln(s.out, "Waiting for another build to finish ...")
	})
	if err != nil {
		return err
	}
	defer unlock()

	missing := s.missing(names)
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(s.out, "Building into %s (once per version, some minutes)\n", s.dir)
	start := time.Now()
	for i, name := range missing {
		if err := s.buildOne(ctx, fmt.Sprintf("[%d/%d]", i+1, len(missing)), name); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.out, "Built in %.0f s\n", time.Since(start).Seconds())
	return nil
}

func (s *Set) buildOne(ctx context.Context, step, name string) error {
	p, ok := s.programs[name]
	if !ok {
		return fmt.Errorf("building %s: no such program", name)
	}
	version, err := p.version(s.source)
	if err != nil {
		return err
	}

	fmt.Fprintf(s.out, "%s %s %s ", step, name, version)
	start := time.Now()
	stop := s.dots()
	err = s.compile(ctx, name, p, version)
	stop()
	fmt.Fprintf(s.out, " %.0f s\n", time.Since(start).Seconds())
	return err
}

// dots prints a dot per heartbeat until the returned function is called.
func (s *Set) dots() (stop func()) {
	done, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		ticker := time.NewTicker(heartbeat)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				fmt.Fprint(s.out, ".")
			}
		}
	}()
	return func() { close(done); <-finished }
}

// compile builds one program beside its final name and then renames it, so that
// an interrupted build leaves nothing that looks finished.
func (s *Set) compile(ctx context.Context, name string, p program, version string) error {
	partial := filepath.Join(s.dir, "."+name+".partial")
	if _, err := s.run(ctx, p, "build", "-ldflags", p.linkerFlags(version), "-o", partial, p.pkg); err != nil {
		return fmt.Errorf("building %s: %w", name, err)
	}
	if m, ok := s.manifests[name]; ok {
		// Only now is its module sure to be in the module cache.
		if err := s.writeManifest(ctx, p, m); err != nil {
			return err
		}
	}
	if err := os.Rename(partial, filepath.Join(s.dir, name)); err != nil {
		return fmt.Errorf("building %s: %w", name, err)
	}
	return nil
}

// writeManifest copies a program's own manifests out of the module cache.
func (s *Set) writeManifest(ctx context.Context, p program, m manifest) error {
	module, err := s.run(ctx, p, "list", "-m", "-f", "{{.Dir}}", p.pin)
	if err != nil {
		return fmt.Errorf("finding module %s: %w", p.pin, err)
	}
	var manifests bytes.Buffer
	for _, name := range m.parts {
		data, err := os.ReadFile(filepath.Join(strings.TrimSpace(module), filepath.FromSlash(m.dir), filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("reading manifests of %s: %w", p.pin, err)
		}
		fmt.Fprintf(&manifests, "---\n%s\n", data)
	}
	if err := os.WriteFile(filepath.Join(s.dir, m.file), manifests.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing manifests of %s: %w", p.pin, err)
	}
	return nil
}

// run runs the go command in a program's pinning module and returns what it
// prints. Settings of the caller that change what is built are overridden.
func (s *Set) run(ctx context.Context, p program, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(s.source, p.module)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(),
		"CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly -trimpath -buildvcs=false",
		"GOOS=", "GOARCH=")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", errors.Join(err, errors.New(strings.TrimSpace(stderr.String())))
	}
	return stdout.String(), nil
}
