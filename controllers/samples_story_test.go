package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// The operator of this story is the only one that watches all namespaces, so it does not run beside others.
func TestStorySamples(t *testing.T) {
	s := &story{t: t, c: plane.client(t), namespace: "shop"}
	s.statsig = statsigtest.Start(t, statsigtest.Options{Keys: []secret.Key{secret.NewKey("secret-put-your-server-key-here")}})
	s.tidy(s.namespace)
	s.applySamples()
	watchStatuses(t, s.c, s.namespace)
	op := startOperator(t, operatorOptions{})

	project := &v1alpha1.StatsigProject{ObjectMeta: s.meta("shop")}
	bindings := map[string]*v1alpha1.FlagBinding{}
	for _, name := range []string{"shop-flags", "shop-settings", "ledger-pods"} {
		bindings[name] = &v1alpha1.FlagBinding{ObjectMeta: s.meta(name)}
		s.awaitReady(bindings[name])
	}
	await(s, project, "the count of bindings", func(p *v1alpha1.StatsigProject) string {
		return cmp.Diff(int32(3), p.Status.Bindings)
	})
	s.awaitReady(project)

	t.Run("ConfigMaps hold the values of each Deployment", func(t *testing.T) {
		s.within(t).checkSampleConfigMaps()
	})
	t.Run("Pods carry the values of their workload, or their own", func(t *testing.T) {
		s.within(t).checkSamplePods()
	})
	t.Run("The status tells values, rules and groups", func(t *testing.T) {
		s.within(t).checkSampleStatus()
	})
	t.Run("A second reconcile writes nothing", func(t *testing.T) {
		s := s.within(t)
		s.settle(op)
		before := len(op.requests.all())
		reconciles := op.activity.completed("flagbinding", s.namespace, "shop-flags")
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
		change(s, namespace, func(n *corev1.Namespace) { n.Annotations = map[string]string{"touched": n.ResourceVersion} })
		eventually(t, "another reconcile", func(context.Context) string {
			if op.activity.completed("flagbinding", s.namespace, "shop-flags") == reconciles {
				return "there was none"
			}
			return ""
		})
		s.settle(op)
		if writes := op.requests.all()[before:]; len(writes) > 0 {
			t.Errorf("writes: %v", writes)
		}
	})
	t.Run("The exposures arrive when the operator stops", func(t *testing.T) {
		s := s.within(t)
		op.stop(t)
		s.checkSampleExposures()
	})
	t.Run("Another operator on the same objects writes nothing", func(t *testing.T) {
		s := s.within(t)
		again := s.restart(operatorOptions{}, slices.Collect(maps.Keys(bindings))...)
		if writes := again.requests.all(); len(writes) > 0 {
			t.Errorf("writes: %v", writes)
		}
		s.statsig.DiscardEvents()
		again.stop(t)
		// That it did evaluate everything shows in what it reports.
		s.checkSampleExposures()
	})
}

// within returns the story as a subtest has it.
func (s *story) within(t *testing.T) *story {
	inner := *s
	inner.t = t
	return &inner
}

// applySamples creates config/samples in the order of its kustomization, with the project turned to the story's server, and the
// pods that the workloads' controllers would make.
func (s *story) applySamples() {
	s.t.Helper()
	var kustomization struct{ Resources []string }
	must(s.t, sigsyaml.Unmarshal(readSample(s.t, "kustomization.yaml"), &kustomization))
	for _, file := range kustomization.Resources {
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(readSample(s.t, file)), 4096)
		for {
			object := &unstructured.Unstructured{}
			err := decoder.Decode(&object.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			must(s.t, err)
			if object.GetKind() == "StatsigProject" {
				sources := []any{map[string]any{"type": "HTTP", "url": s.statsig.URL()}}
				must(s.t, unstructured.SetNestedSlice(object.Object, sources, "spec", "specs", "sources"))
			}
			if err := s.c.Create(s.t.Context(), object); client.IgnoreAlreadyExists(err) != nil {
				s.t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	}
	for _, name := range []string{"checkout", "cart", "search"} {
		d := &appsv1.Deployment{ObjectMeta: s.meta(name)}
		s.read(d)
		rs := s.replicaSetOf(d)
		s.create(rs)
		s.create(s.podOf(rs, "ReplicaSet", name+"-0"))
	}
	ledger := &appsv1.StatefulSet{ObjectMeta: s.meta("ledger")}
	s.read(ledger)
	for _, name := range []string{"ledger-0", "ledger-1", "ledger-2"} {
		s.create(s.podOf(ledger, "StatefulSet", name))
	}
}

func readSample(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "config", "samples", file))
	must(t, err)
	return text
}

// sampleValues are what pkg/statsigtest/README.md says of the demo project, with the region eu-west-1.
var sampleValues = map[string]map[string]string{
	"checkout": {
		"newCheckout": "true", "euBanner": "true", "goldRPS": "300", "buttonColor": "green", "rankingModel": "gradient-boost",
		"theme": "modern",
	},
	"cart": {
		"newCheckout": "false", "euBanner": "true", "goldRPS": "300", "buttonColor": "blue", "rankingModel": "baseline",
		"theme": "classic",
	},
	"search": {
		"newCheckout": "true", "euBanner": "true", "goldRPS": "300", "buttonColor": "gray", "rankingModel": "gradient-boost",
		"theme": "modern",
	},
}

