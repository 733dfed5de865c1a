//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/hack/internal/process"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

const (
	// patience bounds every wait. It is long for slow machines; a test that passes never comes near it.
	patience = 2 * time.Minute
	pause    = 50 * time.Millisecond

	sdkKey = "secret-EndToEnd0Key"
	// releaseGate is the feature gate that the samples ask.
	releaseGate = "release_checkout"
)

// story is one namespace of the cluster with an operator, and a StatsigProject whose Statsig is a local server.
type story struct {
	t         *testing.T
	c         client.Client
	namespace string
	statsig   *statsigtest.Server
	operator  *operator
}

func newStory(t *testing.T) *story {
	t.Helper()
	c, err := client.New(cluster.admin, client.Options{Scheme: cluster.scheme})
	must(t, err)
	s := &story{t: t, c: c, statsig: statsigtest.Start(t, statsigtest.Options{Keys: []secret.Key{secret.NewKey(sdkKey)}})}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}
	must(t, c.Create(t.Context(), namespace))
	s.namespace = namespace.Name
	// What is left goes with the namespace; the cluster does not outlive the tests.
	t.Cleanup(func() { must(t, client.IgnoreNotFound(c.Delete(context.WithoutCancel(t.Context()), namespace))) })
	t.Cleanup(s.tellWhatOthersSaid)
	s.operator = startOperator(t, s.namespace)
	s.create(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "statsig"}, StringData: map[string]string{"sdkKey": sdkKey}},
		s.project())
	return s
}

// tellWhatOthersSaid shows, of a test that failed, the last that the delivery controllers said of its namespace.
func (s *story) tellWhatOthersSaid() {
	if !s.t.Failed() {
		return
	}
	for _, name := range deliveryControllers {
		text, err := os.ReadFile(process.LogFile(cluster.dir, name))
		must(s.t, err)
		said := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return !strings.Contains(line, s.namespace) })
		s.t.Logf("%s on %s:\n%s", name, s.namespace, strings.Join(said[max(0, len(said)-10):], "\n"))
	}
}

// project is the StatsigProject of all samples, with the story's server in place of Statsig's.
func (s *story) project() *v1alpha1.StatsigProject {
	return &v1alpha1.StatsigProject{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "StatsigProject"},
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "shop"},
		Spec: v1alpha1.StatsigProjectSpec{
			SDKKeySecretRef: &v1alpha1.SecretKeyRef{Name: "statsig", Key: "sdkKey"},
			Specs: &v1alpha1.SpecsSpec{
				Sources:  []v1alpha1.SpecsSource{{Type: v1alpha1.SourceHTTP, URL: s.statsig.URL()}},
				Interval: &metav1.Duration{Duration: time.Second},
			},
			// Where they come after the specs, what was fetched is stored a second time, half a minute later.
			IDLists: &v1alpha1.IDListsSpec{Enabled: new(bool)},
			// The status counts delivered events.
			Events: &v1alpha1.EventsSpec{FlushInterval: &metav1.Duration{Duration: time.Second}},
		},
	}
}

// flip makes the feature gate of the samples pass or fail for everyone.
func (s *story) flip(pass bool) {
	s.t.Helper()
	must(s.t, s.statsig.SetGate(releaseGate, pass))
}

// manifest is a file of config/samples/gates, with this story's namespace in place of those in it. Further replacements are given as
// old and new text in turn; each must occur.
func (s *story) manifest(file string, replacements ...string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(cluster.root, "config", "samples", "gates", filepath.FromSlash(file)))
	must(s.t, err)
	manifest := strings.NewReplacer("namespace: shop\n", "namespace: "+s.namespace+"\n", "value: shop\n", "value: "+s.namespace+"\n",
		"namespace: "+fluxNamespace+"\n", "namespace: "+s.namespace+"\n").Replace(string(text))
	for i := 0; i+1 < len(replacements); i += 2 {
		if !strings.Contains(manifest, replacements[i]) {
			s.t.Fatalf("%s does not say %q", file, replacements[i])
		}
		manifest = strings.ReplaceAll(manifest, replacements[i], replacements[i+1])
	}
	return manifest
}

