package controllers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// The policies of config/admission need no operator, so these stories have none. Other stories have no object that they match.

func TestStoryAdmissionGivesPodsTheSchedulingGate(t *testing.T) {
	t.Parallel()
	s := admissionStory(t)
	const label, release = v1alpha1.RolloutGateLabel, "flags.statsig-operator.dev/release"
	eventually(t, "the policy", func(ctx context.Context) string {
		pod := s.labelledPod("probe", label, "release")
		if err := s.c.Create(ctx, pod, client.DryRunAll); err != nil {
			return err.Error()
		}
		if len(pod.Spec.SchedulingGates) == 0 {
			return "it does nothing yet"
		}
		return ""
	})
	tests := map[string]struct {
		pod  func() *corev1.Pod
		want []string
	}{
		"A labelled pod waits": {
			pod:  func() *corev1.Pod { return s.labelledPod("labelled", label, "release") },
			want: []string{release},
		},
		"Scheduling gates of others stay": {
			pod:  func() *corev1.Pod { return s.labelledPod("shared", label, "release", foreignGate) },
			want: []string{foreignGate, release},
		},
		"A pod that waits already does not wait twice": {
			pod:  func() *corev1.Pod { return s.labelledPod("already", label, "release", release, foreignGate) },
			want: []string{release, foreignGate},
		},
		"A pod that comes with its node does not wait": {
			pod: func() *corev1.Pod {
				pod := s.labelledPod("scheduled", label, "release")
				pod.Spec.NodeName = "node"
				return pod
			},
		},
		"A label without a name means nothing": {
			pod: func() *corev1.Pod { return s.labelledPod("nameless", label, "") },
		},
		"A pod without the label does not wait": {
			pod: func() *corev1.Pod { return s.labelledPod("unlabelled", "app", "release") },
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := s.within(t)
			pod := tc.pod()
			s.create(pod)
			s.awaitSchedulingGates(pod.Name, tc.want...)
		})
	}
}

func TestStoryAdmissionFreezesPodTemplates(t *testing.T) {
	t.Parallel()
	s := admissionStory(t)
	d := s.deployment("web")
	d.Labels = map[string]string{"flags.statsig-operator.dev/frozen-by": "release"}
	gate := s.holdingGate("release", v1alpha1.Hold{})
	s.create(d, s.deployment("unfrozen"), gate)
	setImage := func(image string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = image }
	}
	eventually(t, "the policy", func(ctx context.Context) string {
		err := s.edit(ctx, "web", setImage("new"), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "is Unknown") {
			return fmt.Sprintf("a change of the image gave %v", err)
		}
		return ""
	})
	frozen := func(t *testing.T, err error, says string) {
		t.Helper()
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("got error %v, want that it is forbidden: %s", err, says)
		}
	}
	t.Run("A gate without a state is not open", func(t *testing.T) {
		frozen(t, s.edit(t.Context(), "web", setImage("new")), "RolloutGate release is Unknown, so the pod template of Deployment web "+
			"cannot be changed: it was not evaluated yet")
	})
	t.Run("A closed gate gives its reason", func(t *testing.T) {
		s := s.within(t)
		s.setState(gate, v1alpha1.GateClosed, "gate release = false (rule 4xYv)")
		eventually(t, "the reason", func(ctx context.Context) string {
			err := s.edit(ctx, "web", setImage("new"), client.DryRunAll)
			if err == nil || !strings.Contains(err.Error(), "release is Closed") {
				return fmt.Sprint(err)
			}
			return ""
		})
		frozen(t, s.edit(t.Context(), "web", setImage("new")), "cannot be changed: gate release = false (rule 4xYv)")
		frozen(t, s.edit(t.Context(), "web", func(d *appsv1.Deployment) {
			d.Spec.Template.Annotations = map[string]string{"example.com/restarted": "yes"}
		}), "RolloutGate release is Closed")
		// Taking the label off in the same breath does not help.
		frozen(t, s.edit(t.Context(), "web", func(d *appsv1.Deployment) {
			d.Labels = nil
			setImage("new")(d)
		}), "RolloutGate release is Closed")
	})
	t.Run("Everything but the template can be changed", func(t *testing.T) {
		s, replicas := s.within(t), int32(3)
		must(t,
			s.edit(t.Context(), "web", func(d *appsv1.Deployment) { d.Spec.Replicas = &replicas }),
			s.edit(t.Context(), "web", func(d *appsv1.Deployment) { d.Labels["team"] = "shop" }),
			s.edit(t.Context(), "unfrozen", setImage("new")),
			s.c.SubResource("scale").Update(t.Context(), &appsv1.Deployment{ObjectMeta: s.meta("web")},
				client.WithSubResourceBody(&autoscalingv1.Scale{ObjectMeta: s.meta("web"), Spec: autoscalingv1.ScaleSpec{Replicas: 5}})))
	})
	t.Run("An open gate lets the template change", func(t *testing.T) {
		s := s.within(t)
		s.setState(gate, v1alpha1.GateOpen, "gate release = true (rule 4xYv)")
		eventually(t, "the change", func(ctx context.Context) string {
			if err := s.edit(ctx, "web", setImage("new")); err != nil {
				return err.Error()
			}
			return ""
		})
	})
	t.Run("A gate that was edited since is not known to be open", func(t *testing.T) {
		s := s.within(t)
		change(s, gate, func(g *v1alpha1.RolloutGate) { g.Spec.Hold = &v1alpha1.Hold{Reason: "incident"} })
		eventually(t, "the refusal", func(ctx context.Context) string {
			err := s.edit(ctx, "web", setImage("newest"), client.DryRunAll)
			if err == nil || !strings.Contains(err.Error(), "release is Unknown, so the pod template of Deployment web cannot be changed: "+
				"it was not evaluated yet") {
				return fmt.Sprintf("got error %v", err)
			}
			return ""
		})
	})
	t.Run("Without the gate nothing can be changed", func(t *testing.T) {
		s := s.within(t)
		s.delete(gate)
		eventually(t, "the refusal", func(ctx context.Context) string {
			err := s.edit(ctx, "web", setImage("newer"), client.DryRunAll)
			if err == nil || !strings.Contains(err.Error(), "no params found") {
				return fmt.Sprintf("got error %v", err)
			}
			return ""
		})
	})
}

