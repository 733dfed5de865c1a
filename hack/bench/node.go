package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed worker/worker.mjs
var workerScript []byte

const (
	nodeSDK        = "@statsig/statsig-node-core"
	nodeSDKVersion = "0.23.2"
	// nodeCore is how it is called in tables.
	nodeCore = "node-core"
)

// nodePeer is Statsig's Server Core behind its Node binding, in a process of its own. Its timings are taken there, and
// hold the crossing into native code that every caller pays.
type nodePeer struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	server  *http.Server
	ready   nodeReady
}

// nodeReady is what the worker says when it has loaded its document: nanoseconds and bytes.
type nodeReady struct {
	Error         string
	Elapsed       int64
	Before, After struct{ Resident, Peak uint64 }
}

// startNode starts a worker with a document; it returns nil, and says so, where Node or npm isn't there.
func startNode(ctx context.Context, o options, document []byte, w io.Writer) (*nodePeer, error) {
	if !o.node {
		return nil, nil //nolint:nilnil // no peer is an outcome, not a failure
	}
	if missing := missingProgram("node", "npm"); missing != "" {
		fmt.Fprintf(w, "%s is left out: there is no %s on this machine.\n", nodeSDK, missing)
		return nil, nil //nolint:nilnil // as above
	}
	folder, err := installNodeSDK(ctx, o.nodeCache)
	if err != nil {
		return nil, err
	}
	p := &nodePeer{}
	url, err := p.serve(document)
	if err != nil {
		return nil, err
	}
	p.process = exec.CommandContext(ctx, "node", filepath.Join(folder, "worker.mjs"), url)
	p.process.Stderr = os.Stderr
	if p.in, err = p.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	if err := p.read(&p.ready); err != nil {
		p.close()
		return nil, fmt.Errorf("starting %s: %w", nodeSDK, err)
	}
	return p, nil
}

// missingProgram is the first of some programs that can't be found, "" where all can.
func missingProgram(programs ...string) string {
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return program
		}
	}
	return ""
}

// installNodeSDK installs the SDK, unless it is there, and puts the worker beside it.
func installNodeSDK(ctx context.Context, cache string) (folder string, err error) {
	folder = filepath.Join(cache, "node-core-"+nodeSDKVersion)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(folder, "worker.mjs"), workerScript, 0o600); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", filepath.FromSlash(nodeSDK), "package.json")); err == nil {
		return folder, nil
	}
	npm := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", folder,
		nodeSDK+"@"+nodeSDKVersion)
	npm.Stdout, npm.Stderr = os.Stderr, os.Stderr
	if err := npm.Run(); err != nil {
		return "", fmt.Errorf("installing %s: %w", nodeSDK, err)
	}
	return folder, nil
}

// serve hands the document out on loopback.
func (p *nodePeer) serve(document []byte) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "download_config_specs") {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(document) // a worker that is gone says so itself
		})}
	go func() { _ = p.server.Serve(listener) }()
	return "http://" + listener.Addr().String() + "/v2/download_config_specs", nil
}

// call sends a command and reads the worker's answer.
func (p *nodePeer) call(command object, answer any) error {
	if err := json.NewEncoder(p.in).Encode(command); err != nil {
		return err
	}
	return p.read(answer)
}

func (p *nodePeer) read(answer any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	var failure struct{ Error string }
	if err := json.Unmarshal(line, &failure); err != nil {
		return err
	}
	if failure.Error != "" {
		return errors.New(failure.Error)
	}
	return json.Unmarshal(line, answer)
}

func (p *nodePeer) setUsers(users []user) error {
	list := make([]object, len(users))
	for i, u := range users {
		list[i] = object{
			"id": u.id, "email": u.email, "country": u.country, "appVersion": u.appVersion, "level": u.level,
		}
	}
	return p.call(object{"op": "users", "list": list}, &struct{}{})
}

func (p *nodePeer) name() string { return nodeCore }

func (p *nodePeer) statsig() bool { return true }

func (p *nodePeer) answers(flag string) ([]bool, error) {
	var a struct{ Answers []bool }
	err := p.call(object{"op": "answers", "flag": flag}, &a)
	return a.Answers, err
}

func (p *nodePeer) runner(flag string, m mode) func(n int) (sample, error) {
	if m.threads > 1 {
		return nil
	}
	return func(n int) (sample, error) {
		return p.time(object{"op": "time", "flag": flag, "n": n, "rotate": m.rotate}, n)
	}
}

func (p *nodePeer) time(command object, n int) (sample, error) {
	var a struct{ Elapsed int64 }
	err := p.call(command, &a)
	return sample{elapsed: time.Duration(a.Elapsed), operations: n}, err
}

func (p *nodePeer) close() {
	_ = p.in.Close()     // which ends the worker
	_ = p.process.Wait() // how it ends tells nothing that its answers don't
	_ = p.server.Close() // nothing is under way
}
