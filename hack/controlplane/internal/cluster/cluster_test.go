package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/hack/controlplane/internal/binaries"
	"github.com/statsig-operator/statsig-operator/hack/internal/process"
)

// crashVariable makes the test binary play a component that fails at once.
const crashVariable = "CLUSTER_TEST_CRASH"

func TestMain(m *testing.M) {
	if os.Getenv(crashVariable) != "" {
		os.Stderr.WriteString("no space left on device\n")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestPortsOfTwoClustersDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		p, err := reservePorts()
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := p.release(); err != nil {
				t.Errorf("release() = %v", err)
			}
		}()
		for _, reserved := range p.all() {
			if seen[reserved.number] {
				t.Errorf("port %s was given twice", reserved.number)
			}
			seen[reserved.number] = true
		}
	}
}

func TestReleasedPortCanBeUsed(t *testing.T) {
	p, err := reservePorts()
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort(loopback, p.etcd.number)
	if _, err := net.Listen("tcp", address); err == nil {
		t.Error("a reserved port can be taken by others")
	}
	if err := p.release(); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("listening on a released port: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
}

func TestCredentialsServeLoopbackAndStayPrivate(t *testing.T) {
	l := layout(t.TempDir())
	if err := l.create(); err != nil {
		t.Fatal(err)
	}
	c, err := newCredentials(l)
	if err != nil {
		t.Fatal(err)
	}

	pair, err := tls.LoadX509KeyPair(l.pki(servingCert), l.pki(servingKey))
	if err != nil {
		t.Fatalf("the API server could not load its certificate: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.caPEM) {
		t.Fatal("the certificate authority does not parse")
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: loopback, Roots: roots}); err != nil {
		t.Errorf("clients would refuse the certificate: %v", err)
	}

	for _, name := range []string{servingKey, serviceAccount, tokenFile} {
		info, err := os.Stat(l.pki(name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, mode)
		}
	}
	if other, err := newCredentials(l); err != nil || other.token == c.token {
		t.Errorf("second token = %q, %v, want another one than %q", other.token, err, c.token)
	}
}

func TestEveryComponentIsOnLoopbackAndNamesItsFolder(t *testing.T) {
	t.Setenv(binaries.CacheVariable, t.TempDir())
	set, err := binaries.Open(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	l := layout(t.TempDir())
	p, err := reservePorts()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.release() }()
	api := newClient("https://"+loopback, credentials{})

	var names []string
	for _, c := range []component{
		kwok(l, set, api), scheduler(l, p), controllerManager(l, p), apiServer(l, p, api), etcd(l, p),
	} {
		names = append(names, c.name)
		line := strings.Join(c.args, " ")
		if !strings.Contains(line, string(l)) {
			t.Errorf("%s could be mistaken for the one of another cluster: %s", c.name, line)
		}
		for _, reserved := range c.ports {
			if !strings.Contains(line, reserved.number) {
				t.Errorf("%s does not use its port %s: %s", c.name, reserved.number, line)
			}
		}
		if len(c.ports) > 0 && !strings.Contains(line, loopback) {
			t.Errorf("%s is not told to bind %s: %s", c.name, loopback, line)
		}
	}
	if diff := cmp.Diff(stopOrder, names); diff != "" {
		t.Errorf("components (-stopped +started):\n%s", diff)
	}
}

func TestNodeIsReadyOnceItTakesPods(t *testing.T) {
	ready := nodeStatus{Conditions: []condition{{Type: "MemoryPressure", Status: "False"}, {Type: "Ready", Status: "True"}}}
	tests := map[string]struct {
		node node
		want bool
	}{
		"ready and untainted":             {node: node{Status: ready}, want: true},
		"ready, but still tainted":        {node: node{Status: ready, Spec: nodeSpec{Taints: make([]struct{}, 1)}}, want: false},
		"without conditions":              {node: newNode(0), want: false},
		"with a Ready condition of False": {node: node{Status: nodeStatus{Conditions: []condition{{Type: "Ready", Status: "False"}}}}, want: false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.node.ready(); got != tc.want {
				t.Errorf("ready() = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestFailedComponentShowsItsLastWords(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := layout(t.TempDir())
	if err := l.create(); err != nil {
		t.Fatal(err)
	}
	p, err := process.Start(l.run(), process.Command{
		Name: binaries.Etcd, Path: program, Args: []string{string(l)}, Env: []string{crashVariable + "=1"},
	})
	if err != nil {
		t.Fatal(err)
	}

	never := func(context.Context) error { return errors.New("not ready") }
	if err := await(t.Context(), p, never); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("await() = %v, want the exit status", err)
	}
	if got := lastWords(l, binaries.Etcd); !strings.Contains(got, "no space left on device") {
		t.Errorf("lastWords() = %q, want what the program printed", got)
	}
}

// TestLifeOfACluster runs the real thing, where it has been built.
func TestLifeOfACluster(t *testing.T) {
	set, err := binaries.Open(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range binaries.All {
		if _, err := os.Stat(set.Path(name)); err != nil {
			t.Skipf("%s is not built: run \"make controlplane\" first", name)
		}
	}
	dir := filepath.Join(t.TempDir(), "cluster")
	var out bytes.Buffer
	options := Options{Dir: dir, Nodes: 2, Binaries: set, Out: &out}
	t.Cleanup(func() {
		if err := Down(dir, &out); err != nil {
			t.Errorf("Down() in cleanup = %v", err)
		}
	})

	kubeconfig, err := Up(t.Context(), options)
	if err != nil {
		t.Fatalf("Up() = %v", err)
	}
	if _, err := os.Stat(kubeconfig); err != nil {
		t.Errorf("Up() left no kubeconfig: %v", err)
	}
	before, _, err := Status(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Up(t.Context(), options); err != nil {
		t.Errorf("second Up() = %v", err)
	}
	after, _, err := Status(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("second Up() restarted something (-before +after):\n%s", diff)
	}

	if err := process.Stop(layout(dir).run(), binaries.Kwok, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := Up(t.Context(), options); err != nil {
		t.Errorf("Up() after a component ended = %v", err)
	}
	if err := Down(dir, &out); err != nil {
		t.Errorf("Down() = %v", err)
	}
	stopped, _, err := Status(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stopped {
		if s.PID != 0 {
			t.Errorf("%s still runs after Down()", s.Name)
		}
	}
}
