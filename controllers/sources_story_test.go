package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// withoutKey is a project that reads its specs from places that need none.
func (s *story) withoutKey(sources ...v1alpha1.SpecsSource) *v1alpha1.StatsigProject {
	second := &metav1.Duration{Duration: time.Second}
	return &v1alpha1.StatsigProject{ObjectMeta: s.meta("project"), Spec: v1alpha1.StatsigProjectSpec{
		Specs:     &v1alpha1.SpecsSpec{Sources: sources, Interval: second},
		Staleness: &v1alpha1.StalenessSpec{WarnAfter: second},
	}}
}

var (
	keyNotRequired = is{v1alpha1.ConditionCredentialsValid, metav1.ConditionTrue, v1alpha1.ReasonNotRequired, ""}
	eventsDisabled = is{v1alpha1.ConditionEventsFlowing, metav1.ConditionTrue, v1alpha1.ReasonDisabled, ""}
	late           = is{v1alpha1.ConditionSpecsFresh, metav1.ConditionUnknown, v1alpha1.ReasonLate, "stay in use"}
)

// openedSpecs are simpleSpecs after somebody opened the gate "off".
func openedSpecs(t *testing.T) []byte {
	t.Helper()
	return simpleSpecs().Add(evaltest.NewGate("off").Rule(evaltest.NewRule("everyone"))).Time(2000).JSON(t)
}

func TestStorySources(t *testing.T) {
	t.Run("Specs from a ConfigMap", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{})
		source := s.configMap("specs")
		source.Data = map[string]string{"specs.json": string(simpleSpecs().JSON(t))}
		project := s.withoutKey(v1alpha1.SpecsSource{
			Type: v1alpha1.SourceConfigMap, ConfigMapRef: &v1alpha1.ConfigMapKeyRef{Name: "specs", Key: "specs.json"},
		})
		binding := s.simpleBinding()
		s.create(source, project, binding)
		s.operator()
		s.awaitConditions(project, projectSynced, keyNotRequired, eventsDisabled)
		s.awaitData("flags", simpleValues)
		s.awaitConditions(binding, applied, allEvaluated)
		if got := binding.Status.Entries[0].Reason; !strings.HasPrefix(got, "Bootstrap:") {
			t.Errorf("reason %q", got)
		}
		change(s, source, func(c *corev1.ConfigMap) { c.Data["specs.json"] = string(openedSpecs(t)) })
		s.awaitData("flags", flipped)
		s.delete(source)
		s.awaitConditions(project, late)
		s.awaitData("flags", flipped)
		s.awaitReady(binding)
	})
	t.Run("Specs from a file", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{})
		dir := t.TempDir()
		replace := func(text []byte) {
			must(t, os.WriteFile(filepath.Join(dir, "new"), text, 0o600), os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "specs.json")))
		}
		replace(simpleSpecs().JSON(t))
		project := s.withoutKey(v1alpha1.SpecsSource{Type: v1alpha1.SourceFile, Path: "specs.json"})
		binding := s.simpleBinding()
		s.create(project, binding)
		startOperator(t, operatorOptions{namespaces: []string{s.namespace}, specsDir: dir})
		s.awaitConditions(project, projectSynced, keyNotRequired, eventsDisabled)
		s.awaitData("flags", simpleValues)
		replace(openedSpecs(t))
		s.awaitData("flags", flipped)
	})
	t.Run("A file without a directory for files is refused", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{})
		project := s.withoutKey(v1alpha1.SpecsSource{Type: v1alpha1.SourceFile, Path: "specs.json"})
		binding := s.simpleBinding()
		s.create(project, binding)
		s.operator()
		s.awaitConditions(project, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonInvalid, "--specs-dir"))
		s.awaitConditions(binding, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonSpecsUnavailable, ""))
		s.awaitData("flags", map[string]string{"on": "false", "off": "false"})
	})
	t.Run("A second source steps in for the first", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
		backup := s.configMap("specs")
		backup.Data = map[string]string{"specs.json": string(simpleSpecs().JSON(t))}
		project := s.project()
		project.Spec.Specs.Sources = append(project.Spec.Specs.Sources, v1alpha1.SpecsSource{
			Type: v1alpha1.SourceConfigMap, ConfigMapRef: &v1alpha1.ConfigMapKeyRef{Name: "specs", Key: "specs.json"},
		})
		s.down()
		s.create(s.secretWithKey(), backup, project, s.simpleBinding())
		s.operator()
		s.awaitData("flags", simpleValues)
		s.awaitConditions(project, projectSynced, specsFresh)
		if got := project.Status.Specs.Source; got != "ConfigMap" {
			t.Errorf("source %q", got)
		}
		s.statsig.SetSpecs(openedSpecs(t))
		s.statsig.Heal()
		s.awaitData("flags", flipped)
		await(s, project, "the first source", func(p *v1alpha1.StatsigProject) string {
			if p.Status.Specs.Source != "HTTP" {
				return "it is " + p.Status.Specs.Source
			}
			return ""
		})
	})
	t.Run("Another source takes over without a value in between", func(t *testing.T) {
		t.Parallel()
		s, op, project, binding := simpleStory(t)
		other := statsigtest.Start(t, statsigtest.Options{Specs: openedSpecs(t)})
		watched := watchData(s, "flags")
		change(s, project, func(p *v1alpha1.StatsigProject) { p.Spec.Specs.Sources[0].URL = other.URL() })
		s.awaitData("flags", flipped)
		s.awaitReady(project, binding)
		s.settle(op)
		if diff := cmp.Diff([]map[string]string{simpleValues, flipped}, watched()); diff != "" {
			t.Errorf("contents of the ConfigMap (-want +got):\n%s", diff)
		}
		requests := s.statsig.RequestCount(statsigtest.EndpointSpecs)
		for range 2 {
			must(t, other.WaitForRequests(t.Context(), statsigtest.EndpointSpecs, other.RequestCount(statsigtest.EndpointSpecs)+1))
		}
		if got := s.statsig.RequestCount(statsigtest.EndpointSpecs); got != requests {
			t.Errorf("the old source was asked %d times more", got-requests)
		}
	})
}
