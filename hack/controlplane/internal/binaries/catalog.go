package binaries

import (
	"fmt"
	"os"
	"path/filepath"
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

// StagesFile is the file, in the cache folder, that tells kwok how nodes and
// pods live.
const StagesFile = "kwok-stages.yaml"

// Assets are the programs that tests need: what KUBEBUILDER_ASSETS holds.
var Assets = []string{Etcd, APIServer, Kubectl}

// All are the programs that a whole cluster needs.
var All = []string{Etcd, APIServer, Kubectl, ControllerManager, Scheduler, Kwok}

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

var programs = map[string]program{
	Etcd: {module: "etcd", pin: "go.etcd.io/etcd/server/v3", pkg: "go.etcd.io/etcd/server/v3"},
	Kwok: {
		module: "kwok", pin: "sigs.k8s.io/kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok",
		ldflags: "-X sigs.k8s.io/kwok/pkg/consts.Version=$version",
	},
	APIServer:         kubernetes(APIServer),
	Kubectl:           kubernetes(Kubectl),
	ControllerManager: kubernetes(ControllerManager),
	Scheduler:         kubernetes(Scheduler),
}

func kubernetes(name string) program {
	return program{
		module: "kubernetes", pin: "k8s.io/kubernetes", pkg: "k8s.io/kubernetes/cmd/" + name,
		ldflags: kubernetesVersion,
	}
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
