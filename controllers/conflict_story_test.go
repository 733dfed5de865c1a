package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

func TestStoryForeignConfigMap(t *testing.T) {
	tests := map[string]struct {
		foreign func(s *story) *corev1.ConfigMap
		owner   string
	}{
		"made by hand": {
			foreign: func(s *story) *corev1.ConfigMap {
				c := s.configMap("flags")
				c.Data = map[string]string{"on": "by hand"}
				return c
			},
			owner: "field manager kubectl-edit",
		},
		"made by Helm": {
			foreign: func(s *story) *corev1.ConfigMap {
				c := s.configMap("flags")
				c.Labels = map[string]string{v1alpha1.ManagedByLabel: "Helm"}
				return c
			},
			owner: "Helm",
		},
		"owned by a Deployment": {
			foreign: func(s *story) *corev1.ConfigMap {
				d := s.deployment("web")
				s.create(d)
				c := s.configMap("flags")
				c.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, kindOf("apps", "Deployment"))}
				return c
			},
			owner: "Deployment web",
		},
		"that claims to be ours": {
			foreign: func(s *story) *corev1.ConfigMap {
				c := s.configMap("flags")
				c.Labels = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, v1alpha1.BindingUIDLabel: "another"}
				return c
			},
			owner: "FlagBinding",
		},
	}
	for name, tc := range tests {
		t.Run("A ConfigMap "+name+" is not touched", func(t *testing.T) {
			t.Parallel()
			s, op, _ := projectStory(t)
			foreign := tc.foreign(s)
			must(t, s.c.Create(t.Context(), foreign, client.FieldOwner("kubectl-edit")))
			binding := s.simpleBinding()
			s.create(binding)
			s.awaitConditions(binding, stalledFor(v1alpha1.ConditionMaterialized, v1alpha1.ReasonTargetConflict, tc.owner)...)
			s.settle(op)
			s.unchanged(foreign)
			if writes := op.requests.of("configmaps"); len(writes) > 0 {
				t.Errorf("writes: %v", writes)
			}
			s.polled()
			if events := s.statsig.Events(); len(events) > 0 {
				t.Errorf("%d exposures of values that nobody got", len(events))
			}
			s.delete(foreign)
			// Foreign ConfigMaps are not watched; they are looked at again every two minutes, or when the binding changes.
			touch(s, binding)
			s.awaitReady(binding)
			s.awaitData("flags", simpleValues)
		})
	}
	t.Run("A ConfigMap of another binding is not touched", func(t *testing.T) {
		t.Parallel()
		s, op, _ := projectStory(t)
		first, second := s.simpleBinding(), s.simpleBinding()
		s.create(first)
		s.awaitReady(first)
		object := s.awaitData("flags", simpleValues)
		second.Name = "second"
		second.Spec.Entries = second.Spec.Entries[:1]
		s.create(second)
		s.awaitConditions(second, stalledFor(v1alpha1.ConditionMaterialized, v1alpha1.ReasonTargetConflict, "FlagBinding simple")...)
		s.settle(op)
		s.unchanged(object)
		s.awaitReady(first)
	})
	t.Run("Two units that would share a ConfigMap get none", func(t *testing.T) {
		t.Parallel()
		s, op, _ := projectStory(t)
		s.create(s.deployment("web"), s.deployment("worker"))
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web", "worker"), asksGate("on", "on"), toConfigMap("flags"))
		s.create(binding)
		s.awaitConditions(binding, stalledFor(v1alpha1.ConditionMaterialized, v1alpha1.ReasonTargetInvalid, "would share ConfigMap flags")...)
		s.settle(op)
		s.absent(s.configMap("flags"))
		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Targets[0].ConfigMap.Name = "flags-$(workload.name)" })
		s.awaitReady(binding)
		s.awaitData("flags-worker", map[string]string{"on": "true"})
	})
}

// unchanged fails the test if an object is not byte for byte what it was.
func (s *story) unchanged(before *corev1.ConfigMap) {
	s.t.Helper()
	after := s.configMap(before.Name)
	s.read(after)
	if diff := cmp.Diff(before, after); diff != "" {
		s.t.Errorf("ConfigMap %s was touched (-before +after):\n%s", before.Name, diff)
	}
}

func TestStoryForeignPodAnnotation(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	_, pods := s.rollOut("web", 2)
	// Somebody else holds one annotation with the prefix on one of the pods.
	theirs := corev1ac.Pod(pods[0].Name, s.namespace).WithAnnotations(map[string]string{"flags.example.com/on": "theirs"})
	must(t, s.c.Apply(t.Context(), theirs, client.FieldOwner("their-controller")))
	binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), toPods("flags.example.com"))
	s.create(binding)
	s.awaitConditions(binding, stalledFor(v1alpha1.ConditionMaterialized, v1alpha1.ReasonTargetConflict, "their-controller")...)
	s.awaitAnnotations(pods[1].Name, map[string]string{"flags.example.com/on": "true"})
	s.settle(op)
	s.awaitAnnotations(pods[0].Name, map[string]string{"flags.example.com/on": "theirs"})
	// The other manager lets go; pods are watched.
	must(t, s.c.Apply(t.Context(), corev1ac.Pod(pods[0].Name, s.namespace), client.FieldOwner("their-controller")))
	s.awaitAnnotations(pods[0].Name, map[string]string{"flags.example.com/on": "true"})
	s.awaitReady(binding)
}
