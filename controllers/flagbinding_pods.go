package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/render"
)

// annotatePods writes the annotations of every pod whose annotations are not what they should be. All podAnnotations targets of a
// binding share one field manager, so they are written together.
func (r *FlagBindingReconciler) annotatePods(ctx context.Context, s *bindingScope) error {
	if !annotatesPods(s.binding) {
		return nil
	}
	marksPods := exposureMode(s.binding) == v1alpha1.ExposurePodReady
	var errs []error
	for i := range s.units {
		u := &s.units[i]
		if u.userErr != nil {
			continue
		}
		for _, pod := range u.pods {
			desired := desiredAnnotations(s, u, pod)
			if err := r.annotatePod(ctx, s, u, pod, desired); err != nil {
				errs = append(errs, err)
				continue
			}
			if marksPods {
				u.mark(pod.UID, desired[podMarker(s.binding.Name)])
			}
		}
	}
	return errors.Join(errs...)
}

// mark notes what hash a pod carries.
func (u *unit) mark(pod types.UID, hash string) {
	if u.markers == nil {
		u.markers = make(map[types.UID]string, len(u.pods))
	}
	u.markers[pod] = hash
}

// desiredAnnotations are a unit's values as the annotations of one of its pods, the hash included.
func desiredAnnotations(s *bindingScope, u *unit, pod *metav1.PartialObjectMetadata) map[string]string {
	all := map[string]string{}
	for i := range s.binding.Spec.Targets {
		target := s.binding.Spec.Targets[i].PodAnnotations
		if target == nil {
			continue
		}
		rendered, err := render.Annotations(target.Prefix, renderEntries(s.binding, u), pod.Annotations)
		if err != nil {
			u.failed = true
			s.targets[i].fail(renderReason(err), fmt.Sprintf("pods of %s %s: %v. Their previous annotations stay.", u.kind, u.name, err))
			keepAnnotations(all, pod.Annotations, target.Prefix)
			continue
		}
		if i == describedTarget {
			recordStates(u, rendered.Outcomes)
		}
		maps.Copy(all, rendered.Data)
	}
	all[podMarker(s.binding.Name)] = render.ShortHash(render.Hash(all))
	return all
}

func keepAnnotations(into, from map[string]string, prefix string) {
	for name, value := range from {
		if strings.HasPrefix(name, prefix+"/") {
			into[name] = value
		}
	}
}

// annotatePod applies annotations to one pod. Force is never used: pods are not ours.
func (r *FlagBindingReconciler) annotatePod(
	ctx context.Context, s *bindingScope, u *unit, pod *metav1.PartialObjectMetadata, desired map[string]string,
) error {
	err := error(nil)
	if !hasAnnotations(pod, desired) {
		// The UID makes the apply fail on a pod that is gone, where it would try to create one.
		configuration := corev1ac.Pod(pod.Name, pod.Namespace).WithUID(pod.UID).WithAnnotations(desired)
		err = r.Client.Apply(ctx, configuration, client.FieldOwner(annotateManager(s.binding.Name)))
		if isGone(err) {
			return nil
		}
		if err == nil {
			s.wrote++
			targetWrites.WithLabelValues("Pod").Inc()
		}
	}
	reason, message := v1alpha1.ReasonWriteFailed, fmt.Sprintf("Pod %s could not be annotated; it is retried.", pod.Name)
	if manager := conflictingManager(err); manager != "" {
		reason = v1alpha1.ReasonTargetConflict
		message = fmt.Sprintf("Pod %s: field manager %s holds annotations with this prefix, which were not touched. Choose another prefix.",
			pod.Name, manager)
	}
	for i := range s.binding.Spec.Targets {
		switch {
		case s.binding.Spec.Targets[i].PodAnnotations == nil:
		case err != nil:
			u.failed = true
			s.targets[i].fail(reason, message)
		default:
			s.targets[i].objects++
		}
	}
	if err != nil && reason != v1alpha1.ReasonTargetConflict {
		return fmt.Errorf("annotating pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

// releasePod withdraws everything that the binding wrote to a pod.
func (r *FlagBindingReconciler) releasePod(ctx context.Context, binding string, pod *metav1.PartialObjectMetadata) error {
	configuration := corev1ac.Pod(pod.Name, pod.Namespace).WithUID(pod.UID)
	err := r.Client.Apply(ctx, configuration, client.FieldOwner(annotateManager(binding)))
	if err != nil && !isGone(err) {
		return fmt.Errorf("withdrawing annotations from pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

func hasAnnotations(pod *metav1.PartialObjectMetadata, desired map[string]string) bool {
	for name, value := range desired {
		if had, ok := pod.Annotations[name]; !ok || had != value {
			return false
		}
	}
	return true
}

// isGone reports whether an apply with a UID found no such object any more.
func isGone(err error) bool {
	return apierrors.IsNotFound(err) || (apierrors.IsConflict(err) && conflictingManager(err) == "")
}

// conflictingManager returns the field manager that an apply without force ran into; empty when that was not the trouble.
func conflictingManager(err error) string {
	var status apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return ""
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == metav1.CauseTypeFieldManagerConflict {
			_, rest, _ := strings.Cut(cause.Message, `"`)
			manager, _, _ := strings.Cut(rest, `"`)
			return manager
		}
	}
	return ""
}

// annotateManager is the field manager of one binding's pod annotations: one for each binding, so that two bindings can write to one
// pod and each can withdraw its own.
func annotateManager(binding string) string {
	const prefix, limit = "statsig-operator/annotate/", 128
	return prefix + shorten(binding, limit-len(prefix))
}

// podMarker is the annotation that holds the hash of what a binding wrote to a pod.
func podMarker(binding string) string {
	const limit = 63
	return v1alpha1.PodHashAnnotationPrefix + shorten(binding, limit)
}

// shorten fits a name into a limit without making two names one.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	fingerprint := hex.EncodeToString(sum[:5])
	return strings.TrimRight(name[:limit-len(fingerprint)-1], "-.") + "-" + fingerprint
}
