package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// fakeCluster is a client in memory with the operator's indexes.
func fakeCluster(t testing.TB, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithIndex(&v1alpha1.FlagBinding{}, indexProject, bindingProjects).
		WithIndex(&v1alpha1.FlagBinding{}, indexEntity, bindingEntities).
		WithStatusSubresource(&v1alpha1.RolloutGate{}).
		WithIndex(&v1alpha1.RolloutGate{}, indexProject, gateProjects).
		WithIndex(&v1alpha1.RolloutGate{}, indexEntity, gateEntities).
		WithIndex(&corev1.Pod{}, indexOwner, controllerUID).
		WithIndex(&appsv1.ReplicaSet{}, indexOwner, controllerUID).
		WithIndex(&batchv1.Job{}, indexOwner, controllerUID).
		WithIndex(&corev1.Pod{}, indexMarker, podMarkers).
		WithIndex(&corev1.Pod{}, indexSchedulingGate, podGates).
		WithIndex(&corev1.Pod{}, "spec.nodeName", podNodes).
		Build()
}

// controlledBy names an object in namespace shop, controlled by another of that UID if it is not empty.
func controlledBy(name string, controller types.UID) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name)}
	if controller != "" {
		yes := true
		m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Owner", Name: "owner", UID: controller, Controller: &yes}}
	}
	return m
}

func TestPodsAreFoundThroughTheirControllers(t *testing.T) {
	ending := &corev1.Pod{ObjectMeta: controlledBy("checkout-1-z", "uid-of-checkout-1")}
	ending.DeletionTimestamp, ending.Finalizers = timeOf(time.Unix(1, 0)), []string{"example.com/hold"}
	elsewhere := &corev1.Pod{ObjectMeta: controlledBy("elsewhere", "uid-of-Deployment-checkout")}
	elsewhere.Namespace = "cart"
	r := &FlagBindingReconciler{Client: fakeCluster(t,
		&appsv1.ReplicaSet{ObjectMeta: controlledBy("checkout-1", "uid-of-Deployment-checkout")},
		&appsv1.ReplicaSet{ObjectMeta: controlledBy("checkout-2", "uid-of-Deployment-checkout")},
		&batchv1.Job{ObjectMeta: controlledBy("report-1", "uid-of-CronJob-report")},
		&corev1.Pod{ObjectMeta: controlledBy("checkout-2-a", "uid-of-checkout-2")},
		&corev1.Pod{ObjectMeta: controlledBy("checkout-1-b", "uid-of-checkout-1")},
		&corev1.Pod{ObjectMeta: controlledBy("checkout-1-a", "uid-of-checkout-1")},
		&corev1.Pod{ObjectMeta: controlledBy("report-1-a", "uid-of-report-1")},
		&corev1.Pod{ObjectMeta: controlledBy("ledger-0", "uid-of-StatefulSet-ledger")},
		&corev1.Pod{ObjectMeta: controlledBy("alone", "")},
		ending, elsewhere,
	)}
	deployment := workload{meta: newMetadata("apps/v1", "Deployment", "checkout")}
	replicaSet := workload{meta: newMetadata("apps/v1", "ReplicaSet", "checkout-1")}
	replicaSet.meta.UID = "uid-of-checkout-1"
	statefulSet := workload{meta: newMetadata("apps/v1", "StatefulSet", "ledger")}
	cronJob := workload{meta: newMetadata("batch/v1", "CronJob", "report")}
	job := workload{meta: newMetadata("batch/v1", "Job", "report-1")}
	job.meta.UID = "uid-of-report-1"
	for name, tc := range map[string]struct {
		binding   *bindingBuilder
		workloads []workload
		want      map[string][]string
	}{
		"Those of a Deployment come through its ReplicaSets, sorted": {
			newBinding("a").Unit(v1alpha1.UnitPod), []workload{deployment},
			map[string][]string{"checkout": {"checkout-1-a", "checkout-1-b", "checkout-2-a"}},
		},
		"Those of a StatefulSet are its own, those of a CronJob its Jobs'": {
			newBinding("a").Annotations("flags.example.com"), []workload{cronJob, statefulSet},
			map[string][]string{"report": {"report-1-a"}, "ledger": {"ledger-0"}},
		},
		"A pod belongs to the first workload of those it can be traced to": {
			newBinding("a").Unit(v1alpha1.UnitPod), []workload{deployment, job, cronJob, replicaSet},
			map[string][]string{"checkout": {"checkout-1-a", "checkout-1-b", "checkout-2-a"}, "report-1": {"report-1-a"}},
		},
		"None are looked for where none are needed": {newBinding("a").ConfigMap("flags"), []workload{deployment}, map[string][]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &bindingScope{binding: tc.binding.Obj(), workloads: append([]workload(nil), tc.workloads...)}
			if err := r.findPods(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			for _, w := range s.workloads {
				for _, pod := range w.pods {
					got[w.meta.Name] = append(got[w.meta.Name], pod.Name)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("pods by workload (-want +got):\n%s", diff)
			}
		})
	}
}

// Each would take the other's content for drift, and undo it, for ever.
func TestTargetsDoNotShareAConfigMap(t *testing.T) {
	json := v1alpha1.Target{Name: "document", ConfigMap: &v1alpha1.ConfigMapTarget{Name: "flags-checkout", Format: v1alpha1.FormatJSON}}
	binding := newBinding("a").Gate("on").ConfigMap("flags-$(workload.name)").Target(json).Obj()
	cluster := fakeCluster(t)
	r := &FlagBindingReconciler{Client: cluster, Live: cluster}
	reconcile := func() *bindingScope {
		s := newScope(t, binding, evaltest.Compile(t, everyKind()), newDeployment("checkout"))
		s.units = buildUnits(binding, s.workloads)
		evaluateUnits(s, "test-cluster")
		if err := r.applyConfigMaps(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := reconcile()
	if s.targets[0].reason != "" || s.targets[1].reason != v1alpha1.ReasonTargetInvalid || s.wrote != 1 {
		t.Errorf("outcomes: want the first target to write and the second to be invalid, got %+v after %d writes", s.targets, s.wrote)
	}
	if s = reconcile(); s.wrote != 0 {
		t.Errorf("a second reconcile wrote %d times, want none", s.wrote)
	}
	configMap := &corev1.ConfigMap{}
	if err := cluster.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "flags-checkout"}, configMap); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"on": "true"}, configMap.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}
