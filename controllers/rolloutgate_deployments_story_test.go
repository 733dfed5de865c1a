package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// released are the labels of the Deployments that the gates of these stories choose.
var released = map[string]string{"train": "release"}

func TestStoryDeploymentsPauseWhileTheirGateIsNotOpen(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	gate := s.pausingGate("release")
	s.create(s.releasedDeployment("web"), s.deployment("unrelated"), gate)
	s.awaitPausers("web", "statsig-operator/pause/release Apply")
	s.awaitPausedBy(gate, "web")
	s.create(s.releasedDeployment("newcomer"))
	s.awaitPausedBy(gate, "newcomer", "web")
	s.awaitConditions(gate, is{v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonEnforced, ""})

	s.settle(op)
	s.checkPaused("unrelated", false)
	again := s.replace(op, gate)
	if writes := append(again.requests.of("rolloutgates/status"), again.requests.of("deployments")...); len(writes) > 0 {
		t.Errorf("writes while everything is as it should be: %v", writes)
	}

	must(t, s.statsig.SetGate("off", true))
	s.awaitPausedBy(gate)
	for _, name := range []string{"web", "newcomer"} {
		s.awaitPausers(name)
		s.checkPaused(name, false)
	}
	s.settle(again)
	if writes := again.requests.of("deployments"); len(writes) != 2 {
		t.Errorf("writes to Deployments, want one for each that was let go: %v", writes)
	}
	must(t, s.statsig.SetGate("off", false))
	s.awaitPausedBy(gate, "newcomer", "web")
}

func TestStoryDeploymentsThatSomebodyElsePausesAreLeftAlone(t *testing.T) {
	paused := func(value bool) func(*story) {
		return func(s *story) {
			spec := appsv1ac.DeploymentSpec().WithPaused(value)
			must(s.t, s.c.Apply(s.t.Context(), appsv1ac.Deployment("web", s.namespace).WithSpec(spec), client.FieldOwner("gitops")))
		}
	}
	letGo := func(s *story) {
		must(s.t, s.c.Apply(s.t.Context(), appsv1ac.Deployment("web", s.namespace), client.FieldOwner("gitops")))
	}
	rollout := func(value string) func(*story) {
		return func(s *story) {
			patch := client.RawPatch(types.StrategicMergePatchType, []byte(`{"spec":{"paused":`+value+`}}`))
			must(s.t, s.c.Patch(s.t.Context(), &appsv1.Deployment{ObjectMeta: s.meta("web")}, patch, client.FieldOwner("kubectl-rollout")))
		}
	}
	tests := map[string]struct {
		claim, letGo func(*story)
		wantPausers  string
	}{
		"with kubectl rollout pause":         {rollout("true"), rollout("null"), "kubectl-rollout Update"},
		"in a manifest":                      {paused(true), letGo, "gitops Apply"},
		"or keeps going, as a manifest says": {paused(false), letGo, "gitops Apply"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, op, _ := projectStory(t)
			gate := s.pausingGate("release")
			s.create(s.releasedDeployment("web"), s.releasedDeployment("free"))
			tc.claim(s)
			before := &appsv1.Deployment{ObjectMeta: s.meta("web")}
			s.read(before)
			s.create(gate)
			manager, _, _ := strings.Cut(tc.wantPausers, " ")
			s.awaitConditions(gate, isFor(v1alpha1.ConditionEnforced, v1alpha1.ReasonHoldConflict,
				"Deployment web: field manager "+manager+" manages spec.paused"))
			s.awaitPausedBy(gate, "free")
			s.settle(op)
			s.awaitPausers("web", tc.wantPausers)
			after := &appsv1.Deployment{ObjectMeta: s.meta("web")}
			s.read(after)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the Deployment was touched (-before +after):\n%s", diff)
			}
			tc.letGo(s)
			// That spec.paused is nobody's any more need not change the Deployment, so it shows only when it is looked at again.
			change(s, gate, func(g *v1alpha1.RolloutGate) { g.Spec.OpenAfter = durationOf(0) })
			s.awaitPausedBy(gate, "free", "web")
			s.awaitConditions(gate, is{v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonEnforced, ""})
		})
	}
}

