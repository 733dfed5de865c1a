package controllers

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// foreignObjectRetry is the pause before the operator looks again at something that it cannot watch: a ConfigMap of somebody
// else's that is in the way, a kind that does not exist yet.
const foreignObjectRetry = 2 * time.Minute

// compileUser compiles the user expressions and checks what the CRD's rules cannot.
func (r *FlagBindingReconciler) compileUser(s *bindingScope) {
	if s.invalid = checkSpec(&s.binding.Spec); s.invalid == nil {
		s.program, s.invalid = r.programs.compile(s.binding, func() (*subject.Program, error) {
			return compileUser(s.binding.Spec.Subject.Unit, s.binding.Spec.Subject.User, "spec.subject.")
		})
	}
}

// resolveProject finds the project, checks that it may be used from here, and takes its specs as they are now.
func (r *FlagBindingReconciler) resolveProject(ctx context.Context, s *bindingScope) (err error) {
	key := projectKey(s.binding)
	if s.projectView, err = r.Runtimes.viewProject(ctx, r.Client, s.binding.Namespace, key); err != nil {
		return err
	}
	if s.project == nil {
		s.problems = append(s.problems, missingProject(key))
	}
	return nil
}

// findWorkloads reads the metadata of the workloads that the binding selects.
func (r *FlagBindingReconciler) findWorkloads(ctx context.Context, s *bindingScope) error {
	for i := range s.binding.Spec.Subject.Workloads {
		selector := &s.binding.Spec.Subject.Workloads[i]
		problem, err := r.watches.ensure(ctx, r.Cache, workloadKind(selector))
		if err != nil {
			return fmt.Errorf("watching %s %s: %w", selector.APIVersion, selector.Kind, err)
		}
		if problem != nil {
			s.problems = append(s.problems, *problem)
			continue
		}
		found, err := r.selectWorkloads(ctx, s, selector)
		if err != nil {
			return err
		}
		s.workloads = append(s.workloads, found...)
	}
	s.workloads = sortWorkloads(s.workloads)
	return nil
}

func (r *FlagBindingReconciler) selectWorkloads(
	ctx context.Context, s *bindingScope, selector *v1alpha1.WorkloadSelector,
) ([]workload, error) {
	kind := workloadKind(selector)
	if selector.Name != "" {
		object := metadataOf(kind)
		err := r.Client.Get(ctx, types.NamespacedName{Namespace: s.binding.Namespace, Name: selector.Name}, object)
		if apierrors.IsNotFound(err) {
			s.problems = append(s.problems, refProblem{v1alpha1.ReasonRefNotFound,
				fmt.Sprintf("%s %s does not exist in namespace %s.", selector.Kind, selector.Name, s.binding.Namespace)})
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s %s: %w", selector.Kind, selector.Name, err)
		}
		object.SetGroupVersionKind(kind)
		return []workload{{meta: object}}, nil
	}
	labels, err := metav1.LabelSelectorAsSelector(selector.Selector)
	if err != nil {
		return nil, fmt.Errorf("reading the selector of %s: %w", selector.Kind, err)
	}
	list := metadataListOf(kind)
	err = r.Client.List(ctx, list, client.InNamespace(s.binding.Namespace), client.MatchingLabelsSelector{Selector: labels})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", selector.Kind, err)
	}
	found := make([]workload, len(list.Items))
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(kind)
		found[i] = workload{meta: &list.Items[i]}
	}
	return found, nil
}

// findPods reads the metadata of the workloads' pods, where they are evaluated or annotated. A pod that can be traced to several, such
// as a CronJob and its Job, belongs to the first: it has one place in status, and one set of annotations.
func (r *FlagBindingReconciler) findPods(ctx context.Context, s *bindingScope) error {
	if !needsPods(s.binding) {
		return nil
	}
	taken := map[types.UID]bool{}
	for i := range s.workloads {
		pods, err := r.podsOf(ctx, s.binding.Namespace, s.workloads[i].meta.UID)
		if err != nil {
			return fmt.Errorf("listing pods of %s: %w", s.workloads[i].meta.Name, err)
		}
		pods = slices.DeleteFunc(pods, func(pod *metav1.PartialObjectMetadata) bool {
			was := taken[pod.UID]
			taken[pod.UID] = true
			return was
		})
		sort.Slice(pods, func(a, b int) bool { return pods[a].Name < pods[b].Name })
		s.workloads[i].pods = pods
	}
	return nil
}

// podsOf returns the pods that an object controls, directly or through a ReplicaSet or a Job.
func (r *FlagBindingReconciler) podsOf(
	ctx context.Context, namespace string, owner types.UID,
) ([]*metav1.PartialObjectMetadata, error) {
	owners := []types.UID{owner}
	for _, kind := range []struct {
		list *metav1.PartialObjectMetadataList
	}{
		{metadataListOf(replicaSetKind)}, {metadataListOf(jobKind)},
	} {
		if err := r.listControlled(ctx, namespace, owner, kind.list); err != nil {
			return nil, err
		}
		for i := range kind.list.Items {
			owners = append(owners, kind.list.Items[i].UID)
		}
	}
	var pods []*metav1.PartialObjectMetadata
	for _, uid := range owners {
		list := metadataListOf(podKind)
		if err := r.listControlled(ctx, namespace, uid, list); err != nil {
			return nil, err
		}
		for i := range list.Items {
			if list.Items[i].DeletionTimestamp.IsZero() {
				pods = append(pods, &list.Items[i])
			}
		}
	}
	return pods, nil
}

func (r *FlagBindingReconciler) listControlled(
	ctx context.Context, namespace string, owner types.UID, list *metav1.PartialObjectMetadataList,
) error {
	return r.Client.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{indexOwner: string(owner)})
}

// needsPods reports whether a binding evaluates or annotates pods.
func needsPods(binding *v1alpha1.FlagBinding) bool {
	return binding.Spec.Subject.Unit == v1alpha1.UnitPod || annotatesPods(binding)
}

func annotatesPods(binding *v1alpha1.FlagBinding) bool {
	for i := range binding.Spec.Targets {
		if binding.Spec.Targets[i].PodAnnotations != nil {
			return true
		}
	}
	return false
}
