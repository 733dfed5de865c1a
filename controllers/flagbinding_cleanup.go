package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// cleanUp removes what the binding wrote earlier and does not want any more: ConfigMaps of targets and units that are gone, and
// annotations of pods that no longer belong to it. While something could not be read, nothing is taken for gone.
func (r *FlagBindingReconciler) cleanUp(ctx context.Context, s *bindingScope) error {
	if s.incomplete() {
		return nil
	}
	return errors.Join(r.removeConfigMaps(ctx, s), r.releasePods(ctx, s))
}

func (r *FlagBindingReconciler) removeConfigMaps(ctx context.Context, s *bindingScope) error {
	list := &corev1.ConfigMapList{}
	err := r.Client.List(ctx, list, client.InNamespace(s.binding.Namespace),
		client.MatchingLabels{v1alpha1.BindingUIDLabel: string(s.binding.UID)})
	if err != nil {
		return fmt.Errorf("listing ConfigMaps: %w", err)
	}
	wanted, complete := wantedConfigMaps(s)
	var errs []error
	for i := range list.Items {
		object := &list.Items[i]
		// Without an owner reference it was made to outlive its target.
		if wanted[object.Name] || !complete || metav1.GetControllerOf(object) == nil || !isOwn(object, s.binding) {
			continue
		}
		err := r.Client.Delete(ctx, object, client.Preconditions{UID: &object.UID})
		if client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("deleting ConfigMap %s/%s: %w", object.Namespace, object.Name, err))
			continue
		}
		s.wrote++
		targetWrites.WithLabelValues("ConfigMap").Inc()
	}
	return errors.Join(errs...)
}

// wantedConfigMaps returns the names that targets have now. A target with a fixed name wants it even while there is no unit, so
// that a workload that is being replaced finds its values again. complete is false when a target's names can't be told.
func wantedConfigMaps(s *bindingScope) (wanted map[string]bool, complete bool) {
	wanted = map[string]bool{}
	for i := range s.binding.Spec.Targets {
		target := s.binding.Spec.Targets[i].ConfigMap
		if target == nil {
			continue
		}
		wanted[target.Name] = true
		names, err := configMapNames(target, s.units)
		if err != nil {
			return nil, false
		}
		for _, name := range names {
			wanted[name] = true
		}
	}
	return wanted, true
}

// releasePods withdraws annotations from pods that carry the binding's marker and are not its pods any more.
func (r *FlagBindingReconciler) releasePods(ctx context.Context, s *bindingScope) error {
	wanted := map[types.UID]bool{}
	if annotatesPods(s.binding) {
		for i := range s.units {
			for _, pod := range s.units[i].pods {
				wanted[pod.UID] = true
			}
		}
	}
	list := metadataListOf(podKind)
	err := r.Client.List(ctx, list, client.InNamespace(s.binding.Namespace),
		client.MatchingFields{indexMarker: podMarker(s.binding.Name)})
	if err != nil {
		return fmt.Errorf("listing annotated pods: %w", err)
	}
	released, err := r.releaseMarked(ctx, s.binding, list.Items, wanted)
	s.wrote += released
	return err
}

// releaseMarked withdraws the binding's annotations from those of the pods that carry its marker and are not to be kept.
func (r *FlagBindingReconciler) releaseMarked(
	ctx context.Context, binding *v1alpha1.FlagBinding, pods []metav1.PartialObjectMetadata, keep map[types.UID]bool,
) (released int, err error) {
	var errs []error
	for i := range pods {
		pod := &pods[i]
		if _, marked := pod.Annotations[podMarker(binding.Name)]; !marked || keep[pod.UID] || !pod.DeletionTimestamp.IsZero() {
			continue
		}
		if err := r.releasePod(ctx, binding.Name, pod); err != nil {
			errs = append(errs, err)
			continue
		}
		released++
		targetWrites.WithLabelValues("Pod").Inc()
	}
	return released, errors.Join(errs...)
}

// ensureFinalizer keeps the binding until its pod annotations are withdrawn; ConfigMaps go by owner reference. A binding that never
// annotated pods needs none.
func (r *FlagBindingReconciler) ensureFinalizer(ctx context.Context, s *bindingScope) error {
	if !annotatesPods(s.binding) {
		return nil
	}
	return addFinalizer(ctx, r.Client, s.binding)
}

// reconcileDelete withdraws what owner references don't reach, and lets the binding go. In a namespace that is being deleted the
// pods go too, so nothing holds it up.
func (r *FlagBindingReconciler) reconcileDelete(ctx context.Context, binding *v1alpha1.FlagBinding) error {
	if !controllerutil.ContainsFinalizer(binding, v1alpha1.Finalizer) {
		return nil
	}
	ends, err := namespaceEnds(ctx, r.Client, binding.Namespace)
	if err != nil {
		return err
	}
	if !ends {
		// Past the cache, which may not know yet what the last reconcile wrote: nobody will come back for it.
		list := metadataListOf(podKind)
		if err := r.Live.List(ctx, list, client.InNamespace(binding.Namespace)); err != nil {
			return fmt.Errorf("listing annotated pods: %w", err)
		}
		if _, err := r.releaseMarked(ctx, binding, list.Items, nil); err != nil {
			return err
		}
	}
	return removeFinalizer(ctx, r.Client, binding)
}
