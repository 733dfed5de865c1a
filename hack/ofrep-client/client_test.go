package ofrepclient_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/ofrep"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// patience is how long the clients may take for all of a test.
const patience = 3 * time.Minute

// object is a JSON object.
type object = map[string]any

// server serves the demo project by OFREP under a project's prefix.
type server struct {
	*httptest.Server
	statsig *statsigtest.Server
	project atomic.Pointer[ofrep.Project]

	mu       sync.Mutex
	exposed  []string
	statuses map[int]int
	arrived  chan struct{}
}

const (
	prefix = "/projects/shop/checkout"
	token  = "of-the-project"
)

func startServer(t *testing.T) *server {
	t.Helper()
	statsig, err := statsigtest.New(statsigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{statsig: statsig, statuses: map[int]int{}, arrived: make(chan struct{}, 1)}
	s.sync(t)
	h, err := ofrep.New(ofrep.Options{
		Project: func(*http.Request) ofrep.Project { return *s.project.Load() }, Now: func() time.Time { return time.UnixMilli(1_795_000_000_000) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counted := &countingWriter{ResponseWriter: w, status: http.StatusOK}
		if r.Header.Get("Authorization") == "Bearer "+token {
			h.ServeHTTP(counted, r)
		} else {
			counted.WriteHeader(http.StatusUnauthorized)
		}
		s.count(counted.status)
	}))
	t.Cleanup(s.Close)
	return s
}

type countingWriter struct {
	http.ResponseWriter
	status int
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (s *server) count(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[status]++
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}

// waitFor waits until a status was answered more often than before.
func (s *server) waitFor(t *testing.T, status int) {
	t.Helper()
	before := -1
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		s.mu.Lock()
		now := s.statuses[status]
		s.mu.Unlock()
		if before < 0 {
			before = now
		}
		if now > before {
			return
		}
		select {
		case <-s.arrived:
		case <-ctx.Done():
			t.Fatalf("no answer %d: %v", status, s.statuses)
		}
	}
}

// sync takes the document as the Statsig server has it.
func (s *server) sync(t *testing.T) {
	t.Helper()
	d, err := eval.Decode(s.statsig.Specs())
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := eval.Compile(d, eval.Origin{Source: "Network"})
	if err != nil {
		t.Fatal(err)
	}
	s.project.Store(&ofrep.Project{Evaluator: eval.NewEvaluator(snapshot, eval.Options{}), Version: "test", Expose: func(e ofrep.Exposure) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.exposed = append(s.exposed, e.Result.String()+" "+e.Parameter+" "+e.User.UserID())
	}})
}

// clients are OpenFeature's clients, in a process of their own.
type clients struct {
	in  io.Writer
	out *bufio.Reader
}

func startClients(t *testing.T, url, token, pollInterval string) *clients {
	t.Helper()
	folder := install(t)
	// The clients outlive the test's context, which is done before they are told to end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	node := exec.CommandContext(ctx, "node", filepath.Join(folder, "client.mjs"), url, token, pollInterval)
	node.Stderr = os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // the clients end with their input
		if err := node.Wait(); err != nil {
			t.Errorf("the clients end with %v", err)
		}
	})
	return &clients{in: in, out: bufio.NewReader(out)}
}

// do sends a command and returns its answer.
func (c *clients) do(t *testing.T, command object) object {
	t.Helper()
	if err := json.NewEncoder(c.in).Encode(command); err != nil {
		t.Fatal(err)
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("after %v the clients say nothing: %v", command, err)
	}
	answer := object{}
	if err := json.Unmarshal(line, &answer); err != nil {
		t.Fatal(err)
	}
	if answer["thrown"] != nil {
		t.Fatalf("%v ends with %v", command, answer["thrown"])
	}
	return answer
}

