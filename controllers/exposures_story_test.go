package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func isExposure(e statsigtest.Event) bool { return strings.HasSuffix(e.Name, "_exposure") }

func exposedWhen(mode v1alpha1.ExposureMode) func(*v1alpha1.FlagBinding) {
	return func(b *v1alpha1.FlagBinding) { b.Spec.Exposures = &v1alpha1.Exposures{Mode: mode} }
}

// ruled are specs of a dynamic config that the n-th rule answers with n.
func ruled(t *testing.T, n int) []byte {
	t.Helper()
	rule := evaltest.NewRule(fmt.Sprint("rule", n)).Return(map[string]any{"rps": n})
	return evaltest.NewDocument(evaltest.NewDynamicConfig("limits").Rule(rule)).Time(int64(1000 + n)).JSON(t)
}

func limits() v1alpha1.Entry {
	return v1alpha1.Entry{Name: "rps", DynamicConfig: "limits", Parameter: "rps"}
}

// setReady is what the kubelet would say of a pod.
func (s *story) setReady(pod *corev1.Pod, ready corev1.ConditionStatus) {
	s.t.Helper()
	s.setStatus(pod, func() {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	})
}

// setStatus is what another controller would say of an object.
func (s *story) setStatus(o client.Object, edit func()) {
	s.t.Helper()
	for {
		s.read(o)
		edit()
		err := s.c.Status().Update(s.t.Context(), o)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "the object has been modified") {
			s.t.Fatalf("updating the status of %T %s: %v", o, o.GetName(), err)
		}
	}
}

// told are the events that arrived, in order and in short.
func (s *story) told(describe func(statsigtest.Event) string) []string {
	var told []string
	for _, e := range s.statsig.Events() {
		told = append(told, describe(e))
	}
	return told
}

func (s *story) awaitEvents(n int) {
	s.t.Helper()
	if _, err := s.statsig.WaitForEvents(s.t.Context(), n); err != nil {
		s.t.Fatal(err)
	}
}

// carrying waits until these pods carry a value.
func (s *story) carrying(value int, pods ...string) {
	s.t.Helper()
	for _, pod := range pods {
		s.awaitAnnotations(pod, map[string]string{"flags.example.com/rps": fmt.Sprint(value)})
	}
}

