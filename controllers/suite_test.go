package controllers

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// The stories of this package run against one real kube-apiserver and etcd, which the first of them starts. There is no controller
// manager: nothing makes pods, collects garbage or ends namespaces but the tests themselves.

// storiesAtOnce is how many stories run side by side. They wait for intervals far more than they compute.
const storiesAtOnce = 8

// operatorUser is whom operators are to the API server.
const operatorUser = "statsig-operator"

var plane controlPlane

// processLog holds what is logged outside of any operator's logger: by client-go, through klog.
var processLog lockedBuffer

func TestMain(m *testing.M) {
	flag.Parse()
	parallel := "test.parallel"
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == parallel })
	if !given {
		if err := flag.Set(parallel, fmt.Sprint(storiesAtOnce)); err != nil {
			panic(err)
		}
	}
	log := zap.New(zap.WriteTo(&processLog))
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	if err := registerCounters(); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := plane.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the control plane:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// controlPlane is the API server that all stories share.
type controlPlane struct {
	once   sync.Once
	err    error
	env    *envtest.Environment
	scheme *runtime.Scheme
	// config is an administrator's.
	config *rest.Config
	// operator is that of a user with the role in config/rbac and no other right.
	operator *rest.Config
}

// ready starts the control plane if no story has done so yet.
func (p *controlPlane) ready(t *testing.T) {
	t.Helper()
	p.once.Do(func() { p.err = p.start() })
	if p.err != nil {
		t.Fatalf("starting the control plane: %v", p.err)
	}
}

func (p *controlPlane) start() error {
	assets, err := assetsDirectory()
	if err != nil {
		return err
	}
	p.scheme = runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(p.scheme), v1alpha1.AddToScheme(p.scheme)); err != nil {
		return err
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory:    assets,
		CRDDirectoryPaths:        []string{filepath.Join("..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: 2 * time.Minute,
		ControlPlaneStopTimeout:  time.Minute,
	}
	p.config, err = env.Start()
	if err != nil {
		return err
	}
	p.env = env
	p.config.QPS = -1
	return p.admitOperator()
}

// operatorNamespace is where the operators keep specs.
const operatorNamespace = "statsig-operator-system"

// admitOperator makes a user who may do what config/rbac says, and nothing else.
func (p *controlPlane) admitOperator() error {
	role, reviews, snapshots, election := &rbacv1.ClusterRole{}, &rbacv1.ClusterRole{}, &rbacv1.Role{}, &rbacv1.Role{}
	err := errors.Join(readRBAC("role.yaml", role), readRBAC("metrics_auth_role.yaml", reviews),
		readRBAC("snapshot_role.yaml", snapshots), readRBAC("leader_election_role.yaml", election))
	if err != nil {
		return err
	}
	snapshots.Namespace, election.Namespace = operatorNamespace, operatorNamespace
	user, err := p.env.AddUser(envtest.User{Name: operatorUser}, rest.CopyConfig(p.config))
	if err != nil {
		return err
	}
	p.operator = user.Config()
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorUser}}
	everywhere := func(role *rbacv1.ClusterRole) client.Object {
		return &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: operatorUser + "-" + role.Name}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		}
	}
	local := func(role *rbacv1.Role) client.Object {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorUser + "-" + role.Name}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		}
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
	c, err := client.New(p.config, client.Options{Scheme: p.scheme})
	if err != nil {
		return err
	}
	ctx := context.Background()
	for _, object := range []client.Object{
		role, everywhere(role), reviews, everywhere(reviews),
		namespace, snapshots, local(snapshots), election, local(election),
	} {
		if err := c.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func readRBAC(name string, into client.Object) error {
	text, err := os.ReadFile(filepath.Join("..", "config", "rbac", name))
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, into)
}

func (p *controlPlane) stop() error {
	if p.env == nil {
		return nil
	}
	return p.env.Stop()
}

