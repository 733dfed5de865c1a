package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

func TestPausersOfADeployment(t *testing.T) {
	entry := func(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const apply, update = metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	const paused, unrelated = `{"f:spec":{"f:paused":{},"f:replicas":{}}}`, `{"f:spec":{"f:replicas":{}},"f:status":{"f:paused":{}}}`
	tests := map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   pausers
	}{
		"nobody":                               {nil, pausers{}},
		"managers of other fields":             {[]metav1.ManagedFieldsEntry{entry("helm", update, unrelated), {Manager: "odd"}}, pausers{}},
		"the gate":                             {[]metav1.ManagedFieldsEntry{entry("statsig-operator/pause/release", apply, paused)}, pausers{own: true}},
		"another gate is nobody else":          {[]metav1.ManagedFieldsEntry{entry("statsig-operator/pause/other", apply, paused)}, pausers{}},
		"kubectl":                              {[]metav1.ManagedFieldsEntry{entry("kubectl-rollout", update, paused)}, pausers{others: []string{"kubectl-rollout"}}},
		"two, in the order of their names":     {[]metav1.ManagedFieldsEntry{entry("kubectl-rollout", update, paused), entry("argocd", update, paused)}, pausers{others: []string{"argocd", "kubectl-rollout"}}},
		"an update in the name of a gate":      {[]metav1.ManagedFieldsEntry{entry("statsig-operator/pause/release", update, paused)}, pausers{others: []string{"statsig-operator/pause/release"}}},
		"the gate and somebody else, together": {[]metav1.ManagedFieldsEntry{entry("gitops", apply, paused), entry("statsig-operator/pause/release", apply, paused)}, pausers{own: true, others: []string{"gitops"}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := pausersOf(tc.fields, "statsig-operator/pause/release")
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(pausers{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// pausesReleased makes a gate pause the Deployments of the stories' release train.
func pausesReleased(g *v1alpha1.RolloutGate) {
	g.Spec.Hold = &v1alpha1.Hold{PauseDeployments: &v1alpha1.PauseDeploymentsHold{
		Selector: &metav1.LabelSelector{MatchLabels: released},
	}}
}

// deploymentMetadata is the metadata of a Deployment in namespace shop.
func deploymentMetadata(name string, labels map[string]string, generation int64) *metav1.PartialObjectMetadata {
	d := newMetadata("apps/v1", "Deployment", name)
	d.Labels, d.Generation = labels, generation
	return d
}

// newPausingHolds are holds over these Deployments, whose applies give an error.
func newPausingHolds(t *testing.T, applyErr error, pages ...*metav1.PartialObjectMetadata) *gateHolds {
	t.Helper()
	h := newHolds(t, interceptor.Funcs{
		Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
			return applyErr
		},
		// Each Deployment is a page of its own.
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			deployments, ok := list.(*metav1.PartialObjectMetadataList)
			if !ok {
				return c.List(ctx, list, options...)
			}
			wanted := (&client.ListOptions{}).ApplyOptions(options)
			for i, d := range pages {
				if d.Name > wanted.Continue {
					deployments.Items = append(deployments.Items, *d)
					if i+1 < len(pages) {
						deployments.Continue = d.Name
					}
					return nil
				}
			}
			return nil
		},
	})
	h.pausable.started = true
	return h
}

func TestDeploymentsAreFoundOnEveryPage(t *testing.T) {
	h := newPausingHolds(t, nil, deploymentMetadata("api", released, 1), deploymentMetadata("db", nil, 1), deploymentMetadata("web", released, 1))
	got, err := h.enforce(t.Context(), newGate("release").Was(v1alpha1.GateClosed).With(pausesReleased).Obj())
	want := holdOutcome{deployments: []string{"api", "web"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(holdOutcome{})); diff != "" || err != nil {
		t.Errorf("error %v; outcome (-want +got):\n%s", err, diff)
	}
}

func TestDeploymentsThatCannotBePaused(t *testing.T) {
	deployments := schema.GroupResource{Group: "apps", Resource: "deployments"}
	taken := apierrors.NewApplyConflict([]metav1.StatusCause{{
		Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.paused", Message: `conflict with "kubectl-rollout"`,
	}}, "conflict")
	tests := map[string]struct {
		err      error
		want     holdOutcome
		wantFail bool
	}{
		"somebody else was faster": {
			err: taken, want: holdOutcome{conflicts: []string{"Deployment web: field manager kubectl-rollout manages spec.paused"}},
		},
		"it is gone":             {err: apierrors.NewConflict(deployments, "web", errors.New("another UID"))},
		"the API server refuses": {err: apierrors.NewForbidden(deployments, "web", errors.New("no")), wantFail: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h := newPausingHolds(t, tc.err, deploymentMetadata("web", released, 1))
			got, err := h.enforce(t.Context(), newGate("release").Was(v1alpha1.GateUnknown).With(pausesReleased).Obj())
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(holdOutcome{})); diff != "" || (err != nil) != tc.wantFail {
				t.Errorf("got error %v; outcome (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestSelectorThatIsNotValidLeavesDeploymentsAsTheyAre(t *testing.T) {
	ours := deploymentMetadata("ours", nil, 1)
	ours.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: pauseManagerPrefix + "release", Operation: metav1.ManagedFieldsOperationApply,
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:paused":{}}}`),
	}}
	h := newPausingHolds(t, errors.New("nothing is to be applied"), ours, deploymentMetadata("web", released, 1))
	gate := newGate("release").Was(v1alpha1.GateOpen).With(pausesReleased).Obj()
	gate.Spec.Hold.PauseDeployments.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "train", Operator: "Like"}}
	got, err := h.enforce(t.Context(), gate)
	want := holdOutcome{deployments: []string{"ours"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(holdOutcome{})); diff != "" || err != nil {
		t.Errorf("error %v; outcome (-want +got):\n%s", err, diff)
	}
}

func TestDeploymentsAreNotLookedAtWhileAnOpenGatePausesNone(t *testing.T) {
	ours := deploymentMetadata("web", released, 1)
	ours.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: pauseManagerPrefix + "release", Operation: metav1.ManagedFieldsOperationApply,
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:paused":{}}}`),
	}}
	applyErr := error(nil)
	applies, lists := 0, 0
	h := newHolds(t, interceptor.Funcs{
		Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
			applies++
			return applyErr
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			deployments, ok := list.(*metav1.PartialObjectMetadataList)
			if !ok {
				return c.List(ctx, list, options...)
			}
			lists++
			deployments.Items = []metav1.PartialObjectMetadata{*ours}
			return nil
		},
	})
	h.pausable.started = true
	gate := newGate("release").With(pausesReleased).Obj()
	for _, step := range []struct {
		name                   string
		state                  v1alpha1.GateState
		finalizers             []string
		applyErr               error
		wantLists, wantApplies int
	}{
		{"a gate without the finalizer never paused any", v1alpha1.GateOpen, nil, nil, 0, 0},
		{"what could not be let go", v1alpha1.GateOpen, []string{v1alpha1.Finalizer}, errors.New("no"), 1, 1},
		{"is tried again", v1alpha1.GateOpen, []string{v1alpha1.Finalizer}, nil, 2, 2},
		{"and then it is done", v1alpha1.GateOpen, []string{v1alpha1.Finalizer}, nil, 2, 2},
		{"until the gate closes", v1alpha1.GateClosed, []string{v1alpha1.Finalizer}, nil, 3, 2},
		{"and opens again", v1alpha1.GateOpen, []string{v1alpha1.Finalizer}, nil, 4, 3},
	} {
		gate.Status.State, gate.Finalizers, applyErr = step.state, step.finalizers, step.applyErr
		if _, err := h.enforce(t.Context(), gate); (err != nil) != (step.applyErr != nil) {
			t.Errorf("%s: got error %v", step.name, err)
		}
		if lists != step.wantLists || applies != step.wantApplies {
			t.Errorf("%s: %d lists and %d applies so far, want %d and %d", step.name, lists, applies, step.wantLists, step.wantApplies)
		}
	}
}

// Reading all Deployments of a namespace costs the API server far more than the rest of a reconcile, which pods, exposures and rules can
// bring about at any time.
func TestDeploymentsOfAClosedGateAreReadAgainOnlyWhenTheyMayHaveChanged(t *testing.T) {
	web := deploymentMetadata("web", released, 1)
	applyErr, lists := error(nil), 0
	gate := newGate("release").Was(v1alpha1.GateClosed).With(pausesReleased).Obj()
	var h *gateHolds
	changed := func() {
		h.deploymentEvents(func(time.Duration, ...types.NamespacedName) {})(t.Context()).OnUpdate(web, deploymentMetadata("web", released, 2))
	}
	whileListed := func() {}
	h = newHolds(t, interceptor.Funcs{
		Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
			return applyErr
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			deployments, ok := list.(*metav1.PartialObjectMetadataList)
			if !ok {
				return c.List(ctx, list, options...)
			}
			lists++
			whileListed()
			deployments.Items = []metav1.PartialObjectMetadata{*web}
			return nil
		},
	}, gate)
	h.pausable.started = true
	taken := apierrors.NewApplyConflict([]metav1.StatusCause{{
		Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.paused", Message: `conflict with "gitops"`,
	}}, "conflict")
	for _, step := range []struct {
		name      string
		change    func()
		applyErr  error
		wantLists int
	}{
		{"At first they are read", nil, nil, 1},
		{"Then they are known", nil, nil, 1},
		{"Another state that is not open changes nothing", func() { gate.Status.State = v1alpha1.GateUnknown }, nil, 1},
		{"One of them changed", changed, nil, 2},
		{"The spec changed", func() { gate.Generation++ }, nil, 3},
		{"The gate is another of that name", func() { gate.UID = "another" }, nil, 4},
		{"One changes while they are read", func() { gate.Generation, whileListed = gate.Generation+1, changed }, nil, 5},
		{"so they are read again", func() { whileListed = func() {} }, nil, 6},
		{"and are known", nil, nil, 6},
		{"What cannot be paused", changed, errors.New("no"), 7},
		{"is tried each time", nil, errors.New("no"), 8},
		{"What is somebody else's", nil, taken, 9},
		{"is looked at each time", nil, taken, 10},
		{"until it is paused", nil, nil, 11},
		{"and known", nil, nil, 11},
		{"Between, the gate was open", func() {
			gate.Status.State = v1alpha1.GateOpen
			if _, err := h.enforce(t.Context(), gate); err != nil {
				t.Error(err)
			}
			gate.Status.State = v1alpha1.GateClosed
		}, nil, 12},
	} {
		if step.change != nil {
			step.change()
		}
		applyErr = step.applyErr
		got, err := h.enforce(t.Context(), gate)
		if lists != step.wantLists {
			t.Errorf("%s: read %d times so far, want %d", step.name, lists, step.wantLists)
		}
		if step.applyErr == nil && (err != nil || len(got.deployments) != 1) {
			t.Errorf("%s: got %+v, error %v", step.name, got, err)
		}
	}
}

func TestWatchedDeploymentsQueueTheGatesThatPauseThem(t *testing.T) {
	web := deploymentMetadata("web", released, 1)
	resumed, relabelled := deploymentMetadata("web", released, 2), deploymentMetadata("web", nil, 1)
	statusOnly := deploymentMetadata("web", released, 1)
	statusOnly.ResourceVersion = "8"
	tests := map[string]struct {
		event func(toolscache.ResourceEventHandler)
		want  []string
	}{
		"a new Deployment":                   {func(h toolscache.ResourceEventHandler) { h.OnAdd(web, false) }, []string{"release"}},
		"a Deployment that was there before": {func(h toolscache.ResourceEventHandler) { h.OnAdd(web, true) }, nil},
		"another spec":                       {func(h toolscache.ResourceEventHandler) { h.OnUpdate(web, resumed) }, []string{"release"}},
		"a label that went":                  {func(h toolscache.ResourceEventHandler) { h.OnUpdate(web, relabelled) }, []string{"release"}},
		"a label that came":                  {func(h toolscache.ResourceEventHandler) { h.OnUpdate(relabelled, web) }, []string{"release"}},
		"a Deployment that is gone":          {func(h toolscache.ResourceEventHandler) { h.OnDelete(web) }, []string{"release"}},
		"a Deployment whose deletion was missed": {func(h toolscache.ResourceEventHandler) {
			h.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "shop/web", Obj: web})
		}, []string{"release"}},
		"another status":                    {func(h toolscache.ResourceEventHandler) { h.OnUpdate(web, statusOnly) }, nil},
		"a Deployment that no gate chooses": {func(h toolscache.ResourceEventHandler) { h.OnAdd(relabelled, false) }, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHolds(t, interceptor.Funcs{}, newGate("release").With(pausesReleased).Obj(), newGate("without").Obj())
			var queued []string
			tc.event(h.deploymentEvents(func(_ time.Duration, gates ...types.NamespacedName) {
				for _, gate := range gates {
					queued = append(queued, gate.Name)
				}
			})(t.Context()))
			if diff := cmp.Diff(tc.want, queued); diff != "" {
				t.Errorf("queued (-want +got):\n%s", diff)
			}
		})
	}
}
