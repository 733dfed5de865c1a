package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func TestStorySelection(t *testing.T) {
	t.Run("Pods that are selected no more are released", func(t *testing.T) {
		t.Parallel()
		s, _, _ := projectStory(t)
		web, _ := s.rollOut("web", 1)
		s.rollOut("worker", 1)
		byLabel := func(value string) func(*v1alpha1.FlagBinding) {
			return func(b *v1alpha1.FlagBinding) {
				b.Spec.Subject.Unit = v1alpha1.UnitWorkload
				b.Spec.Subject.Workloads = []v1alpha1.WorkloadSelector{{
					APIVersion: "apps/v1", Kind: "Deployment", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"flags": value}},
				}}
			}
		}
		label := func(value string) func(*appsv1.Deployment) {
			return func(d *appsv1.Deployment) { d.Labels = map[string]string{"flags": value} }
		}
		change(s, web, label("yes"))
		binding := s.binding("simple", byLabel("yes"), asksGate("on", "on"), toPods("flags.example.com"), toConfigMap("flags-$(workload.name)"))
		s.create(binding)
		on := map[string]string{"flags.example.com/on": "true"}
		s.awaitAnnotations("web-0", on)
		s.awaitReady(binding)
		worker := s.deployment("worker")
		change(s, worker, label("yes"))
		s.awaitAnnotations("worker-0", on)
		s.awaitData("flags-worker", map[string]string{"on": "true"})
		// A workload whose labels change.
		change(s, web, label("no"))
		s.awaitAnnotations("web-0", nil)
		s.gone(s.configMap("flags-web"))
		s.awaitAnnotations("worker-0", on)
		// A selector that changes.
		change(s, binding, byLabel("no"))
		s.awaitAnnotations("worker-0", nil)
		s.awaitAnnotations("web-0", on)
		s.gone(s.configMap("flags-worker"))
		s.awaitData("flags-web", map[string]string{"on": "true"})
		// A pod that comes later, and a workload that goes.
		rs := s.replicaSetOf(web)
		s.read(rs)
		s.create(s.podOf(rs, "ReplicaSet", "web-1"))
		s.awaitAnnotations("web-1", on)
		s.delete(web)
		s.awaitAnnotations("web-1", nil)
		s.gone(s.configMap("flags-web"))
		s.awaitConditions(binding, is{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonNoUnits, ""},
			is{v1alpha1.ConditionEvaluated, metav1.ConditionTrue, v1alpha1.ReasonNoUnits, ""})
	})
	t.Run("Two bindings on one pod leave each other alone", func(t *testing.T) {
		t.Parallel()
		s, _, _ := projectStory(t)
		s.rollOut("web", 1)
		one := s.binding("one", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), toPods("flags.example.com"))
		two := s.binding("two", onDeployments(v1alpha1.UnitPod, "web"), asksGate("off", "off"), toPods("flags.example.com"))
		s.create(one, two)
		s.awaitReady(one, two)
		s.awaitAnnotations("web-0", map[string]string{"flags.example.com/on": "true", "flags.example.com/off": "false"})
		must(t, s.statsig.SetGate("off", true))
		s.awaitAnnotations("web-0", map[string]string{"flags.example.com/on": "true", "flags.example.com/off": "true"})
		s.delete(one)
		s.gone(one)
		s.awaitAnnotations("web-0", map[string]string{"flags.example.com/off": "true"})
		s.awaitReady(two)
		s.delete(two)
		s.gone(two)
		s.awaitAnnotations("web-0", nil)
	})
	t.Run("Each pod can be a user of its own", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{})
		s.create(s.secretWithKey(), s.project())
		s.rollOut("web", 2)
		binding := s.binding("simple", onDeployments(v1alpha1.UnitPod, "web"), asksGate("new", "new_checkout"),
			withUserID("{'web-0': 'shop/ledger-0', 'web-1': 'shop/ledger-1'}[pod.name]"),
			toConfigMap("flags-$(pod.name)"), toPods("flags.example.com"))
		s.create(binding)
		s.operator()
		s.awaitReady(binding)
		s.awaitData("flags-web-0", map[string]string{"new": "true"})
		s.awaitData("flags-web-1", map[string]string{"new": "false"})
		s.awaitAnnotations("web-1", map[string]string{"flags.example.com/new": "false"})
		s.delete(&corev1.Pod{ObjectMeta: s.meta("web-1")})
		s.gone(s.configMap("flags-web-1"))
		s.awaitData("flags-web-0", map[string]string{"new": "true"})
	})
	t.Run("Pods of CronJobs, Jobs, StatefulSets and DaemonSets are found", func(t *testing.T) {
		t.Parallel()
		s, _, _ := projectStory(t)
		cron := &batchv1.CronJob{ObjectMeta: s.meta("nightly"), Spec: batchv1.CronJobSpec{Schedule: "0 0 * * *"}}
		cron.Spec.JobTemplate.Spec.Template = podTemplate(nil)
		cron.Spec.JobTemplate.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
		s.create(cron)
		job := &batchv1.Job{ObjectMeta: s.meta("nightly-1"), Spec: cron.Spec.JobTemplate.Spec}
		job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(cron, kindOf("batch", "CronJob"))}
		labels := map[string]string{"app": "store"}
		set := &appsv1.StatefulSet{ObjectMeta: s.meta("store"), Spec: appsv1.StatefulSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: podTemplate(labels),
		}}
		daemons := &appsv1.DaemonSet{ObjectMeta: s.meta("agent"), Spec: appsv1.DaemonSetSpec{
			Selector: set.Spec.Selector, Template: set.Spec.Template,
		}}
		s.create(job, set, daemons)
		binding := s.binding("simple", asksGate("on", "on"), toPods("flags.example.com"), func(b *v1alpha1.FlagBinding) {
			b.Spec.Subject.Unit = v1alpha1.UnitWorkload
			for apiVersion, kinds := range map[string][]string{"batch/v1": {"CronJob"}, "apps/v1": {"StatefulSet", "DaemonSet"}} {
				for _, kind := range kinds {
					b.Spec.Subject.Workloads = append(b.Spec.Subject.Workloads,
						v1alpha1.WorkloadSelector{APIVersion: apiVersion, Kind: kind, Selector: &metav1.LabelSelector{}})
				}
			}
		})
		s.create(binding)
		s.awaitReady(binding)
		batch := s.podOf(job, "Job", "nightly-1-x")
		batch.OwnerReferences[0].APIVersion = "batch/v1"
		s.create(batch, s.podOf(set, "StatefulSet", "store-0"), s.podOf(daemons, "DaemonSet", "agent-y"))
		for _, name := range []string{"nightly-1-x", "store-0", "agent-y"} {
			s.awaitAnnotations(name, map[string]string{"flags.example.com/on": "true"})
		}
	})
}