func TestStoryDeploymentsGoOnWhenNothingHoldsThem(t *testing.T) {
	tests := map[string]func(s *story, gate *v1alpha1.RolloutGate){
		"because the gate is deleted": func(s *story, gate *v1alpha1.RolloutGate) { s.delete(gate) },
		"because the gate pauses no Deployments any more": func(s *story, gate *v1alpha1.RolloutGate) {
			change(s, gate, func(g *v1alpha1.RolloutGate) { g.Spec.Hold = nil })
		},
		"because the gate holds only pods now": func(s *story, gate *v1alpha1.RolloutGate) {
			change(s, gate, func(g *v1alpha1.RolloutGate) {
				g.Spec.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{}}
			})
		},
		"because the gate chooses others": func(s *story, gate *v1alpha1.RolloutGate) {
			change(s, gate, func(g *v1alpha1.RolloutGate) {
				g.Spec.Hold.PauseDeployments.Selector.MatchLabels = map[string]string{"train": "next"}
			})
		},
		"because its labels changed": func(s *story, _ *v1alpha1.RolloutGate) {
			change(s, &appsv1.Deployment{ObjectMeta: s.meta("web")}, func(d *appsv1.Deployment) { d.Labels = nil })
		},
	}
	for name, letGo := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, op, _ := projectStory(t)
			gate := s.pausingGate("release")
			s.create(s.releasedDeployment("web"), gate)
			s.awaitPausedBy(gate, "web")
			letGo(s, gate)
			s.awaitPausers("web")
			s.checkPaused("web", false)
			s.settle(op)
			if writes := op.requests.of("deployments"); len(writes) != 2 {
				t.Errorf("writes to Deployments, want a pause and its end: %v", writes)
			}
		})
	}
}

func TestStoryDeploymentsWaitForEachGateThatPausesThem(t *testing.T) {
	t.Parallel()
	s, _, _ := projectStory(t)
	byHand, byFlag := s.pausingGate("by-hand"), s.pausingGate("by-flag")
	byHand.Spec.Open, byHand.Spec.Hold.Reason = "true", "not yet"
	s.create(s.releasedDeployment("web"), byHand, byFlag)
	s.awaitPausers("web", "statsig-operator/pause/by-flag Apply", "statsig-operator/pause/by-hand Apply")
	for _, gate := range []*v1alpha1.RolloutGate{byHand, byFlag} {
		s.awaitPausedBy(gate, "web")
		s.awaitConditions(gate, is{v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonEnforced, ""})
	}
	must(t, s.statsig.SetGate("off", true))
	s.awaitPausers("web", "statsig-operator/pause/by-hand Apply")
	s.checkPaused("web", true)
	change(s, byHand, func(g *v1alpha1.RolloutGate) { g.Spec.Hold.Reason = "" })
	s.awaitPausers("web")
	s.checkPaused("web", false)
}

func TestStoryGitOpsAppliesTheSameManifestAgain(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	gate := s.pausingGate("release")
	s.applyManifest("registry.k8s.io/pause:3.10")
	s.create(gate)
	s.awaitPausedBy(gate, "web")
	s.settle(op)
	deployments, statuses := len(op.requests.of("deployments")), len(op.requests.of("rolloutgates/status"))
	d := &appsv1.Deployment{ObjectMeta: s.meta("web")}
	s.read(d)
	for range 50 {
		s.applyManifest("registry.k8s.io/pause:3.10")
	}
	s.settle(op)
	again := &appsv1.Deployment{ObjectMeta: s.meta("web")}
	s.read(again)
	if again.ResourceVersion != d.ResourceVersion {
		t.Errorf("the Deployment was written to (-before +after):\n%s", cmp.Diff(d, again))
	}
	// A new image is taken, and waits.
	s.applyManifest("registry.k8s.io/pause:3.11")
	s.settle(op)
	s.checkPaused("web", true)
	if writes := append(op.requests.of("deployments")[deployments:], op.requests.of("rolloutgates/status")[statuses:]...); len(writes) > 0 {
		t.Errorf("writes: %v", writes)
	}
	must(t, s.statsig.SetGate("off", true))
	s.awaitPausers("web")
	s.checkPaused("web", false)
}