func TestStoryExposuresOfReadyPods(t *testing.T) {
	t.Run("A unit is exposed once a ready pod carries its values", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: ruled(t, 1)})
		_, pods := s.rollOut("web", 2)
		binding := s.binding("ready", onDeployments(v1alpha1.UnitWorkload, "web"), asks(limits()), toPods("flags.example.com"),
			exposedWhen(v1alpha1.ExposurePodReady))
		s.create(s.secretWithKey(), s.project(), binding)
		op := s.operator()
		s.carrying(1, "web-0", "web-1")
		// No pod was ever ready with the first value, so nobody got it.
		s.statsig.SetSpecs(ruled(t, 2))
		s.carrying(2, "web-0", "web-1")
		s.setReady(pods[0], corev1.ConditionTrue)
		s.awaitEvents(1)
		// The second pod brings nothing new.
		s.setReady(pods[1], corev1.ConditionTrue)
		s.settle(op)

		for _, pod := range pods {
			s.setReady(pod, corev1.ConditionFalse)
		}
		s.statsig.SetSpecs(ruled(t, 3))
		s.carrying(3, "web-0", "web-1")
		s.statsig.SetSpecs(ruled(t, 4))
		s.carrying(4, "web-0", "web-1")
		s.setReady(pods[1], corev1.ConditionTrue)
		s.awaitEvents(2)
		change(s, binding, func(b *v1alpha1.FlagBinding) {
			b.Spec.Exposures.RepeatEvery = &metav1.Duration{Duration: 12 * time.Hour}
		})
		s.awaitConditions(binding, applied)
		s.settle(op)
		op.stop(t)
		who := s.namespace + "/web "
		rule := func(e statsigtest.Event) string { return e.UserID + " " + e.Metadata["ruleID"] }
		if diff := cmp.Diff([]string{who + "rule2", who + "rule4"}, s.told(rule)); diff != "" {
			t.Errorf("exposures (-want +got):\n%s", diff)
		}
		if failures := op.activity.failures(); len(failures) > 0 {
			t.Errorf("reconciles failed: %v", failures)
		}
	})
	t.Run("Each pod is exposed for itself where pods are the units", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: ruled(t, 1)})
		_, pods := s.rollOut("web", 3)
		binding := s.binding("ready", onDeployments(v1alpha1.UnitPod, "web"), asks(limits()), toPods("flags.example.com"),
			exposedWhen(v1alpha1.ExposurePodReady))
		s.create(s.secretWithKey(), s.project(), binding)
		op := s.operator()
		s.carrying(1, "web-0", "web-1", "web-2")
		s.setReady(pods[2], corev1.ConditionTrue)
		s.awaitEvents(1)
		s.setReady(pods[0], corev1.ConditionTrue)
		s.awaitEvents(2)
		op.stop(t)
		want := []string{s.namespace + "/web-2", s.namespace + "/web-0"}
		if diff := cmp.Diff(want, s.told(func(e statsigtest.Event) string { return e.UserID })); diff != "" {
			t.Errorf("exposed (-want +got):\n%s", diff)
		}
	})
	t.Run("Nobody is exposed where that is switched off", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: ruled(t, 1)})
		_, pods := s.rollOut("web", 1)
		s.setReady(pods[0], corev1.ConditionTrue)
		s.create(s.secretWithKey(), s.project(),
			s.binding("silent", onDeployments(v1alpha1.UnitWorkload, "web"), asks(limits()), toPods("flags.example.com"),
				exposedWhen(v1alpha1.ExposureNever)))
		op := s.operator()
		s.carrying(1, "web-0")
		s.settle(op)
		op.stop(t)
		if events := s.statsig.Events(); len(events) > 0 {
			t.Errorf("events: %v", events)
		}
	})
}

// rollsOut is what the Deployment controller would say of a Deployment.
func (s *story) rollsOut(d *appsv1.Deployment, revision, updated int32, conditions ...appsv1.DeploymentCondition) {
	s.t.Helper()
	s.setStatus(d, func() {
		metav1.SetMetaDataAnnotation(&d.ObjectMeta, deploymentRevision, fmt.Sprint(revision))
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: *d.Spec.Replicas, UpdatedReplicas: updated, AvailableReplicas: updated,
			ReadyReplicas: updated, Conditions: conditions,
		}
	})
}

func reportsRollouts(p *v1alpha1.StatsigProject) *v1alpha1.StatsigProject {
	p.Spec.Events.Rollouts = v1alpha1.EventsEnabled
	return p
}

func rolloutEvent(e statsigtest.Event) string {
	return strings.TrimPrefix(e.Name, "statsig_operator_rollout_") + " " + e.UserID + " " + e.Metadata["revision"] + e.Metadata["hash"]
}

