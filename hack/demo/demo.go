package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/statsig-operator/statsig-operator/hack/internal/process"
)

const (
	namespace = "shop"
	// sdkKey is the made-up key that the local server accepts. The demo proves at the end that it shows nowhere.
	sdkKey = "secret-Demo0Server0Key0That0Must0Never0Show"
	// The operator's own objects, as config/default names them.
	operatorNamespace = "statsig-operator-system"
	serviceAccount    = "statsig-operator-manager"

	managerName, serverName = "manager", "statsig"
)

// demo holds where the demo's parts are.
type demo struct {
	root, dir  string
	out        io.Writer
	kubeconfig string
	kubectlBin string
	serverURL  string
	// servingAddress is where the manager answers for gates.
	servingAddress string
	begun          time.Time
}

func newDemo(root string, out io.Writer) *demo {
	dir := filepath.Join(root, ".cache", "demo")
	return &demo{
		root: root, dir: dir, out: out, begun: time.Now(),
		kubeconfig: filepath.Join(dir, "cluster", "kubeconfig"),
	}
}

// up runs the whole demo. Each step says what it does and shows what a user would see.
func (d *demo) up(ctx context.Context) error {
	if err := errors.Join(d.down(ctx), d.folders()); err != nil {
		return err
	}
	steps := []struct {
		title string
		run   func(context.Context) error
	}{
		{"A Kubernetes control plane on this machine", d.startCluster},
		{"A local Statsig server with a demo project", d.startServer},
		{"The operator: CRDs, roles, and the manager", d.startManager},
		{"The samples: a StatsigProject, workloads, FlagBindings", d.applySamples},
		{"What came of it", d.showValues},
		{"The exposures that Statsig got", d.showExposures},
		{"Flipping the gate new_checkout in Statsig", d.flipGate},
		{"A release behind a closed gate, and the gate opening", d.release},
		{"A restart of the manager: nothing changes, nothing is written", d.showQuiet},
		{"Deleting a FlagBinding, and applying it again", d.showDeletion},
	}
	for i, step := range steps {
		d.printf("\n%s\n", d.bold(fmt.Sprintf("%d. %s", i+1, step.title)))
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, step.title, err)
		}
	}
	d.printf("\nAll as expected, after %s.\n", time.Since(d.begun).Round(time.Second))
	d.farewell()
	return nil
}