// applyManifest applies the manifest of a Deployment as Flux and Argo CD do: server-side and with force.
func (s *story) applyManifest(image string) {
	s.t.Helper()
	labels := map[string]string{"app": "web"}
	container := corev1ac.Container().WithName("app").WithImage(image)
	template := corev1ac.PodTemplateSpec().WithLabels(labels).WithSpec(corev1ac.PodSpec().WithContainers(container))
	manifest := appsv1ac.Deployment("web", s.namespace).WithLabels(released).WithSpec(appsv1ac.DeploymentSpec().
		WithSelector(metav1ac.LabelSelector().WithMatchLabels(labels)).WithTemplate(template))
	must(s.t, s.c.Apply(s.t.Context(), manifest, client.FieldOwner("gitops"), client.ForceOwnership))
}

// pausingGate is a RolloutGate that pauses what is to be released while the gate "off" of the story's specs is closed.
func (s *story) pausingGate(name string) *v1alpha1.RolloutGate {
	return s.holdingGate(name, v1alpha1.Hold{
		PauseDeployments: &v1alpha1.PauseDeploymentsHold{Selector: &metav1.LabelSelector{MatchLabels: maps.Clone(released)}},
	})
}

func (s *story) releasedDeployment(name string) *appsv1.Deployment {
	d := s.deployment(name)
	d.Labels = maps.Clone(released)
	return d
}

// awaitPausedBy waits until a gate says that these are the Deployments it pauses.
func (s *story) awaitPausedBy(gate *v1alpha1.RolloutGate, deployments ...string) {
	s.t.Helper()
	await(s, gate, "the paused Deployments", func(g *v1alpha1.RolloutGate) string {
		return cmp.Diff(deployments, g.Status.PausedDeployments)
	})
	for _, name := range deployments {
		s.checkPaused(name, true)
	}
}

// awaitPausers waits until these field managers, and no others, have the spec.paused of a Deployment: "kubectl-rollout Update".
func (s *story) awaitPausers(deployment string, want ...string) {
	s.t.Helper()
	await(s, &appsv1.Deployment{ObjectMeta: s.meta(deployment)}, "the managers of spec.paused", func(d *appsv1.Deployment) string {
		var got []string
		for _, entry := range d.ManagedFields {
			if strings.Contains(string(entry.FieldsV1.GetRawBytes()), `"f:paused"`) {
				got = append(got, fmt.Sprint(entry.Manager, " ", entry.Operation))
			}
		}
		slices.Sort(got)
		return cmp.Diff(want, got)
	})
}

func (s *story) checkPaused(deployment string, want bool) {
	s.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: s.meta(deployment)}
	s.read(d)
	if d.Spec.Paused != want {
		s.t.Errorf("Deployment %s: paused is %t, want %t", deployment, d.Spec.Paused, want)
	}
}

// replace ends an operator and starts another in the story's namespace, which has the specs and has looked at a gate.
func (s *story) replace(op *operator, gate *v1alpha1.RolloutGate) *operator {
	s.t.Helper()
	op.stop(s.t)
	requests := s.statsig.RequestCount(statsigtest.EndpointSpecs)
	again := s.operator()
	eventually(s.t, "the first reconciles", func(context.Context) string {
		if s.statsig.RequestCount(statsigtest.EndpointSpecs) == requests {
			return "specs were not asked for"
		}
		if again.activity.completed("rolloutgate", s.namespace, gate.Name) == 0 {
			return gate.Name + " was not reconciled"
		}
		return again.restlessness()
	})
	return again
}
