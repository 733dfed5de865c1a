package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// TestStoryGateCrash holds a pod and a Deployment, releases them, and deletes the gate, with an operator that is cut off on the way.
func TestStoryGateCrash(t *testing.T) {
	t.Parallel()
	tellWithCrashes(t, func(t *testing.T, at *crashPoint) (*crashStory, []string) {
		c := &crashStory{story: newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})}
		project := c.story.project()
		project.Spec.Events.Disabled = true // how many events an operator delivered is no end state
		g := c.pausingGate("release")
		g.Spec.Hold.SchedulingGate = &v1alpha1.SchedulingGateHold{}
		c.create(c.secretWithKey(), project, c.releasedDeployment("web"), c.waitingPod("early", "release"), g)
		c.op = startOperator(t, operatorOptions{namespaces: []string{c.namespace}, requests: &apiRequests{crashAt: at}})
		return c, c.tellOfGate(g)
	})
}

// tellOfGate goes from a closed gate to an open one, and to a deletion while it is closed again.
func (c *crashStory) tellOfGate(g *v1alpha1.RolloutGate) []string {
	c.t.Helper()
	var scenes []string
	step := func(what string, state v1alpha1.GateState, pods int32, deployments string) {
		c.until(what, func(ctx context.Context) string {
			if err := c.c.Get(ctx, client.ObjectKeyFromObject(g), g); err != nil {
				return err.Error()
			}
			if got := &g.Status; got.State != state || got.HeldPods != pods || strings.Join(got.PausedDeployments, " ") != deployments {
				return fmt.Sprintf("%s because %s, with %d pods and Deployments %v", got.State, got.Reason, got.HeldPods, got.PausedDeployments)
			}
			return ""
		})
		scenes = append(scenes, c.sceneOfGate())
	}
	step("the closed gate", v1alpha1.GateClosed, 1, "web")
	must(c.t, c.statsig.SetGate("off", true))
	step("the open gate", v1alpha1.GateOpen, 0, "")
	must(c.t, c.statsig.SetGate("off", false))
	step("the gate that closed again", v1alpha1.GateClosed, 0, "web")
	c.create(c.waitingPod("late", "release"))
	step("a pod that came too late", v1alpha1.GateClosed, 1, "web")
	c.delete(g)
	c.until("the deletion", func(ctx context.Context) string {
		if err := c.c.Get(ctx, client.ObjectKeyFromObject(g), g); err == nil || client.IgnoreNotFound(err) != nil {
			return "the gate is still there"
		}
		return ""
	})
	return append(scenes, c.sceneOfGate())
}

// sceneOfGate is the gate and what it holds, as text without what no two runs have in common.
func (c *crashStory) sceneOfGate() string {
	c.t.Helper()
	var parts []any
	gates, pods, deployments := &v1alpha1.RolloutGateList{}, &corev1.PodList{}, &appsv1.DeploymentList{}
	for _, list := range []client.ObjectList{gates, pods, deployments} {
		must(c.t, c.c.List(c.t.Context(), list, client.InNamespace(c.namespace)))
	}
	for i := range gates.Items {
		status := &gates.Items[i].Status
		parts = append(parts, gates.Items[i].Finalizers, status.State, status.Reason, status.Pending, status.HeldPods, status.PausedDeployments,
			summarize(status.Conditions))
	}
	for i := range pods.Items {
		parts = append(parts, pods.Items[i].Name, pods.Items[i].Spec.SchedulingGates)
	}
	for i := range deployments.Items {
		parts = append(parts, deployments.Items[i].Name, deployments.Items[i].Spec.Paused)
		for _, entry := range deployments.Items[i].ManagedFields {
			parts = append(parts, entry.Manager)
		}
	}
	text, err := json.MarshalIndent(parts, "", " ")
	must(c.t, err)
	return strings.ReplaceAll(string(text), c.namespace, "NAMESPACE")
}