// down ends everything that an earlier run left.
func (d *demo) down(ctx context.Context) error {
	var errs []error
	for _, name := range []string{managerName, serverName} {
		errs = append(errs, process.Stop(d.dir, name, 30*time.Second))
	}
	if _, err := os.Stat(filepath.Join(d.dir, "cluster")); err == nil {
		_, err := d.output(ctx, "go", "run", "./hack/controlplane", "down", "--dir", filepath.Join(d.dir, "cluster"))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (d *demo) startCluster(ctx context.Context) error {
	cluster := filepath.Join(d.dir, "cluster")
	if err := d.stream(ctx, "go", "run", "./hack/controlplane", "up", "--dir", cluster); err != nil {
		return err
	}
	assets, err := d.output(ctx, "go", "run", "./hack/controlplane", "assets")
	if err != nil {
		return err
	}
	d.kubectlBin = filepath.Join(strings.TrimSpace(assets), "kubectl")
	return d.show(ctx, "get", "nodes")
}

func (d *demo) startServer(ctx context.Context) error {
	binary := filepath.Join(d.dir, "bin", "statsig")
	if _, err := d.output(ctx, "go", "build", "-o", binary, "./hack/statsig"); err != nil {
		return err
	}
	urlFile := filepath.Join(d.dir, "statsig.url")
	if err := os.Remove(urlFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	server, err := process.Start(d.dir, process.Command{
		Name: serverName, Path: binary, Args: []string{"serve", "--key", sdkKey, "--url-file", urlFile},
	})
	if err != nil {
		return err
	}
	err = d.eventually(ctx, 30*time.Second, "the local Statsig server tells its address", func() error {
		select {
		case <-server.Exited():
			return fmt.Errorf("it ended: %w", server.Err())
		default:
		}
		text, err := os.ReadFile(urlFile)
		d.serverURL = strings.TrimSpace(string(text))
		return err
	})
	if err != nil {
		return err
	}
	d.printf("It listens on %s and speaks Statsig's protocol. Its project: pkg/statsigtest/README.md\n", d.serverURL)
	return nil
}

// startManager installs the operator as "make deploy" would, but for the Deployment: without a container engine the manager runs as a
// process here, with the rights of its ServiceAccount and no others.
func (d *demo) startManager(ctx context.Context) error {
	if err := d.show(ctx, "apply", "--server-side", "-k", "config/crd"); err != nil {
		return err
	}
	if err := d.show(ctx, "apply", "--server-side", "-k", "hack/demo/operator"); err != nil {
		return err
	}
	if err := d.kubectlQuiet(ctx, "wait", "--for=condition=Established", "crd",
		"statsigprojects.flags.statsig-operator.dev", "flagbindings.flags.statsig-operator.dev",
		"rolloutgates.flags.statsig-operator.dev", "--timeout=60s"); err != nil {
		return err
	}
	binary := filepath.Join(d.dir, "bin", "manager")
	if _, err := d.output(ctx, "go", "build", "-ldflags", "-X main.version=demo", "-o", binary, "./cmd/manager"); err != nil {
		return err
	}
	kubeconfig, err := d.managerKubeconfig(ctx)
	if err != nil {
		return err
	}
	if d.servingAddress, err = freeAddress(); err != nil {
		return err
	}
	if err := d.runManager(ctx, kubeconfig); err != nil {
		return err
	}
	d.printf("The manager runs as ServiceAccount %s/%s; its log is %s\n",
		operatorNamespace, serviceAccount, process.LogFile(d.dir, managerName))
	return nil
}

// runManager starts the manager's process and waits until it leads.
func (d *demo) runManager(ctx context.Context, kubeconfig string) error {
	manager, err := process.Start(d.dir, process.Command{
		Name: managerName, Path: filepath.Join(d.dir, "bin", "manager"), Env: []string{"KUBECONFIG=" + kubeconfig},
		Args: []string{
			"--leader-election-namespace=" + operatorNamespace, "--cluster-name=demo",
			"--snapshot-namespace=" + operatorNamespace, "--events-spool-dir=" + filepath.Join(d.dir, "spool"),
			"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0",
			"--serving-bind-address=" + d.servingAddress, "--serving-insecure",
		},
	})
	if err != nil {
		return err
	}
	return d.eventually(ctx, time.Minute, "the manager leads", func() error {
		select {
		case <-manager.Exited():
			return fmt.Errorf("it ended: %w", manager.Err())
		default:
		}
		holder, err := d.kubectl(ctx, "-n", operatorNamespace, "get", "lease",
			"statsig-operator.flags.statsig-operator.dev", "-o", "jsonpath={.spec.holderIdentity}")
		if err == nil && holder == "" {
			err = errors.New("nobody leads")
		}
		return err
	})
}

// managerKubeconfig is the administrator's, with the token of the manager's ServiceAccount in place of the administrator's.
func (d *demo) managerKubeconfig(ctx context.Context) (string, error) {
	token, err := d.kubectl(ctx, "-n", operatorNamespace, "create", "token", serviceAccount, "--duration=24h")
	if err != nil {
		return "", err
	}
	text, err := d.kubectl(ctx, "config", "view", "--raw", "--minify", "--flatten", "-o", "json")
	if err != nil {
		return "", err
	}
	var config map[string]any
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	users, ok := config["users"].([]any)
	if !ok || len(users) != 1 {
		return "", errors.New("reading the kubeconfig: it does not have one user")
	}
	user, ok := users[0].(map[string]any)
	if !ok {
		return "", errors.New("reading the kubeconfig: the user is no object")
	}
	user["user"] = map[string]any{"token": strings.TrimSpace(token)}
	rewritten, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	file := filepath.Join(d.dir, "manager.kubeconfig")
	return file, os.WriteFile(file, rewritten, 0o600)
}

// applySamples applies config/samples, with the project turned to the local server.
func (d *demo) applySamples(ctx context.Context) error {
	text, err := d.kubectl(ctx, "kustomize", "config/samples")
	if err != nil {
		return err
	}
	text = strings.ReplaceAll(text, "secret-put-your-server-key-here", sdkKey)
	source := fmt.Sprintf("\n  events:\n    flushInterval: 1s\n  specs:\n    interval: 1s\n    sources:\n    - type: HTTP\n      url: %s\n", d.serverURL)
	const anchor = "\n  environment: production\n"
	if strings.Count(text, anchor) != 1 {
		return errors.New("config/samples has no StatsigProject with environment production")
	}
	text = strings.Replace(text, anchor, strings.TrimRight(anchor, "\n")+source, 1)
	applied, err := d.kubectlInput(ctx, text, "apply", "--server-side", "-f", "-")
	if err != nil {
		return err
	}
	d.printf("$ kubectl apply -k config/samples      # the project turned to %s\n%s", d.serverURL, indent(applied))
	err = d.kubectlQuiet(ctx, "-n", namespace, "wait", "--for=jsonpath={.status.readyReplicas}=3", "statefulset/ledger", "--timeout=60s")
	if err != nil {
		return err
	}
	for _, deployment := range []string{"checkout", "cart", "search"} {
		err := d.kubectlQuiet(ctx, "-n", namespace, "wait", "--for=condition=Available", "deployment/"+deployment, "--timeout=60s")
		if err != nil {
			return err
		}
	}
	return d.kubectlQuiet(ctx, "-n", namespace, "wait", "--for=condition=Ready", "statsigprojects,flagbindings", "--all", "--timeout=60s")
}
