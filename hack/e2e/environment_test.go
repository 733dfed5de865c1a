//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/hack/internal/process"
)

const (
	// The delivery controllers, and the files with their kinds, as hack/controlplane names them.
	kustomizeController = "kustomize-controller"
	rolloutsController  = "rollouts-controller"
	flaggerController   = "flagger"
	crdsSuffix          = "-crds.yaml"

	// The operator's own objects, as config/default names them.
	operatorNamespace = "statsig-operator-system"
	serviceAccount    = "statsig-operator-manager"

	fluxNamespace = "flux-system"
	stopGrace     = 20 * time.Second
)

var deliveryControllers = []string{kustomizeController, rolloutsController, flaggerController}

// environment is a cluster with everything in it but the operator, which each test runs for itself.
type environment struct {
	root       string // of the repository
	dir        string // of this environment
	kubeconfig string
	kubectlBin string
	delivery   string // folder of the delivery controllers
	scheme     *runtime.Scheme
	// admin may do everything, operator what config/rbac says.
	admin, operator *rest.Config
}

func (e *environment) start(ctx context.Context) error {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	e.root, e.dir = root, filepath.Join(root, ".cache", "e2e")
	e.kubeconfig = filepath.Join(e.dir, "cluster", "kubeconfig")
	// An earlier run may have been killed.
	if err := errors.Join(e.stop(ctx), os.MkdirAll(filepath.Join(e.dir, "tmp"), 0o750)); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		e.buildDelivery, e.startCluster, e.connect, e.installKinds, e.installOperator, e.startDelivery,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop ends every process; logs stay.
func (e *environment) stop(ctx context.Context) error {
	if e.dir == "" {
		return nil
	}
	var errs []error
	for _, name := range deliveryControllers {
		errs = append(errs, process.Stop(e.dir, name, stopGrace))
	}
	if _, err := os.Stat(e.cluster()); err == nil {
		_, err := e.output(ctx, "go", "run", "./hack/controlplane", "down", "--dir", e.cluster())
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (e *environment) cluster() string { return filepath.Join(e.dir, "cluster") }

func (e *environment) buildDelivery(ctx context.Context) error {
	dir, err := e.output(ctx, "go", "run", "./hack/controlplane", "delivery")
	e.delivery = dir
	return err
}

func (e *environment) startCluster(ctx context.Context) error {
	if _, err := e.output(ctx, "go", "run", "./hack/controlplane", "up", "--dir", e.cluster()); err != nil {
		return err
	}
	assets, err := e.output(ctx, "go", "run", "./hack/controlplane", "assets")
	e.kubectlBin = filepath.Join(assets, "kubectl")
	return err
}

func (e *environment) connect(context.Context) error {
	e.scheme = runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(e.scheme), v1alpha1.AddToScheme(e.scheme)); err != nil {
		return err
	}
	var err error
	e.admin, err = clientcmd.BuildConfigFromFlags("", e.kubeconfig)
	if err != nil {
		return err
	}
	e.admin.QPS = -1
	return nil
}

// installKinds applies all CRDs: ours, the delivery controllers', and those of Flux's sources. The policies of config/admission follow,
// which leave alone whatever does not carry their labels.
func (e *environment) installKinds(ctx context.Context) error {
	sources := [][]string{
		{"-k", filepath.Join("config", "crd")},
		{"-f", filepath.Join("hack", "e2e", "testdata", "flux-sources.yaml")},
	}
	for _, name := range deliveryControllers {
		sources = append(sources, []string{"-f", filepath.Join(e.delivery, name+crdsSuffix)})
	}
	for _, source := range sources {
		if err := e.kubectl(ctx, append([]string{"apply", "--server-side"}, source...)...); err != nil {
			return err
		}
	}
	if err := e.awaitKinds(ctx); err != nil {
		return err
	}
	return e.kubectl(ctx, "apply", "--server-side", "-k", filepath.Join("config", "admission"))
}

// awaitKinds waits until the API server serves every kind. It asks again where kubectl gives up, on a CRD so new that it has no
// conditions.
func (e *environment) awaitKinds(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := e.kubectl(ctx, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "accessor error") {
			return err
		}
	}
}

// installOperator makes the operator's ServiceAccount, with the roles of config/rbac and no other right.
func (e *environment) installOperator(ctx context.Context) error {
	if err := e.kubectl(ctx, "apply", "--server-side", "-k", filepath.Join("hack", "demo", "operator")); err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(e.admin)
	if err != nil {
		return err
	}
	token, err := clients.CoreV1().ServiceAccounts(operatorNamespace).CreateToken(ctx, serviceAccount,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("making a token of the operator: %w", err)
	}
	e.operator = rest.AnonymousClientConfig(e.admin)
	e.operator.BearerToken = token.Status.Token
	e.operator.QPS = -1
	return nil
}

// startDelivery starts Flux's kustomize-controller, the Argo Rollouts controller and Flagger as administrators of the cluster.
func (e *environment) startDelivery(ctx context.Context) error {
	if err := e.kubectl(ctx, "create", "namespace", fluxNamespace); err != nil {
		return err
	}
	health, err := freeAddress()
	if err != nil {
		return err
	}
	flux, err := process.Start(e.dir, process.Command{
		Name: kustomizeController, Path: filepath.Join(e.delivery, kustomizeController),
		Args: []string{
			"--requeue-dependency=1s",
			"--metrics-addr=0", "--health-addr=" + health,
			// One that waits for a closed gate is busy.
			"--concurrent=16",
		},
		Env: []string{
			"KUBECONFIG=" + e.kubeconfig, "RUNTIME_NAMESPACE=" + fluxNamespace, "TMPDIR=" + filepath.Join(e.dir, "tmp"),
		},
	})
	if err != nil {
		return err
	}
	rollouts, err := process.Start(e.dir, process.Command{
		Name: rolloutsController, Path: filepath.Join(e.delivery, rolloutsController),
		Args: []string{
			"--kubeconfig=" + e.kubeconfig,
			"--leader-elect=false",
			// It would serve both on every address of this machine; with no such port it says so and goes on without.
			"--metricsPort=-1", "--healthzPort=-1",
		},
	})
	if err != nil {
		return err
	}
	flagger, err := process.Start(e.dir, process.Command{
		Name: flaggerController, Path: filepath.Join(e.delivery, flaggerController), Args: []string{"--kubeconfig=" + e.kubeconfig},
	})
	if err != nil {
		return err
	}
	return errors.Join(
		e.awaitProcess(ctx, flux, kustomizeController, "starting manager"),
		e.awaitProcess(ctx, rollouts, rolloutsController, "Started controller"),
		e.awaitProcess(ctx, flagger, flaggerController, "Started operator workers"))
}

// awaitProcess waits until a process prints a text.
func (e *environment) awaitProcess(ctx context.Context, p *process.Process, name, text string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		printed, err := os.ReadFile(process.LogFile(e.dir, name))
		if err == nil && bytes.Contains(printed, []byte(text)) {
			return nil
		}
		select {
		case <-p.Exited():
			return fmt.Errorf("%s ended (%w):\n%s", name, p.Err(), printed)
		case <-ctx.Done():
			return fmt.Errorf("%s does not start:\n%s", name, printed)
		case <-time.After(pause):
		}
	}
}

// freeAddress is a loopback address that nobody listens on just now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// kubectl runs kubectl in the root of the repository, and tells what it printed only when it fails.
func (e *environment) kubectl(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, e.kubectlBin, append([]string{"--kubeconfig=" + e.kubeconfig}, args...)...)
	cmd.Dir = e.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// output runs a program in the root of the repository and returns what it prints; its progress is shown.
func (e *environment) output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = e.root
	var progress bytes.Buffer
	cmd.Stderr = io.MultiWriter(os.Stderr, &progress)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, progress.String())
	}
	return strings.TrimSpace(string(out)), nil
}
