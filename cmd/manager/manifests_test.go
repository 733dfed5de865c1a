package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// manifests are the objects of a kustomization that have to do with one another.
type manifests struct {
	deployments []appsv1.Deployment
	services    []corev1.Service
	policies    []networkingv1.NetworkPolicy
	kinds       map[string]int
}

// build builds a folder of config with kubectl, which comes with the local control plane.
func build(t *testing.T, folder string) *manifests {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		found := exec.Command("go", "run", "./hack/controlplane", "assets")
		found.Dir = filepath.Join("..", "..")
		out, err := found.Output()
		if err != nil {
			t.Fatalf("building the control plane: %v", err)
		}
		assets = strings.TrimSpace(string(out))
	}
	text, err := exec.Command(filepath.Join(assets, "kubectl"), "kustomize", filepath.Join("..", "..", "config", folder)).Output()
	if err != nil {
		var failed *exec.ExitError
		errors.As(err, &failed)
		t.Fatalf("building config/%s: %v: %s", folder, err, failed.Stderr)
	}
	m := &manifests{kinds: map[string]int{}}
	for decoder := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
		document := make([]byte, len(text))
		n, err := decoder.Read(document)
		if errors.Is(err, io.EOF) {
			return m
		}
		if err == nil {
			err = m.add(document[:n])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (m *manifests) add(document []byte) error {
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(document, &head); err != nil {
		return err
	}
	m.kinds[head.Kind]++
	switch head.Kind {
	case "Deployment":
		return yaml.Unmarshal(document, grown(&m.deployments))
	case "Service":
		return yaml.Unmarshal(document, grown(&m.services))
	case "NetworkPolicy":
		return yaml.Unmarshal(document, grown(&m.policies))
	default:
		return nil
	}
}

// grown returns a new last element.
func grown[T any](list *[]T) *T {
	*list = append(*list, *new(T))
	return &(*list)[len(*list)-1]
}

func TestManifestsFitTogether(t *testing.T) {
	for folder, tc := range map[string]struct {
		wantServices, wantPolicies int
		wantPorts                  []string
	}{
		"default":              {wantServices: 1, wantPorts: []string{"metrics", "probes"}},
		"default-with-serving": {wantServices: 2, wantPolicies: 1, wantPorts: []string{"metrics", "probes", "serving"}},
	} {
		t.Run(folder, func(t *testing.T) {
			m := build(t, folder)
			if len(m.deployments) != 1 || len(m.services) != tc.wantServices || len(m.policies) != tc.wantPolicies {
				t.Fatalf("got %v", m.kinds)
			}
			pod := m.deployments[0].Spec.Template
			ports := portsOf(&pod.Spec.Containers[0])
			if got := slices.Sorted(maps.Keys(ports)); !slices.Equal(got, tc.wantPorts) {
				t.Errorf("ports: got %v, want %v", got, tc.wantPorts)
			}
			checkFlags(t, &pod.Spec, ports)
			for i := range m.services {
				service := &m.services[i]
				if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) || service.Namespace != m.deployments[0].Namespace {
					t.Errorf("Service %s does not select the manager", service.Name)
				}
				if target := service.Spec.Ports[0].TargetPort; ports[target.StrVal] == 0 {
					t.Errorf("Service %s leads to port %q", service.Name, target.StrVal)
				}
			}
			for i := range m.policies {
				checkPolicy(t, &m.policies[i], pod.Labels, ports)
			}
		})
	}
}

func portsOf(c *corev1.Container) map[string]int32 {
	ports := map[string]int32{}
	for _, port := range c.Ports {
		ports[port.Name] = port.ContainerPort
	}
	return ports
}

// checkFlags has the manager read what its container is given.
func checkFlags(t *testing.T, pod *corev1.PodSpec, ports map[string]int32) {
	t.Helper()
	var o options
	flags := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	o.addFlags(flags)
	if err := errors.Join(flags.Parse(pod.Containers[0].Args), o.validate()); err != nil {
		t.Fatal(err)
	}
	if _, serves := ports["serving"]; serves != (o.servingAddress == ":9443") {
		t.Errorf("it serves at %q with the ports %v", o.servingAddress, ports)
	}
	if o.servingCertDir == "" {
		return
	}
	// Endpoints of a pod that ends are withdrawn while it ends, not before.
	grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	if hooks := pod.Containers[0].Lifecycle; hooks == nil || hooks.PreStop.Sleep.Seconds < 1 {
		t.Error("it stops answering while requests are still sent to it")
	} else if grace -= time.Duration(hooks.PreStop.Sleep.Seconds) * time.Second; grace < o.shutdownTimeout+10*time.Second {
		t.Errorf("beside its hook, %s remain to stop", grace)
	}
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, volume := range pod.Volumes {
			if mount.MountPath == o.servingCertDir && volume.Name == mount.Name && volume.Secret.SecretName == "statsig-operator-serving-cert" {
				return
			}
		}
	}
	t.Errorf("there is no certificate in %s", o.servingCertDir)
}

// checkPolicy expects that a policy is about the manager's pods and lets nobody in at whatever port or from wherever.
func checkPolicy(t *testing.T, policy *networkingv1.NetworkPolicy, pod map[string]string, ports map[string]int32) {
	t.Helper()
	if !labels.SelectorFromSet(policy.Spec.PodSelector.MatchLabels).Matches(labels.Set(pod)) ||
		!slices.Equal(policy.Spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}) {
		t.Errorf("the policy is about %v %v", policy.Spec.PodSelector, policy.Spec.PolicyTypes)
	}
	open := map[intstr.IntOrString]string{}
	for _, rule := range policy.Spec.Ingress {
		if len(rule.Ports) != 1 || len(rule.From) != 1 || rule.From[0].NamespaceSelector == nil || rule.From[0].NamespaceSelector.Size() == 0 {
			t.Fatalf("a rule is too wide: %v", rule)
		}
		open[*rule.Ports[0].Port] = labels.FormatLabels(rule.From[0].NamespaceSelector.MatchLabels)
	}
	want := map[intstr.IntOrString]string{
		intstr.FromInt32(ports["serving"]): "flags.statsig-operator.dev/serving=allowed",
		intstr.FromInt32(ports["metrics"]): "flags.statsig-operator.dev/metrics=allowed",
	}
	if !maps.Equal(open, want) {
		t.Errorf("open are %v, want %v", open, want)
	}
}

func TestComponentsBuildByThemselves(t *testing.T) {
	for folder, want := range map[string]map[string]int{"serving": {"Service": 1}, "network-policy": {"NetworkPolicy": 1}} {
		if got := build(t, folder).kinds; !maps.Equal(got, want) {
			t.Errorf("config/%s has %v, want %v", folder, got, want)
		}
	}
}
