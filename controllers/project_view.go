package controllers

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// projectView is what an object that refers to a StatsigProject sees of it in one reconcile.
type projectView struct {
	// namespace is that of the object that refers to the project.
	namespace *metav1.PartialObjectMetadata
	// project is nil when there is none.
	project *v1alpha1.StatsigProject
	// notPermitted says why the project may not be used; empty when it may.
	notPermitted string
	// running is what the project's reconciler set up; nil before that.
	running *projectRuntime
	// evaluator is nil while there are no specs.
	evaluator *eval.Evaluator
	// snapshot is what evaluator reads; nil with it.
	snapshot *eval.Snapshot
	// awaitsSpecs is set while the project's first answer is outstanding.
	awaitsSpecs bool
}

// viewProject finds a project, checks that it may be used from a namespace, and takes its specs as they are now.
func (r *Runtimes) viewProject(
	ctx context.Context, reader client.Reader, namespace string, project types.NamespacedName,
) (projectView, error) {
	view := projectView{namespace: metadataOf(namespaceKind)}
	if err := reader.Get(ctx, types.NamespacedName{Name: namespace}, view.namespace); err != nil {
		return view, fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	found := &v1alpha1.StatsigProject{}
	if err := reader.Get(ctx, project, found); err != nil {
		if apierrors.IsNotFound(err) {
			return view, nil
		}
		return view, fmt.Errorf("reading StatsigProject %s: %w", project, err)
	}
	view.project = found
	if view.notPermitted = whyNotPermitted(found, view.namespace); view.notPermitted != "" || found.Spec.Suspend {
		return view, nil
	}
	// Until the project's reconciler has been here in this process nothing is known; it queues the object when it has.
	running, settled := r.lookup(project)
	if running == nil {
		view.awaitsSpecs = !settled
		return view, nil
	}
	view.running = running
	view.evaluator, view.snapshot, view.awaitsSpecs = running.evaluator()
	return view, nil
}

// missingProject is the problem of an object whose project does not exist.
func missingProject(key types.NamespacedName) refProblem {
	return refProblem{v1alpha1.ReasonRefNotFound, fmt.Sprintf("StatsigProject %s does not exist.", key)}
}

// isSuspended reports whether the project may be used and is suspended.
func (v *projectView) isSuspended() bool {
	return v.project != nil && v.project.Spec.Suspend && v.notPermitted == ""
}

// whenStale is when the specs become, or became, too old to decide by; zero while a source confirms them, and where there are none.
func (v *projectView) whenStale() time.Time {
	if v.running == nil || v.snapshot == nil {
		return time.Time{}
	}
	state := v.running.state()
	if isConfirmed(&state) {
		return time.Time{}
	}
	return state.LastSuccess.Add(failAfter(v.project))
}

// isConfirmed reports whether a source said, when it was last asked, that the specs are current.
func isConfirmed(state *specsync.State) bool { return state.Err == nil && !state.Stale }
