package controllers

import (
	"context"
	"testing"
	"time"

	clientevents "k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// TestOnlyTheLeaderTells reconciles a project that is suspended, before and after the replica comes to lead.
func TestOnlyTheLeaderTells(t *testing.T) {
	project := newProject("checkout").With(func(p *v1alpha1.StatsigProject) {
		p.Spec.Suspend, p.Spec.SDKKeySecretRef = true, nil
	}).Obj()
	writes := 0
	cluster := interceptor.NewClient(fakeCluster(t, project), interceptor.Funcs{
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			writes++
			return nil
		},
	})
	recorder := clientevents.NewFakeRecorder(10)
	runtimes, elected := NewRuntimes(&secret.Scrubber{}, "test", ""), make(chan struct{})
	runtimes.Bindings, runtimes.Elected = cluster, elected
	r := &StatsigProjectReconciler{
		Client: cluster, Live: cluster, Runtimes: runtimes, Recorder: recorder, Now: func() time.Time { return noon },
	}
	reconcile := func() {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(project)}); err != nil {
			t.Fatal(err)
		}
	}
	reconcile()
	if writes != 0 || len(recorder.Events) != 0 {
		t.Errorf("a follower wrote %d statuses and %d Kubernetes Events", writes, len(recorder.Events))
	}
	close(elected)
	reconcile()
	if writes != 1 || len(recorder.Events) == 0 {
		t.Errorf("the leader wrote %d statuses and %d Kubernetes Events", writes, len(recorder.Events))
	}
}
