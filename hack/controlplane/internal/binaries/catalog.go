package binaries

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The programs of a control plane.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	Kubectl           = "kubectl"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok"
)

// The controllers that end-to-end tests add to a cluster.
const (
	KustomizeController = "kustomize-controller"
	RolloutsController  = "rollouts-controller"
	Flagger             = "flagger"
)

// StagesFile is the file, in the cache folder, that tells kwok how nodes and
// pods live.
const StagesFile = "kwok-stages.yaml"

// The files, in the cache folder, that define the kinds of the delivery
// controllers.
const (
	KustomizeCRDs = "kustomize-controller-crds.yaml"
	RolloutsCRDs  = "rollouts-controller-crds.yaml"
	FlaggerCRDs   = "flagger-crds.yaml"
)

// Assets are the programs that tests need: what KUBEBUILDER_ASSETS holds.
var Assets = []string{Etcd, APIServer, Kubectl}

// All are the programs that a whole cluster needs.
var All = []string{Etcd, APIServer, Kubectl, ControllerManager, Scheduler, Kwok}

// Delivery are the delivery controllers: Flux's kustomize-controller, Argo
// Rollouts and Flagger. Tests need them, a cluster does not.
var Delivery = []string{KustomizeController, RolloutsController, Flagger}

// group is programs that are cached together, in a folder that is named by what
// all of them are built from.
type group struct {
	folder    string // below the cache folder
	programs  map[string]program
	manifests map[string]manifest // by the program that reads it
}

// manifest is a YAML file for a program, made of files that its module carries.
type manifest struct {
	file  string // in the cache folder
	dir   string // in the module
	parts []string
}

// program says what a binary is built from.
type program struct {
	module  string // folder under hack/controlplane/build
	pin     string // module path whose version is the program's version
	pkg     string // main package
	ldflags string // stamps $version, $major and $minor
}

const kubernetesVersion = "-X k8s.io/component-base/version.gitVersion=$version" +
	" -X k8s.io/component-base/version.gitMajor=$major" +
	" -X k8s.io/component-base/version.gitMinor=$minor"

var controlPlane = group{
	folder: "controlplane",
	programs: map[string]program{
		Etcd: {module: "etcd", pin: "go.etcd.io/etcd/server/v3", pkg: "go.etcd.io/etcd/server/v3"},
		Kwok: {
			module: "kwok", pin: "sigs.k8s.io/kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok",
			ldflags: "-X sigs.k8s.io/kwok/pkg/consts.Version=$version",
		},
		APIServer:         kubernetes(APIServer),
		Kubectl:           kubernetes(Kubectl),
		ControllerManager: kubernetes(ControllerManager),
		Scheduler:         kubernetes(Scheduler),
	},
	manifests: map[string]manifest{Kwok: {file: StagesFile, dir: "kustomize/stage", parts: stageFiles}},
}

var delivery = group{
	folder: "delivery",
	programs: map[string]program{
		KustomizeController: {
			module: "flux", pin: "github.com/fluxcd/kustomize-controller", pkg: "github.com/fluxcd/kustomize-controller",
		},
		RolloutsController: {
			module: "argo-rollouts", pin: "github.com/argoproj/argo-rollouts",
			pkg: "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
		},
		// Its module has a command of ours, which serves nothing.
		Flagger: {module: "flagger", pin: "github.com/fluxcd/flagger", pkg: "."},
	},
	manifests: map[string]manifest{
		KustomizeController: {
			file: KustomizeCRDs, dir: "config/crd/bases",
			parts: []string{"kustomize.toolkit.fluxcd.io_kustomizations.yaml"},
		},
		RolloutsController: {
			file: RolloutsCRDs, dir: "manifests/crds",
			parts: []string{
				"analysis-run-crd.yaml", "analysis-template-crd.yaml", "cluster-analysis-template-crd.yaml",
				"experiment-crd.yaml", "rollout-crd.yaml",
			},
		},
		Flagger: {file: FlaggerCRDs, dir: "artifacts/flagger", parts: []string{"crd.yaml"}},
	},
}

// stageFiles are the parts of the kwok module that StagesFile is made of: nodes
// become ready and stay so, pods become ready at once and go when deleted.
var stageFiles = []string{
	"node/fast/node-initialize.yaml",
	"node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
	"pod/fast/pod-ready.yaml",
	"pod/fast/pod-complete.yaml",
	"pod/fast/pod-delete.yaml",
}

func kubernetes(name string) program {
	return program{
		module: "kubernetes", pin: "k8s.io/kubernetes", pkg: "k8s.io/kubernetes/cmd/" + name,
		ldflags: kubernetesVersion,
	}
}

// modules are the folders that pin the group's programs.
func (g group) modules() []string {
	modules := make([]string, 0, len(g.programs))
	for _, p := range g.programs {
		modules = append(modules, p.module)
	}
	slices.Sort(modules)
	return slices.Compact(modules)
}

// manifestFiles are the files that the group's manifests are made of.
func (g group) manifestFiles() []string {
	var files []string
	for _, name := range slices.Sorted(maps.Keys(g.manifests)) {
		files = append(files, g.manifests[name].parts...)
	}
	return files
}

// linkerFlags strips symbols, which halves the size, and stamps the version,
// such as v1.36.3.
func (p program) linkerFlags(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	stamp := strings.NewReplacer("$version", version, "$major", major, "$minor", minor)
	return strings.TrimSpace("-s -w " + stamp.Replace(p.ldflags))
}

// version reads the pinned version of a program from its module's go.mod.
func (p program) version(root string) (string, error) {
	file := filepath.Join(root, p.module, "go.mod")
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading pinned version: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(fields) >= 2 && fields[0] == p.pin && strings.HasPrefix(fields[1], "v") {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("reading pinned version: %s does not require %s", file, p.pin)
}
