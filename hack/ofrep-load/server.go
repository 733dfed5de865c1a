package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/ofrep"
)

// child is the server in a process of its own, so that its work can be told from the load's.
type child struct {
	process *exec.Cmd
	end     io.Closer
	url     string
}

func startServer(ctx context.Context, o *options) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{process: exec.CommandContext(ctx, self, serveCommand, strconv.Itoa(o.flags), o.token)}
	c.process.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", o.processors))
	c.process.Stderr = os.Stderr
	if c.end, err = c.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.stop()
		return nil, err
	}
	c.url = strings.TrimSpace(line)
	return c, nil
}

// stop ends the server, which ends with its input.
func (c *child) stop() {
	_ = c.end.Close()
	_ = c.process.Wait()
}

// serve serves a document with some gates until stdin ends, and writes its address.
func serve(ctx context.Context, w io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("want the number of gates and a token")
	}
	gates, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	handler, err := newHandler(gates, args[1])
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	fmt.Fprintf(w, "http://%s\n", listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, server.Close())
}

func newHandler(gates int, token string) (http.Handler, error) {
	text, err := document(gates)
	if err != nil {
		return nil, err
	}
	d, err := eval.Decode(text)
	if err != nil {
		return nil, err
	}
	snapshot, err := eval.Compile(d, eval.Origin{Source: "Network"})
	if err != nil {
		return nil, err
	}
	project := ofrep.Project{Evaluator: eval.NewEvaluator(snapshot, eval.Options{}), Version: "load"}
	h, err := ofrep.New(ofrep.Options{Project: func(*http.Request) ofrep.Project { return project }, Now: time.Now})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+usagePath, serveUsage)
	mux.HandleFunc("/ofrep/", func(w http.ResponseWriter, r *http.Request) {
		if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
	return mux, nil
}

// object is a JSON object.
type object = map[string]any

// document is one of gates, half of which are on for all; the others want an e-mail address, a country and a share.
func document(gates int) ([]byte, error) {
	conditions := object{
		"all":     condition("public", nil, nil, nil),
		"mail":    condition("user_field", "str_ends_with_any", "email", []string{"@example.com"}),
		"country": condition("user_field", "any", "country", []string{"NZ", "AU"}),
	}
	specs := object{}
	for i := range max(gates/2, 8) {
		specs[fmt.Sprintf("static_%d", i)] = gate(i, 100, "all")
		specs[fmt.Sprintf("targeted_%d", i)] = gate(i, 50, "mail", "country")
	}
	return json.Marshal(object{
		"has_updates": true, "time": 1, "response_format": "dcs-v2", "feature_gates": specs, "dynamic_configs": object{},
		"layer_configs": object{}, "condition_map": conditions, "experiment_to_layer": object{},
	})
}

func condition(kind string, operator, field, target any) object {
	return object{
		"type": kind, "operator": operator, "field": field, "targetValue": target, "additionalValues": object{}, "isDeviceBased": false,
		"idType": "userID",
	}
}

func gate(i int, percent float64, conditions ...string) object {
	salt := fmt.Sprintf("%08x-18c7-46fe-8b31-268d756c3459", i)
	return object{
		"type": "feature_gate", "entity": "feature_gate", "salt": salt, "enabled": true, "defaultValue": false, "idType": "userID",
		"rules": []object{{
			"name": "rule", "id": fmt.Sprintf("rule_%d", i), "salt": salt, "passPercentage": percent, "conditions": conditions,
			"returnValue": true, "idType": "userID",
		}},
	}
}
