//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

const (
	// soakRounds are ten minutes of a GitOps tool that applies everything every five seconds.
	soakRounds = 120
	// calm is how long nothing must be written for everybody to count as having nothing left to do.
	calm = 3 * time.Second
)

// soakManifest is a Deployment that is held twice, and gets values: everything that the operator does to an object of a GitOps tool.
const soakManifest = `apiVersion: flags.statsig-operator.dev/v1alpha1
kind: RolloutGate
metadata:
  name: release
  namespace: NAMESPACE
  annotations: {edit: "GATE"}
spec:
  projectRef: {name: shop}
  open: "gate('release_checkout') && config('freeze').state != 'on'"
  hold:
    schedulingGate: {}
    pauseDeployments:
      selector:
        matchLabels: {release: gated}
---
apiVersion: flags.statsig-operator.dev/v1alpha1
kind: FlagBinding
metadata:
  name: flags
  namespace: NAMESPACE
  annotations: {edit: "BINDING"}
spec:
  projectRef: {name: shop}
  subject:
    unit: Workload
    workloads:
      - {apiVersion: apps/v1, kind: Deployment, name: app}
  entries:
    - {name: newCheckout, gate: new_checkout, default: false}
    - {name: rps, dynamicConfig: limits, path: rps, default: 1}
  targets:
    - name: env
      configMap: {name: app-flags}
    - name: live
      podAnnotations: {prefix: flags.example.com}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
  namespace: NAMESPACE
  labels: {release: gated}
  annotations: {edit: "DEPLOYMENT"}
spec:
  replicas: 2
  selector:
    matchLabels: {app: app}
  template:
    metadata:
      labels: {app: app}
      annotations: {version: VERSION}
    spec:
      schedulingGates: [{name: flags.statsig-operator.dev/release}]
      containers:
        - name: app
          image: registry.k8s.io/pause:3.10
`

// soak is a story in which everything is applied again and again.
type soak struct {
	*story
	src *source
	// version of the template, and marks on objects that nobody acts on, by placeholder.
	version string
	marks   map[string]string
}

func (s *soak) files() map[string]string {
	s.t.Helper()
	project := s.project()
	project.Annotations = map[string]string{"edit": s.marks["PROJECT"]}
	text, err := yaml.Marshal(project)
	must(s.t, err)
	return map[string]string{
		"project.yaml": string(text),
		"release.yaml": strings.NewReplacer("NAMESPACE", s.namespace, "VERSION", s.version, "DEPLOYMENT", s.marks["DEPLOYMENT"],
			"BINDING", s.marks["BINDING"], "GATE", s.marks["GATE"]).Replace(soakManifest),
	}
}

// publish makes what stands now a new revision and waits until Flux has applied it.
func (s *soak) publish() {
	s.t.Helper()
	s.awaitApplied("apps", s.src.publish(s.files()))
}

func TestReappliedManifestsMeetNoResistance(t *testing.T) {
	t.Parallel()
	s := &soak{story: newStory(t), version: "v1", marks: map[string]string{}}
	s.src = s.newSource(s.files())
	s.newKustomization("apps", "./")
	s.awaitGate("release", v1alpha1.GateClosed)
	s.awaitPaused("app", true)
	// A change of the template is held like the first version, through the whole soak.
	s.version = "v2"
	s.publish()
	s.awaitObserved("app")
	await(s.story, s.configMap("app-flags"), "the values", func(c *corev1.ConfigMap) string { return missing(c.Data, "newCheckout", "rps") })
	s.settle()
	sets := len(s.replicaSets("app"))
	s.reapply(soakRounds)

	s.flip(true)
	s.awaitPaused("app", false)
	s.awaitRolledOut("app", "v2")
	s.settle()
	if got := len(s.replicaSets("app")); got > sets+1 {
		t.Errorf("the release made %d ReplicaSets, want one", got-sets)
	}
	s.reapply(soakRounds / 6)
}

// reapply lets Flux apply everything so many times, mostly what it applied before, and fails the test when anybody does anything about
// it.
func (s *soak) reapply(rounds int) {
	s.t.Helper()
	sets, written, before := len(s.replicaSets("app")), len(s.operator.writes.since(0)), s.state()
	for round := range rounds {
		switch round % 10 {
		case 2, 7: // a new revision in which nothing of these is new
			s.publish()
		case 4: // somebody's edit of one of the objects
			mark := []string{"DEPLOYMENT", "BINDING", "GATE", "PROJECT"}[round/10%4]
			s.marks[mark] += "x"
			s.publish()
			before = s.state()
			continue
		default:
			s.reconcileNow("apps")
		}
		if diff := cmp.Diff(before, s.state()); diff != "" {
			s.t.Fatalf("round %d changed something (-before +after):\n%s", round, diff)
		}
	}
	if more := s.operator.writes.since(written); len(more) > 0 {
		s.t.Errorf("the operator wrote %d times:\n%s", len(more), strings.Join(more, "\n"))
	}
	if got := len(s.replicaSets("app")); got != sets {
		s.t.Errorf("there are %d ReplicaSets, and were %d before", got, sets)
	}
}

func (s *story) configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
}

// state is what must not change when nothing new is applied: who manages which fields since when, and the versions, of everything that
// the operator and the GitOps tool both write to, or that the operator writes by itself.
func (s *soak) state() map[string]any {
	s.t.Helper()
	all := map[string]any{}
	for _, o := range []client.Object{
		s.deployment("app"), s.gate("release"), s.project(), s.configMap("app-flags"),
		&v1alpha1.FlagBinding{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "flags"}},
	} {
		s.read(o)
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		must(s.t, err)
		all[fmt.Sprintf("%T", o)] = content
	}
	return all
}

// settle waits until every exposure has been delivered, the operator has written nothing, and nothing of what it looks at has changed,
// for a while.
func (s *soak) settle() {
	s.t.Helper()
	await(s.story, s.project(), "the delivery of every exposure", func(p *v1alpha1.StatsigProject) string {
		if arrived := len(s.statsig.Events()); arrived == 0 || p.Status.Events == nil || p.Status.Events.Delivered != int64(arrived) {
			return fmt.Sprintf("%d arrived, the status says %+v", arrived, p.Status.Events)
		}
		return ""
	})
	last, since := "", time.Now()
	s.eventually("calm", func(context.Context) string {
		now := fmt.Sprint(len(s.operator.writes.since(0)), len(s.statsig.Events()), s.state())
		if now != last {
			last, since = now, time.Now()
		}
		if quiet := time.Since(since); quiet < calm {
			return fmt.Sprintf("the last change was %s ago", quiet)
		}
		return ""
	})
}

// missing names the first key that data lacks.
func missing(data map[string]string, keys ...string) string {
	for _, key := range keys {
		if _, ok := data[key]; !ok {
			return key + " is missing"
		}
	}
	return ""
}
