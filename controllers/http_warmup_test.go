package controllers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

func probe() *http.Request {
	return httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody)
}

func TestAReplicaIsReadyOnceItCanAnswer(t *testing.T) {
	suspended := func(p *v1alpha1.StatsigProject) { p.Spec.Suspend = true }
	silent := func(p *v1alpha1.StatsigProject) { p.Spec.OFREP = nil }
	for name, tc := range map[string]struct {
		project *v1alpha1.StatsigProject
		// reconcile is what its reconciler does, if it comes that far.
		reconcile func(*testing.T, running)
		wantReady bool
	}{
		"A project that was not looked at yet is awaited": {project: evaluating()},
		"One that has specs is not": {
			project: evaluating(), wantReady: true, reconcile: func(t *testing.T, r running) { r.ensured(t, evaluating(), plainKey) },
		},
		"One whose sources have not answered yet is": {
			project: evaluating(), reconcile: func(t *testing.T, r running) {
				r.Live = interceptor.NewClient(fakeCluster(t), interceptor.Funcs{
					Get: func(ctx context.Context, _ client.WithWatch, _ client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
						<-ctx.Done()
						return ctx.Err()
					},
				})
				if err := r.ensure(t.Context(), evaluating(), withKey(plainKey)); err != nil {
					t.Error(err)
				}
			},
		},
		"One that can't run is not": {
			project: evaluating(), wantReady: true, reconcile: func(_ *testing.T, r running) { r.settle(client.ObjectKeyFromObject(evaluating())) },
		},
		"One that is suspended is not":   {project: evaluating(suspended), wantReady: true},
		"One that nobody asks for isn't": {project: evaluating(silent), wantReady: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunning(t)
				ready := &warmingUp{synced: func() bool { return true }, cache: fakeCluster(t, tc.project), runtimes: r.Runtimes}
				if tc.reconcile != nil {
					tc.reconcile(t, r)
				}
				if err := ready.check(probe()); (err == nil) != tc.wantReady {
					t.Errorf("ready: %v, want ready %v", err, tc.wantReady)
				}
			})
		})
	}
}

func TestAReplicaIsNotReadyBeforeItsCacheIsFilled(t *testing.T) {
	r := NewRuntimes(&secret.Scrubber{}, "test", "")
	r.Now = func() time.Time { return noon }
	if err := (&warmingUp{synced: func() bool { return false }, runtimes: r}).check(probe()); err == nil {
		t.Error("it is ready")
	}
}

// TestNoProjectKeepsAReplicaFromServingOthers has a project that is never looked at, and another one that comes late.
func TestNoProjectKeepsAReplicaFromServingOthers(t *testing.T) {
	now := noon
	r := NewRuntimes(&secret.Scrubber{}, "test", "")
	r.Now = func() time.Time { return now }
	cluster := fakeCluster(t, evaluating())
	r.Bindings = cluster
	ready := &warmingUp{synced: func() bool { return true }, cache: cluster, runtimes: r}
	for after, wantReady := range []bool{0: false, 1: true} {
		now = noon.Add(time.Duration(after) * warmUp)
		if err := ready.check(probe()); (err == nil) != wantReady {
			t.Errorf("after %s: %v, want ready %v", now.Sub(noon), err, wantReady)
		}
	}
	ready = &warmingUp{synced: func() bool { return true }, cache: cluster, runtimes: r}
	r.settle(client.ObjectKeyFromObject(evaluating()))
	for _, late := range []string{"", "late"} {
		if late != "" {
			project := evaluating()
			project.Name = late
			if err := cluster.Create(t.Context(), project); err != nil {
				t.Fatal(err)
			}
		}
		if err := ready.check(probe()); err != nil {
			t.Errorf("with project %q: %v", late, err)
		}
	}
}