// assetsDirectory is the folder with etcd and kube-apiserver: KUBEBUILDER_ASSETS, or the local control plane's, built if need be.
func assetsDirectory() (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, nil
	}
	build := exec.Command("go", "run", "./hack/controlplane", "assets")
	build.Dir, build.Stderr = "..", os.Stderr
	out, err := build.Output()
	if err != nil {
		return "", fmt.Errorf("building the control plane: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// client returns a client that reads past every cache.
func (p *controlPlane) client(t *testing.T) client.WithWatch {
	t.Helper()
	p.ready(t)
	c, err := client.NewWithWatch(p.config, client.Options{Scheme: p.scheme})
	if err != nil {
		t.Fatalf("making a client: %v", err)
	}
	return c
}

// operatorOptions vary an operator. The zero value is a whole one.
type operatorOptions struct {
	// namespaces are those it watches; empty means all.
	namespaces []string
	// now is its clock; time.Now by default.
	now func() time.Time
	// requests counts its requests to the API server, or makes them fail.
	requests *apiRequests
	specsDir string
	// snapshots is where it keeps specs; nowhere by default.
	snapshots string
	// spool is where events wait on disk; in memory by default.
	spool string
	// election is the lease by which replicas elect one to lead; without it the operator leads from its start.
	election string
	// serves has it answer HTTP requests.
	serves bool
}

// operator is a manager with the controllers of this package, as cmd/manager runs it.
type operator struct {
	requests *apiRequests
	activity *activity
	scrubber *secret.Scrubber
	// log is what reached the log, through the scrubber.
	log *lockedBuffer
	// webhooks answers Statsig's webhooks.
	webhooks http.Handler
	// serving answers for gates and evaluations; nil unless options.serves.
	serving http.Handler
	// elected is closed once it leads.
	elected <-chan struct{}
	cancel  context.CancelFunc
	ended   chan struct{}
	err     error
}

// startOperator runs an operator until the test ends, or stop is called.
func startOperator(t *testing.T, o operatorOptions) *operator {
	t.Helper()
	plane.ready(t)
	op := &operator{
		requests: o.requests, activity: &activity{}, scrubber: &secret.Scrubber{}, log: &lockedBuffer{}, ended: make(chan struct{}),
	}
	if op.requests == nil {
		op.requests = &apiRequests{}
	}
	restConfig := rest.CopyConfig(plane.operator)
	restConfig.Wrap(op.requests.wrap)
	skip, noWait := true, 10*time.Second
	// Long enough for a machine that is busy; whoever ends gives the lease back.
	lease, renew, retry := 2*time.Minute, 90*time.Second, 200*time.Millisecond
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                  plane.scheme,
		Cache:                   CacheOptions(o.namespaces),
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:  "0",
		Controller:              config.Controller{SkipNameValidation: &skip},
		GracefulShutdownTimeout: &noWait,
		Logger:                  op.logger(),

		LeaderElection: o.election != "", LeaderElectionID: o.election, LeaderElectionNamespace: operatorNamespace,
		LeaderElectionReleaseOnCancel: true, LeaseDuration: &lease, RenewDeadline: &renew, RetryPeriod: &retry,
	})
	if err != nil {
		t.Fatalf("making a manager: %v", err)
	}
	if o.now == nil {
		o.now = time.Now
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	op.cancel = cancel
	running, err := Setup(ctx, mgr, Options{
		Version: "story", ClusterName: "test-cluster", Namespaces: o.namespaces, Scrubber: op.scrubber, Now: o.now, SpecsDir: o.specsDir, SnapshotNamespace: o.snapshots, Spool: events.SpoolOptions{Dir: o.spool},
	})
	if err != nil {
		t.Fatalf("setting up the controllers: %v", err)
	}
	op.webhooks, op.elected = running.Webhooks(), mgr.Elected()
	if o.serves {
		if op.serving, err = running.Serving(ctx, ServingOptions{Log: op.logger()}); err != nil {
			t.Fatalf("setting up the endpoints: %v", err)
		}
	}
	go func() {
		defer close(op.ended)
		op.err = running.Run(ctx)
	}()
	t.Cleanup(func() {
		op.stop(t)
		if t.Failed() {
			t.Logf("log of the operator:\n%s", op.log.tail(8<<10))
		}
	})
	return op
}

// logger writes to the log as cmd/manager's does, but in all detail, and tells activity of the reconciles.
func (op *operator) logger() logr.Logger {
	lines := io.MultiWriter(op.activity, op.scrubber.Writer(op.log))
	return zap.New(zap.Level(zapcore.Level(-5)), zap.WriteTo(lines))
}

// stop ends the operator as a signal would, and waits until it is gone. It may be called more than once.
func (op *operator) stop(t *testing.T) {
	t.Helper()
	op.cancel()
	select {
	case <-op.ended:
	case <-time.After(time.Minute):
		t.Fatal("the operator did not stop within a minute")
	}
	if op.err != nil && !op.requests.hasCrashed() {
		t.Errorf("the operator ended with: %v", op.err)
	}
}

// lockedBuffer is a bytes.Buffer for many goroutines.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (b *lockedBuffer) tail(n int) string {
	text := b.String()
	return text[max(0, len(text)-n):]
}