func TestStoryRollouts(t *testing.T) {
	t.Run("A Deployment's rollouts are told once and in order", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
		web := s.deployment("web")
		s.create(web)
		s.rollsOut(web, 1, 1)
		a := s.binding("a", onDeployments(v1alpha1.UnitWorkload, "web"), withUserID("'a'"), asksGate("on", "on"), toConfigMap("a"),
			exposedWhen(v1alpha1.ExposureNever))
		b := s.binding("b", onDeployments(v1alpha1.UnitWorkload, "web"), withUserID("'b'"), asksGate("on", "on"), toConfigMap("b"),
			exposedWhen(v1alpha1.ExposureNever))
		s.create(s.secretWithKey(), reportsRollouts(s.project()), a, b)
		op := s.operator()
		s.awaitReady(a, b)
		s.settle(op)

		change(s, web, func(d *appsv1.Deployment) {
			metav1.SetMetaDataAnnotation(&d.Spec.Template.ObjectMeta, v1alpha1.HashAnnotation, "new")
		})
		s.rollsOut(web, 2, 0)
		s.awaitEvents(2)
		s.rollsOut(web, 2, 0, appsv1.DeploymentCondition{
			Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded",
		})
		s.awaitEvents(3)
		s.rollsOut(web, 2, 1)
		s.awaitEvents(4)
		// Scaling is no rollout.
		change(s, web, func(d *appsv1.Deployment) { *d.Spec.Replicas = 2 })
		s.rollsOut(web, 2, 2)
		// Without the first binding, the rollout is told as the other's user, and not begun anew.
		s.settle(op)
		reconciles := op.activity.completed("flagbinding", s.namespace, "a")
		s.delete(a)
		eventually(t, "a reconcile after the deletion", func(context.Context) string {
			if op.activity.completed("flagbinding", s.namespace, "a") == reconciles {
				return "there was none"
			}
			return ""
		})
		change(s, web, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "registry.k8s.io/pause:3.11" })
		s.rollsOut(web, 3, 2)
		s.awaitEvents(6)
		s.settle(op)
		op.stop(t)
		want := []string{"started a 2new", "restarted a 2new", "failed a 2new", "finished a 2new", "started b 3new", "finished b 3new"}
		if diff := cmp.Diff(want, s.told(rolloutEvent)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if finished := s.statsig.Events()[3]; finished.Value == "" {
			t.Errorf("how long the rollout took is missing: %s", finished.Raw)
		}
		if failures := op.activity.failures(); len(failures) > 0 {
			t.Errorf("reconciles failed: %v", failures)
		}
	})
	t.Run("So are those of StatefulSets and DaemonSets", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
		labels := map[string]string{"app": "web"}
		selector := &metav1.LabelSelector{MatchLabels: labels}
		set := &appsv1.StatefulSet{ObjectMeta: s.meta("ledger"), Spec: appsv1.StatefulSetSpec{
			Selector: selector, Template: podTemplate(labels),
		}}
		daemons := &appsv1.DaemonSet{ObjectMeta: s.meta("agent"), Spec: appsv1.DaemonSetSpec{
			Selector: selector, Template: podTemplate(labels),
		}}
		s.create(set, daemons)
		updateSet := func(revision string, updated int32) {
			s.setStatus(set, func() {
				set.Status = appsv1.StatefulSetStatus{
					ObservedGeneration: set.Generation, UpdateRevision: revision, Replicas: 1, UpdatedReplicas: updated,
					ReadyReplicas: updated, AvailableReplicas: updated,
				}
			})
		}
		updateDaemons := func(updated int32) {
			s.setStatus(daemons, func() {
				daemons.Status = appsv1.DaemonSetStatus{
					ObservedGeneration: daemons.Generation, DesiredNumberScheduled: 3, CurrentNumberScheduled: 3,
					UpdatedNumberScheduled: updated, NumberAvailable: 3,
				}
			})
		}
		updateSet("ledger-1", 1)
		updateDaemons(3)
		binding := s.binding("a", onDeployments(v1alpha1.UnitWorkload), asksGate("on", "on"), toConfigMap("flags-$(workload.name)"),
			exposedWhen(v1alpha1.ExposureNever), func(b *v1alpha1.FlagBinding) {
				b.Spec.Subject.Workloads = []v1alpha1.WorkloadSelector{
					{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "ledger"}, {APIVersion: "apps/v1", Kind: "DaemonSet", Name: "agent"},
				}
			})
		s.create(s.secretWithKey(), reportsRollouts(s.project()), binding)
		op := s.operator()
		s.awaitReady(binding)
		s.settle(op)
		updateSet("ledger-2", 0)
		s.awaitEvents(1)
		updateSet("ledger-2", 1)
		s.awaitEvents(2)
		change(s, daemons, func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "registry.k8s.io/pause:3.11" })
		updateDaemons(1)
		s.awaitEvents(3)
		updateDaemons(3)
		s.awaitEvents(4)
		op.stop(t)
		ledger, agent := " "+s.namespace+"/ledger ledger-2", " "+s.namespace+"/agent 2"
		want := []string{"started" + ledger, "finished" + ledger, "started" + agent, "finished" + agent}
		if diff := cmp.Diff(want, s.told(rolloutEvent)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}
