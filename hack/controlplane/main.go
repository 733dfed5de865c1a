// Command controlplane builds and runs a real Kubernetes control plane on a
// machine that has only Go. See usage below.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/statsig-operator/statsig-operator/hack/controlplane/internal/binaries"
	"github.com/statsig-operator/statsig-operator/hack/controlplane/internal/cluster"
)

const usage = `Usage: go run ./hack/controlplane COMMAND [flags]

  assets   build etcd, kube-apiserver and kubectl, and print their folder
           (the folder that KUBEBUILDER_ASSETS names, when it is set)
  build    build everything that a cluster needs, and print the folder
  delivery build Flux's kustomize-controller, the Argo Rollouts controller and
           Flagger, which the end-to-end tests run, and print the folder
  up       start a cluster in the background and print "export KUBECONFIG=..."
  status   say what runs
  down     stop the cluster and forget its data

Flags of up, status and down:
  --dir DIR    folder of the cluster (default: .cache/controlplane in this repository)
Flags of up:
  --nodes N    number of fake nodes (default 3)

Binaries are built once per version into ${XDG_CACHE_HOME:-~/.cache}/statsig-operator,
or into the folder that STATSIG_OPERATOR_CACHE names.
`

var errUsage = errors.New("unknown command or argument")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(os.Stderr, usage)
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

// run executes one command. Results go to standard output, for scripts; all that
// is meant for people goes to standard error.
func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	root, err := binaries.RepositoryRoot()
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("controlplane", flag.ContinueOnError)
	flags.Usage = func() {}
	dir := flags.String("dir", filepath.Join(root, ".cache", "controlplane"), "")
	nodes := flags.Int("nodes", 3, "")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errUsage
	}

	switch args[0] {
	case "assets":
		return build(ctx, binaries.Open, binaries.Assets, (*binaries.Set).AssetsDir)
	case "build":
		return build(ctx, binaries.Open, binaries.All, (*binaries.Set).Dir)
	case "delivery":
		return build(ctx, binaries.OpenDelivery, binaries.Delivery, (*binaries.Set).Dir)
	case "up":
		return up(ctx, *dir, *nodes)
	case "status":
		return status(*dir)
	case "down":
		return cluster.Down(*dir, os.Stderr)
	case "help", "-h", "--help":
		return flag.ErrHelp
	}
	return errUsage
}

func build(
	ctx context.Context, open func(io.Writer) (*binaries.Set, error), names []string, folder func(*binaries.Set) string,
) error {
	set, err := open(os.Stderr)
	if err != nil {
		return err
	}
	if err := set.Ensure(ctx, names...); err != nil {
		return err
	}
	fmt.Println(folder(set))
	return nil
}

func up(ctx context.Context, dir string, nodes int) error {
	set, err := binaries.Open(os.Stderr)
	if err != nil {
		return err
	}
	if err := set.Ensure(ctx, binaries.All...); err != nil {
		return err
	}
	kubeconfig, err := cluster.Up(ctx, cluster.Options{Dir: dir, Nodes: nodes, Binaries: set, Out: os.Stderr})
	if err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%s\n", kubeconfig)
	return nil
}

// status fails unless the whole cluster runs, so that scripts can ask.
func status(dir string) error {
	states, kubeconfig, err := cluster.Status(dir)
	if err != nil {
		return err
	}
	stopped := 0
	for _, s := range states {
		state := fmt.Sprintf("running (%d)", s.PID)
		if s.PID == 0 {
			state = "stopped"
			stopped++
		}
		fmt.Printf("%-24s %-17s %s\n", s.Name, state, s.Log)
	}
	if stopped > 0 {
		return fmt.Errorf("%d of %d components are not running", stopped, len(states))
	}
	fmt.Printf("export KUBECONFIG=%s\n", kubeconfig)
	return nil
}
