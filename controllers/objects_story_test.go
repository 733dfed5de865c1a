package controllers

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

func (s *story) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.namespace, Name: name}
}

func (s *story) configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: s.meta(name)}
}

// secretWithKey is the Secret that the story's projects name.
func (s *story) secretWithKey() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: s.meta("statsig"), Data: map[string][]byte{"sdkKey": []byte(storyKey)}}
}

// project is the StatsigProject "project", which follows the story's server closely.
func (s *story) project() *v1alpha1.StatsigProject {
	second := &metav1.Duration{Duration: time.Second}
	return &v1alpha1.StatsigProject{ObjectMeta: s.meta("project"), Spec: v1alpha1.StatsigProjectSpec{
		SDKKeySecretRef: &v1alpha1.SecretKeyRef{Name: "statsig", Key: "sdkKey"},
		Specs: &v1alpha1.SpecsSpec{
			Sources:  []v1alpha1.SpecsSource{{Type: v1alpha1.SourceHTTP, URL: s.statsig.URL()}},
			Interval: second,
		},
		IDLists: &v1alpha1.IDListsSpec{Interval: second},
		Events:  &v1alpha1.EventsSpec{FlushInterval: second},
	}}
}

// binding evaluates once for the namespace, and has no entries and targets but what the edits give it.
func (s *story) binding(name string, edits ...func(*v1alpha1.FlagBinding)) *v1alpha1.FlagBinding {
	b := &v1alpha1.FlagBinding{ObjectMeta: s.meta(name), Spec: v1alpha1.FlagBindingSpec{
		ProjectRef: v1alpha1.ProjectRef{Name: "project"},
		Subject:    v1alpha1.Subject{Unit: v1alpha1.UnitNamespace},
	}}
	for _, edit := range edits {
		edit(b)
	}
	return b
}

func withUserID(expression string) func(*v1alpha1.FlagBinding) {
	return func(b *v1alpha1.FlagBinding) {
		if b.Spec.Subject.User == nil {
			b.Spec.Subject.User = &v1alpha1.UserTemplate{}
		}
		b.Spec.Subject.User.UserID = v1alpha1.Expression(expression)
	}
}

// onDeployments evaluates the Deployments of these names.
func onDeployments(unit v1alpha1.Unit, names ...string) func(*v1alpha1.FlagBinding) {
	return func(b *v1alpha1.FlagBinding) {
		b.Spec.Subject.Unit = unit
		b.Spec.Subject.Workloads = nil
		for _, name := range names {
			b.Spec.Subject.Workloads = append(b.Spec.Subject.Workloads,
				v1alpha1.WorkloadSelector{APIVersion: "apps/v1", Kind: "Deployment", Name: name})
		}
	}
}

// asksGate adds an entry with the default false.
func asksGate(name, gate string) func(*v1alpha1.FlagBinding) {
	return asks(v1alpha1.Entry{Name: name, Gate: gate, Default: &runtime.RawExtension{Raw: []byte("false")}})
}

func asks(entries ...v1alpha1.Entry) func(*v1alpha1.FlagBinding) {
	return func(b *v1alpha1.FlagBinding) { b.Spec.Entries = append(b.Spec.Entries, entries...) }
}

func toConfigMap(name string) func(*v1alpha1.FlagBinding) {
	return toTarget(v1alpha1.Target{Name: fmt.Sprintf("t%d", len(name)), ConfigMap: &v1alpha1.ConfigMapTarget{Name: name}})
}

func toPods(prefix string) func(*v1alpha1.FlagBinding) {
	return toTarget(v1alpha1.Target{Name: "pods", PodAnnotations: &v1alpha1.PodAnnotationsTarget{Prefix: prefix}})
}

func toTarget(target v1alpha1.Target) func(*v1alpha1.FlagBinding) {
	return func(b *v1alpha1.FlagBinding) { b.Spec.Targets = append(b.Spec.Targets, target) }
}

// deployment is a Deployment of the shop, which nothing rolls out.
func (s *story) deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: s.meta(name), Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: podTemplate(labels),
	}}
}

// replicaSetOf is what the Deployment controller would make.
func (s *story) replicaSetOf(d *appsv1.Deployment) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{ObjectMeta: s.meta(d.Name + "-7d4b9"), Spec: appsv1.ReplicaSetSpec{
		Selector: d.Spec.Selector, Template: d.Spec.Template,
	}}
	rs.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
	return rs
}

// podOf is a pod of a ReplicaSet or StatefulSet.
func (s *story) podOf(owner client.Object, kind, name string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: s.meta(name), Spec: podTemplate(nil).Spec}
	pod.Labels = map[string]string{"app": name}
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, appsv1.SchemeGroupVersion.WithKind(kind))}
	return pod
}

// rollOut creates a Deployment with a ReplicaSet and pods named <name>-0 and so on.
func (s *story) rollOut(name string, replicas int) (d *appsv1.Deployment, pods []*corev1.Pod) {
	s.t.Helper()
	d = s.deployment(name)
	s.create(d)
	rs := s.replicaSetOf(d)
	s.create(rs)
	for i := range replicas {
		pod := s.podOf(rs, "ReplicaSet", fmt.Sprintf("%s-%d", name, i))
		s.create(pod)
		pods = append(pods, pod)
	}
	return d, pods
}

func podTemplate(labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "registry.k8s.io/pause:3.10"}}},
	}
}
