package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed oracle.js
var oracleScript []byte

// sdk is the package that is asked.
const sdk = "@statsig/statsig-node-core"

// install puts the SDK and the script that asks it into a folder, unless they are there.
func install(ctx context.Context, folder, version string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "oracle.js"), oracleScript, 0o644); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", filepath.FromSlash(sdk))); err == nil {
		return nil
	}
	npm := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", folder, sdk+"@"+version)
	npm.Stdout, npm.Stderr = os.Stderr, os.Stderr
	if err := npm.Run(); err != nil {
		return fmt.Errorf("installing %s %s: %w", sdk, version, err)
	}
	return nil
}

// job is one document to ask about.
type job struct {
	URL      string            `json:"url"`
	Key      string            `json:"key"`
	File     string            `json:"file"` // where the answers go
	Options  map[string]any    `json:"options"`
	Users    []json.RawMessage `json:"users"`
	Entities [][]any           `json:"entities"` // kind, name and, for a store, its parameters
	Expose   bool              `json:"expose"`
	Respond  bool              `json:"respond"`
}

// oracle is the process in which the SDK runs. It is started again after a number of jobs, as the SDK's memory grows.
type oracle struct {
	ctx    context.Context //nolint:containedctx // that of the whole program
	folder string
	jobs   int

	process *exec.Cmd
	in      *json.Encoder
	out     *bufio.Reader
	end     func()
}

const jobsPerProcess = 200

// errDied says that the SDK took its process down.
var errDied = errors.New("the SDK's process died")

func (o *oracle) ask(j job) error {
	if o.process != nil && o.jobs >= jobsPerProcess {
		o.stop()
	}
	if o.process == nil {
		if err := o.start(); err != nil {
			return fmt.Errorf("starting node: %w", err)
		}
	}
	o.jobs++
	var answer struct{ Error string }
	err := o.in.Encode(j)
	if err == nil {
		var line []byte
		if line, err = o.out.ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, &answer)
		}
	}
	if err != nil {
		o.stop()
		return fmt.Errorf("%w: %w", errDied, err)
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return nil
}

func (o *oracle) start() error {
	node := exec.CommandContext(o.ctx, "node", filepath.Join(o.folder, "oracle.js"))
	node.Dir, node.Stderr = o.folder, os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		return err
	}
	out, err := node.StdoutPipe()
	if err != nil {
		return err
	}
	if err := node.Start(); err != nil {
		return err
	}
	o.process, o.jobs, o.in, o.out = node, 0, json.NewEncoder(in), bufio.NewReader(out)
	o.end = func() { _ = in.Close() }
	return nil
}

// stop ends the process and waits for it.
func (o *oracle) stop() {
	if o.process == nil {
		return
	}
	o.end()
	_ = o.process.Wait() // how it ends tells nothing that its answers don't
	o.process = nil
}