// admission applies the policies once, for all stories.
var admission sync.Once

func admissionStory(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, c: plane.client(t)}
	s.namespace = s.newNamespace()
	admission.Do(func() {
		for _, object := range readKustomization(t, "admission") {
			must(t, s.c.Create(t.Context(), object))
		}
	})
	return s
}

// readKustomization reads the objects of a folder of config, in the order of its kustomization.
func readKustomization(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join("..", "config", folder, name))
		must(t, err)
		return text
	}
	var kustomization struct{ Resources []string }
	must(t, sigsyaml.Unmarshal(read("kustomization.yaml"), &kustomization))
	var objects []*unstructured.Unstructured
	for _, file := range kustomization.Resources {
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(read(file)), 4096)
		for {
			object := &unstructured.Unstructured{}
			err := decoder.Decode(&object.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			objects = append(objects, object)
		}
	}
	return objects
}

// labelledPod is a pod with one label and these scheduling gates.
func (s *story) labelledPod(name, label, value string, schedulingGates ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: s.meta(name), Spec: podTemplate(nil).Spec}
	pod.Labels = map[string]string{label: value}
	for _, gate := range schedulingGates {
		pod.Spec.SchedulingGates = append(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: gate})
	}
	return pod
}

// edit changes a Deployment, and returns what the API server says to that.
func (s *story) edit(ctx context.Context, name string, edit func(*appsv1.Deployment), options ...client.PatchOption) error {
	d := &appsv1.Deployment{ObjectMeta: s.meta(name)}
	if err := s.c.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
		return err
	}
	before := d.DeepCopy()
	edit(d)
	if cmp.Equal(before, d) {
		return errors.New("the edit changes nothing")
	}
	return s.c.Patch(ctx, d, client.MergeFrom(before), options...)
}

// setState writes the status of a gate, as the operator would.
func (s *story) setState(gate *v1alpha1.RolloutGate, state v1alpha1.GateState, reason string) {
	s.t.Helper()
	s.read(gate)
	base := gate.DeepCopy()
	gate.Status.ObservedGeneration, gate.Status.State, gate.Status.Reason = gate.Generation, state, reason
	must(s.t, s.c.Status().Patch(s.t.Context(), gate, client.MergeFrom(base)))
}
