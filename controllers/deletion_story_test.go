package controllers

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func kindOf(group, kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind}
}

func TestStoryDeletion(t *testing.T) {
	t.Run("A binding takes its annotations along, and nothing else of the pods", func(t *testing.T) {
		t.Parallel()
		s, op, _ := projectStory(t)
		_, pods := s.rollOut("web", 2)
		theirs := corev1ac.Pod(pods[0].Name, s.namespace).
			WithAnnotations(map[string]string{"other.example.com/on": "theirs"}).WithLabels(map[string]string{"tier": "gold"})
		must(t, s.c.Apply(t.Context(), theirs, client.FieldOwner("their-controller")))
		before := podsByName(s, pods)
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), toPods("flags.example.com"))
		s.create(binding)
		s.awaitReady(binding)
		s.awaitAnnotations(pods[1].Name, map[string]string{"flags.example.com/on": "true"})
		if !slices.Contains(binding.Finalizers, v1alpha1.Finalizer) {
			t.Error("a binding that annotates pods has no finalizer")
		}
		s.settle(op)
		s.delete(binding)
		s.gone(binding)
		if diff := cmp.Diff(before, podsByName(s, pods)); diff != "" {
			t.Errorf("pods (-before +after):\n%s", diff)
		}
	})
	t.Run("Annotations that the cache does not know of yet go as well", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
		project := s.project()
		s.create(s.secretWithKey(), project)
		s.rollOut("web", 2)
		news := &sync.RWMutex{}
		op := startOperator(t, operatorOptions{namespaces: []string{s.namespace}, requests: &apiRequests{podNews: news}})
		s.awaitReady(project)
		s.settle(op)
		news.Lock()
		defer sync.OnceFunc(news.Unlock)()
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), toPods("flags.example.com"))
		s.create(binding)
		s.awaitReady(binding)
		s.awaitAnnotations("web-1", map[string]string{"flags.example.com/on": "true"})
		s.delete(binding)
		s.gone(binding)
		s.awaitAnnotations("web-0", nil)
		s.awaitAnnotations("web-1", nil)
	})
	t.Run("Annotations of a target that goes before the cache knows of them go as well", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
		project := s.project()
		s.create(s.secretWithKey(), project)
		s.rollOut("web", 1)
		news := &sync.RWMutex{}
		op := startOperator(t, operatorOptions{namespaces: []string{s.namespace}, requests: &apiRequests{podNews: news}})
		s.awaitReady(project)
		s.settle(op)
		news.Lock()
		tell := sync.OnceFunc(news.Unlock)
		defer tell()
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"),
			toConfigMap("flags"), toPods("flags.example.com"))
		s.create(binding)
		s.awaitReady(binding)
		s.awaitAnnotations("web-0", map[string]string{"flags.example.com/on": "true"})
		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Targets = b.Spec.Targets[:1] })
		s.awaitReady(binding)
		s.settle(op)
		tell()
		s.awaitAnnotations("web-0", nil)
	})
	t.Run("A binding without pod annotations has no finalizer, and owns its ConfigMaps", func(t *testing.T) {
		t.Parallel()
		s, op, _ := projectStory(t)
		binding := s.simpleBinding()
		toTarget(v1alpha1.Target{Name: "kept", ConfigMap: &v1alpha1.ConfigMapTarget{
			Name: "kept", Format: v1alpha1.FormatJSON, DeletionPolicy: v1alpha1.DeletionRetain,
		}})(binding)
		s.create(binding)
		s.awaitReady(binding)
		if len(binding.Finalizers) > 0 {
			t.Errorf("finalizers: %v", binding.Finalizers)
		}
		owned, kept := s.configMap("flags"), s.configMap("kept")
		s.read(owned)
		s.read(kept)
		yes := true
		want := []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "FlagBinding", Name: binding.Name, UID: binding.UID,
			Controller: &yes, BlockOwnerDeletion: &yes,
		}}
		if diff := cmp.Diff(want, owned.OwnerReferences); diff != "" {
			t.Errorf("owner references (-want +got):\n%s", diff)
		}
		if len(kept.OwnerReferences) > 0 {
			t.Errorf("a ConfigMap to be kept has owner references: %v", kept.OwnerReferences)
		}
		// A change of mind is followed.
		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Targets[0].ConfigMap.DeletionPolicy = v1alpha1.DeletionRetain })
		await(s, owned, "no owner", func(c *corev1.ConfigMap) string { return cmp.Diff(0, len(c.OwnerReferences)) })
		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Targets[0].ConfigMap.DeletionPolicy = "" })
		await(s, owned, "the owner", func(c *corev1.ConfigMap) string { return cmp.Diff(want, c.OwnerReferences) })
		s.settle(op)
		s.delete(binding)
		s.gone(binding)
		s.settle(op)
		if writes := op.requests.all(); writes[len(writes)-1].verb == "delete" {
			t.Errorf("the operator deleted something: %v", writes)
		}
		s.read(kept)

		// Who is created again under that name finds it.
		again := s.simpleBinding()
		toTarget(v1alpha1.Target{Name: "kept", ConfigMap: &v1alpha1.ConfigMapTarget{
			Name: "kept", Format: v1alpha1.FormatJSON, DeletionPolicy: v1alpha1.DeletionRetain,
		}})(again)
		s.create(again)
		s.awaitReady(again)
		s.read(kept)
		if got := kept.Labels[v1alpha1.BindingUIDLabel]; got != string(again.UID) {
			t.Errorf("the retained ConfigMap: want it taken up by %s, got %s", again.UID, got)
		}
	})
	t.Run("A target or an entry that goes takes exactly its own along", func(t *testing.T) {
		t.Parallel()
		s, _, _ := projectStory(t)
		_, pods := s.rollOut("web", 1)
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), asksGate("off", "off"),
			toConfigMap("a"), toConfigMap("bb"), toPods("flags.example.com"), toTarget(v1alpha1.Target{
				Name: "more", PodAnnotations: &v1alpha1.PodAnnotationsTarget{Prefix: "more.example.com"},
			}), toTarget(v1alpha1.Target{Name: "kept", ConfigMap: &v1alpha1.ConfigMapTarget{Name: "kept", DeletionPolicy: v1alpha1.DeletionRetain}}))
		s.create(binding)
		s.awaitReady(binding)
		both := map[string]string{"on": "true", "off": "false"}
		s.awaitData("bb", both)
		s.awaitAnnotations(pods[0].Name, map[string]string{
			"flags.example.com/on": "true", "flags.example.com/off": "false", "more.example.com/on": "true", "more.example.com/off": "false",
		})

		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Entries = b.Spec.Entries[:1] })
		one := map[string]string{"on": "true"}
		s.awaitData("a", one)
		s.awaitData("kept", one)
		s.awaitAnnotations(pods[0].Name, map[string]string{"flags.example.com/on": "true", "more.example.com/on": "true"})

		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Targets = b.Spec.Targets[1:3] })
		s.gone(s.configMap("a"))
		s.awaitAnnotations(pods[0].Name, map[string]string{"flags.example.com/on": "true"})
		s.awaitData("bb", one)
		s.awaitData("kept", one)
		s.awaitReady(binding)

		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Targets = b.Spec.Targets[:1] })
		pod := s.awaitAnnotations(pods[0].Name, nil)
		if len(pod.Annotations) > 0 {
			t.Errorf("annotations are left: %v", pod.Annotations)
		}
		s.delete(binding)
		s.gone(binding)
	})
	t.Run("A binding in a namespace that ends is not held up", func(t *testing.T) {
		t.Parallel()
		s, _, _ := projectStory(t)
		_, pods := s.rollOut("web", 1)
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), toPods("flags.example.com"))
		s.create(binding)
		s.awaitReady(binding)
		s.delete(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}, pods[0], binding)
		s.gone(binding)
	})
	t.Run("A binding whose project is gone can be deleted", func(t *testing.T) {
		t.Parallel()
		s, op, project := projectStory(t)
		_, pods := s.rollOut("web", 1)
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), toPods("flags.example.com"))
		s.create(binding)
		s.awaitReady(binding)
		s.delete(project)
		s.awaitConditions(binding, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonRefNotFound, "project"))
		s.settle(op)
		s.awaitAnnotations(pods[0].Name, map[string]string{"flags.example.com/on": "true"})
		s.delete(binding)
		s.gone(binding)
		s.awaitAnnotations(pods[0].Name, nil)
	})
}

// podsByName reads pods without what every write changes.
func podsByName(s *story, pods []*corev1.Pod) map[string]*corev1.Pod {
	s.t.Helper()
	found := map[string]*corev1.Pod{}
	for _, pod := range pods {
		got := &corev1.Pod{ObjectMeta: s.meta(pod.Name)}
		s.read(got)
		got.ResourceVersion, got.ManagedFields = "", nil
		if len(got.Annotations) == 0 {
			got.Annotations = nil
		}
		found[pod.Name] = got
	}
	return found
}
