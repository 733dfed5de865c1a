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

func TestStoryDrift(t *testing.T) {
	tests := map[string]func(s *story, c *corev1.ConfigMap){
		"A value edited by hand": func(s *story, c *corev1.ConfigMap) {
			change(s, c, func(c *corev1.ConfigMap) { c.Data["on"] = "by hand" })
		},
		"A value taken over by another manager": func(s *story, c *corev1.ConfigMap) {
			theirs := corev1ac.ConfigMap(c.Name, c.Namespace).WithData(map[string]string{"on": "theirs"})
			must(s.t, s.c.Apply(s.t.Context(), theirs, client.FieldOwner("their-controller"), client.ForceOwnership))
		},
		"A key removed by hand": func(s *story, c *corev1.ConfigMap) {
			change(s, c, func(c *corev1.ConfigMap) { delete(c.Data, "on") })
		},
		"A key added by hand": func(s *story, c *corev1.ConfigMap) {
			change(s, c, func(c *corev1.ConfigMap) { c.Data["more"] = "by hand" })
		},
		"A key added by another manager": func(s *story, c *corev1.ConfigMap) {
			theirs := corev1ac.ConfigMap(c.Name, c.Namespace).WithData(map[string]string{"more": "theirs"})
			must(s.t, s.c.Apply(s.t.Context(), theirs, client.FieldOwner("their-controller")))
		},
		"Binary data added by hand": func(s *story, c *corev1.ConfigMap) {
			change(s, c, func(c *corev1.ConfigMap) { c.BinaryData = map[string][]byte{"more": {1}} })
		},
		"Labels and the hash removed by hand": func(s *story, c *corev1.ConfigMap) {
			change(s, c, func(c *corev1.ConfigMap) { c.Labels, c.Annotations = nil, nil })
		},
		"An owner removed by hand": func(s *story, c *corev1.ConfigMap) {
			change(s, c, func(c *corev1.ConfigMap) { c.OwnerReferences = nil })
		},
		"A ConfigMap deleted by hand": func(s *story, c *corev1.ConfigMap) { s.delete(c) },
	}
	for name, drift := range tests {
		t.Run(name+" is put right", func(t *testing.T) {
			t.Parallel()
			s, op, _, binding := simpleStory(t)
			want := s.configMap("flags")
			s.read(want)
			s.settle(op)
			drift(s, s.configMap("flags"))
			await(s, s.configMap("flags"), "the repair", func(c *corev1.ConfigMap) string {
				return cmp.Diff(content(want), content(c))
			})
			s.settle(op)
			s.awaitData("flags", simpleValues)
			s.awaitReady(binding)
			if failures := op.activity.failures(); len(failures) > 0 {
				t.Errorf("reconciles failed: %v", failures)
			}
		})
	}
	t.Run("Labels and annotations of others are left alone", func(t *testing.T) {
		t.Parallel()
		s, op, _, _ := simpleStory(t)
		s.settle(op)
		writes := len(op.requests.of("configmaps"))
		object := s.configMap("flags")
		change(s, object, func(c *corev1.ConfigMap) {
			c.Labels["team"] = "shop"
			c.Annotations["note"] = "theirs"
		})
		s.settle(op)
		s.unchanged(object)
		if got := op.requests.of("configmaps")[writes:]; len(got) > 0 {
			t.Errorf("writes: %v", got)
		}
		must(t, s.statsig.SetGate("off", true))
		after := s.awaitData("flags", flipped)
		if after.Labels["team"] != "shop" || after.Annotations["note"] != "theirs" {
			t.Errorf("labels %v, annotations %v", after.Labels, after.Annotations)
		}
	})
	t.Run("Annotations of pods are put right", func(t *testing.T) {
		t.Parallel()
		s, op, _ := projectStory(t)
		s.rollOut("web", 1)
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), toPods("flags.example.com"))
		s.create(binding)
		on := map[string]string{"flags.example.com/on": "true"}
		s.awaitAnnotations("web-0", on)
		s.settle(op)
		pod := &corev1.Pod{ObjectMeta: s.meta("web-0")}
		change(s, pod, func(p *corev1.Pod) { p.Annotations = map[string]string{"note": "theirs"} })
		on["note"] = "theirs"
		s.awaitAnnotations("web-0", on)
		s.awaitReady(binding)
	})
}

// content is what the operator sees to in a ConfigMap.
func content(c *corev1.ConfigMap) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		Data: c.Data, BinaryData: c.BinaryData,
		ObjectMeta: metav1.ObjectMeta{Labels: c.Labels, Annotations: c.Annotations, OwnerReferences: c.OwnerReferences},
	}
}