// objects decodes manifests.
func (s *story) objects(manifest string) []client.Object {
	s.t.Helper()
	var objects []client.Object
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 1<<16)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(o)
		if errors.Is(err, io.EOF) {
			return objects
		}
		must(s.t, err)
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

// create creates objects, in this story's namespace unless they say otherwise.
func (s *story) create(objects ...client.Object) {
	s.t.Helper()
	for _, o := range objects {
		if o.GetNamespace() == "" {
			o.SetNamespace(s.namespace)
		}
		if err := s.c.Create(s.t.Context(), o); err != nil {
			s.t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
		}
	}
}

// change reads an object anew, changes it and writes it, again where somebody else was faster.
func change[T client.Object](s *story, o T, edit func(T)) {
	s.t.Helper()
	for {
		s.read(o)
		edit(o)
		err := s.c.Update(s.t.Context(), o)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "the object has been modified") {
			s.t.Fatalf("updating %T %s: %v", o, o.GetName(), err)
		}
	}
}

func (s *story) read(o client.Object) {
	s.t.Helper()
	if err := s.c.Get(s.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		s.t.Fatalf("reading %T %s: %v", o, o.GetName(), err)
	}
}

// absent fails the test if an object exists.
func (s *story) absent(o client.Object) {
	s.t.Helper()
	err := s.c.Get(s.t.Context(), client.ObjectKeyFromObject(o), o)
	if err == nil {
		s.t.Errorf("%T %s exists", o, o.GetName())
	} else if client.IgnoreNotFound(err) != nil {
		s.t.Fatal(err)
	}
}

// await reads an object until check returns "".
func await[T client.Object](s *story, o T, what string, check func(T) string) T {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s of %T %s", what, o, o.GetName()), func(ctx context.Context) string {
		if err := s.c.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err.Error()
		}
		return check(o)
	})
	return o
}

// eventually waits until check returns "", and fails the test with its last answer when that takes too long.
func (s *story) eventually(what string, check func(context.Context) string) {
	s.t.Helper()
	last := ""
	err := wait.PollUntilContextTimeout(s.t.Context(), pause, patience, true, func(ctx context.Context) (bool, error) {
		answer := check(ctx)
		if ctx.Err() == nil {
			last = answer
		}
		return answer == "", nil
	})
	if err != nil {
		s.t.Fatalf("%s did not come: %s", what, last)
	}
}

func (s *story) gate(name string) *v1alpha1.RolloutGate {
	return &v1alpha1.RolloutGate{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
}

// awaitGate waits until the operator has decided on a gate's present generation, and so.
func (s *story) awaitGate(name string, want v1alpha1.GateState) *v1alpha1.RolloutGate {
	s.t.Helper()
	return await(s, s.gate(name), "state "+string(want), func(g *v1alpha1.RolloutGate) string {
		if g.Status.ObservedGeneration == g.Generation && g.Status.State == want {
			return ""
		}
		return fmt.Sprintf("it is %q of generation %d (now %d) because %q", g.Status.State, g.Status.ObservedGeneration, g.Generation,
			g.Status.Reason)
	})
}

// hasCondition says what is wrong with a condition of the operator's own kinds; empty when nothing is.
func hasCondition(conditions []metav1.Condition, conditionType string, status metav1.ConditionStatus, reason string) string {
	got := meta.FindStatusCondition(conditions, conditionType)
	if got == nil {
		return conditionType + " is missing"
	}
	if got.Status != status || got.Reason != reason {
		return fmt.Sprintf("%s is %s %s %q, want %s %s", conditionType, got.Status, got.Reason, got.Message, status, reason)
	}
	return ""
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// tail is the end of a text.
func tail(text []byte, n int) []byte { return bytes.TrimSpace(text[max(0, len(text)-n):]) }