func TestTheServerSDKGetsStatsigsAnswers(t *testing.T) {
	s := startServer(t)
	c := startClients(t, s.URL+prefix, token, "0")
	checkout := object{"targetingKey": "shop/checkout"}
	tests := []struct {
		name, kind, key string
		fallback        any
		context         object
		want            object
		wantExposed     string
	}{
		{
			name: "a gate", kind: "boolean", key: "new_checkout", fallback: false, context: checkout,
			want: object{"value": true, "reason": "SPLIT", "variant": "true"}, wantExposed: "Gate/new_checkout  shop/checkout",
		},
		{
			name: "a gate by an attribute", kind: "boolean", key: "eu_banner", fallback: false,
			context: object{"targetingKey": "shop/cart", "region": "eu-west-1"},
			want:    object{"value": true, "reason": "TARGETING_MATCH", "variant": "true"}, wantExposed: "Gate/eu_banner  shop/cart",
		},
		{
			name: "a number", kind: "number", key: "limits.rps", fallback: 1, context: checkout,
			want: object{"value": 100.0, "reason": "TARGETING_MATCH"}, wantExposed: "DynamicConfig/limits rps shop/checkout",
		},
		{
			name: "an object", kind: "object", key: "freeze", fallback: object{}, context: checkout,
			want: object{"value": object{"state": "off", "reason": ""}, "reason": "DEFAULT"}, wantExposed: "DynamicConfig/freeze  shop/checkout",
		},
		{
			name: "a text of an experiment", kind: "string", key: "experiment:button_color.color", fallback: "none", context: checkout,
			want: object{"value": "green", "reason": "SPLIT", "variant": "Green"}, wantExposed: "Experiment/button_color color shop/checkout",
		},
		{
			name: "a layer", kind: "string", key: "ranking.model", fallback: "none", context: checkout,
			want: object{"value": "gradient-boost", "reason": "SPLIT", "variant": "Test"}, wantExposed: "Layer/ranking model shop/checkout",
		},
		{
			name: "a parameter store", kind: "string", key: "ui.theme", fallback: "none", context: checkout,
			want: object{"value": "modern", "reason": "SPLIT", "variant": "true"}, wantExposed: "Gate/new_checkout  shop/checkout",
		},
		{
			name: "a flag that isn't there", kind: "string", key: "a/b c", fallback: "none", context: checkout,
			want: object{"value": "none", "reason": "ERROR", "errorCode": "FLAG_NOT_FOUND"},
		},
		{
			name: "a share of users, without a targetingKey", kind: "boolean", key: "new_checkout", fallback: true,
			want: object{"value": true, "reason": "ERROR", "errorCode": "TARGETING_KEY_MISSING"},
		},
		{
			name: "a context of the wrong type", kind: "boolean", key: "new_checkout", fallback: true,
			context: object{"targetingKey": "shop/checkout", "email": 7},
			want:    object{"value": true, "reason": "ERROR", "errorCode": "INVALID_CONTEXT"},
		},
		{
			name: "another type than asked for", kind: "string", key: "new_checkout", fallback: "none", context: checkout,
			want: object{"value": "none", "reason": "ERROR", "errorCode": "TYPE_MISMATCH"}, wantExposed: "Gate/new_checkout  shop/checkout",
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s.mu.Lock()
			s.exposed = nil
			s.mu.Unlock()
			command := object{"do": "server", "type": tc.kind, "key": tc.key, "default": tc.fallback}
			if tc.context != nil {
				command["context"] = tc.context
			}
			got := c.do(t, command)
			for member, want := range tc.want {
				if diff := cmp.Diff(want, got[member]); diff != "" {
					t.Errorf("%s (-want +got):\n%s\n%v", member, diff, got)
				}
			}
			var wantExposed []string
			if tc.wantExposed != "" {
				wantExposed = []string{tc.wantExposed}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if diff := cmp.Diff(wantExposed, s.exposed); diff != "" {
				t.Errorf("exposures (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAProjectWithoutSpecsLeavesItToTheCode(t *testing.T) {
	s := startServer(t)
	s.project.Store(&ofrep.Project{})
	c := startClients(t, s.URL+prefix, token, "0")
	got := c.do(t, object{"do": "server", "type": "boolean", "key": "new_checkout", "default": true})
	if got["value"] != true || got["reason"] != "ERROR" || got["errorMessage"] != "the project has no config specs yet" {
		t.Errorf("details %v, want the default and why", got)
	}
}

func TestACallerWithoutTheTokenGetsTheDefault(t *testing.T) {
	s := startServer(t)
	c := startClients(t, s.URL+prefix, "wrong", "0")
	got := c.do(t, object{"do": "server", "type": "boolean", "key": "new_checkout", "default": true})
	if got["value"] != true || got["reason"] != "ERROR" || s.statuses[http.StatusUnauthorized] != 1 {
		t.Errorf("details %v and statuses %v, want the default after a 401", got, s.statuses)
	}
}

func TestTheWebSDKPollsWithItsTagAndSeesChanges(t *testing.T) {
	s := startServer(t)
	c := startClients(t, s.URL+prefix, token, "25")
	c.do(t, object{"do": "start", "context": object{"targetingKey": "shop/checkout"}})
	check := func(kind, key string, fallback any, want object) {
		t.Helper()
		got := c.do(t, object{"do": "web", "type": kind, "key": key, "default": fallback})
		for member, value := range want {
			if diff := cmp.Diff(value, got[member]); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s\n%v", member, key, diff, got)
			}
		}
	}
	check("boolean", "new_checkout", false, object{"value": true, "reason": "SPLIT"})
	check("boolean", "release_checkout", true, object{"value": false})
	check("number", "limits.rps", 1, object{"value": 100.0})
	check("object", "freeze", object{}, object{"value": object{"state": "off", "reason": ""}})
	check("string", "ranking.model", "none", object{"value": "gradient-boost", "variant": "Test"})
	check("string", "ui.title", "none", object{"value": "Demo shop", "reason": "STATIC"})
	check("boolean", "unknown", true, object{"value": true, "errorCode": "FLAG_NOT_FOUND"})

	s.waitFor(t, http.StatusNotModified)
	if err := s.statsig.SetGate("release_checkout", true); err != nil {
		t.Fatal(err)
	}
	s.sync(t)
	changed := c.do(t, object{"do": "changed"})
	if diff := cmp.Diff([]any{"release_checkout"}, changed["flagsChanged"]); diff != "" {
		t.Errorf("flags changed (-want +got):\n%s", diff)
	}
	check("boolean", "release_checkout", false, object{"value": true})
	s.waitFor(t, http.StatusNotModified)

	// The client keeps its tag as long as the targetingKey stays; the answer must change all the same.
	c.do(t, object{"do": "context", "context": object{"targetingKey": "shop/checkout", "region": "eu-west-1"}})
	check("number", "limits.rps", 1, object{"value": 80.0})
	c.do(t, object{"do": "context", "context": object{"targetingKey": "shop/cart"}})
	check("boolean", "new_checkout", true, object{"value": false})

	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.exposed) > 0 {
		t.Errorf("exposed %v, want nothing for bulk evaluations", s.exposed)
	}
	for status := range s.statuses {
		if !slices.Contains([]int{200, 304}, status) {
			t.Errorf("statuses %v, want 200 and 304", s.statuses)
		}
	}
}