var ledgerValues = map[string]map[string]string{
	"ledger-0": {"newCheckout": "true", "betaFeatures": "true"},
	"ledger-1": {"newCheckout": "false", "betaFeatures": "false"},
	"ledger-2": {"newCheckout": "true", "betaFeatures": "false"},
}

func (s *story) checkSampleConfigMaps() {
	s.t.Helper()
	for name, want := range sampleValues {
		s.awaitData("flags-"+name, want)
	}
	settings := s.configMap("shop-settings")
	s.read(settings)
	want := `{
		"freeze": "off",
		"limits": {
			"rps": 80, "burst": 160,
			"tiers": {"gold": {"rps": 300, "burst": 600}, "silver": {"rps": 40, "burst": 80}},
			"retry": {"attempts": 3, "statuses": [502, 503, 504]}
		}
	}`
	if diff := cmp.Diff(decoded(s.t, want), decoded(s.t, settings.Data["settings.json"])); diff != "" || len(settings.Data) != 1 {
		s.t.Errorf("the settings of %d keys (-want +got):\n%s", len(settings.Data), diff)
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

func (s *story) checkSamplePods() {
	s.t.Helper()
	for name, want := range sampleValues {
		s.awaitAnnotations(name+"-0", prefixed("flags.example.com", want))
	}
	for name, want := range ledgerValues {
		s.awaitAnnotations(name, prefixed("ledger.example.com", want))
	}
}

func prefixed(prefix string, values map[string]string) map[string]string {
	annotations := map[string]string{}
	for name, value := range values {
		annotations[prefix+"/"+name] = value
	}
	return annotations
}

func (s *story) checkSampleStatus() {
	s.t.Helper()
	binding := &v1alpha1.FlagBinding{ObjectMeta: s.meta("shop-flags")}
	s.read(binding)
	want := []v1alpha1.EntryStatus{
		{
			Name: "newCheckout", Kind: "Gate", State: v1alpha1.EntryEvaluated, Value: "true", RuleID: "7EvICnb0ISdG3SHdwLgQ1H",
			Reason: "Network:Recognized", Units: 2, Others: []v1alpha1.EntryOutcome{{Value: "false", RuleID: "7EvICnb0ISdG3SHdwLgQ1H", Units: 1}},
		},
		{
			Name: "euBanner", Kind: "Gate", State: v1alpha1.EntryEvaluated, Value: "true", RuleID: "520Is7tdlY9G58IQqg2i6b",
			Reason: "Network:Recognized", Units: 3,
		},
	}
	if diff := cmp.Diff(want, binding.Status.Entries[:2]); diff != "" {
		s.t.Errorf("the first entries (-want +got):\n%s", diff)
	}
	color := binding.Status.Entries[3]
	groups := []string{color.Group}
	for _, other := range color.Others {
		groups = append(groups, other.Group)
	}
	slices.Sort(groups)
	if diff := cmp.Diff([]string{"Blue", "Control", "Green"}, groups); diff != "" {
		s.t.Errorf("groups of the experiment (-want +got):\n%s", diff)
	}
	if got := binding.Status; got.Units != 3 || got.TargetsApplied != "2/2" || len(got.Workloads) != 3 || got.Hash == "" {
		s.t.Errorf("status: %+v", got)
	}
}

// checkSampleExposures looks at one exposure of each kind, with its user and rule.
func (s *story) checkSampleExposures() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	gate := func(name, user string) func(statsigtest.Event) bool {
		return func(e statsigtest.Event) bool {
			return e.Name == "statsig::gate_exposure" && e.Metadata["gate"] == name && e.UserID == user
		}
	}
	config := func(name, user string) func(statsigtest.Event) bool {
		return func(e statsigtest.Event) bool {
			return e.Name == "statsig::config_exposure" && e.Metadata["config"] == name && e.UserID == user
		}
	}
	tests := map[string]struct {
		match     func(statsigtest.Event) bool
		metadata  map[string]string
		secondary []eval.SecondaryExposure
	}{
		"a gate for a Deployment": {
			match:    gate("new_checkout", "shop/cart"),
			metadata: map[string]string{"gate": "new_checkout", "gateValue": "false", "ruleID": "7EvICnb0ISdG3SHdwLgQ1H", "reason": "Network:Recognized"},
		},
		"a gate for a pod": {
			match:    gate("new_checkout", "shop/ledger-2"),
			metadata: map[string]string{"gate": "new_checkout", "gateValue": "true", "ruleID": "7EvICnb0ISdG3SHdwLgQ1H", "reason": "Network:Recognized"},
		},
		"a dynamic config for the namespace": {
			match:    config("limits", "shop"),
			metadata: map[string]string{"config": "limits", "ruleID": "1AnF2FcMdp9iIsX64xeoCb", "reason": "Network:Recognized"},
		},
		"an experiment for a Deployment": {
			match:    config("button_color", "shop/checkout"),
			metadata: map[string]string{"config": "button_color", "ruleID": "148KfD9wIOyXZ3lqeRWZb0", "reason": "Network:Recognized"},
		},
	}
	for name, tc := range tests {
		event, err := s.statsig.WaitForEvent(ctx, tc.match)
		if err != nil {
			s.t.Errorf("%s: %v", name, err)
			continue
		}
		for key, want := range tc.metadata {
			if got := event.Metadata[key]; got != want {
				s.t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
	}
	for _, e := range s.statsig.Events() {
		if e.Metadata["gate"] == "beta_features" {
			s.t.Errorf("an exposure of an entry that reports none: %s", e.Raw)
		}
	}
}
