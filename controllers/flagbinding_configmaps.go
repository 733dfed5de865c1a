package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/render"
)

// materializeManager is the field manager of ConfigMaps that FlagBindings make.
const materializeManager = "statsig-operator/materialize"

// Placeholders in the names of ConfigMap targets.
const (
	workloadNamePlaceholder = "$(workload.name)"
	podNamePlaceholder      = "$(pod.name)"
)

const bindingKind = "FlagBinding"

var configMapKind = corev1.SchemeGroupVersion.WithKind("ConfigMap")

// applyConfigMaps writes every ConfigMap whose content is not what it should be.
func (r *FlagBindingReconciler) applyConfigMaps(ctx context.Context, s *bindingScope) error {
	var errs []error
	writers := map[string]string{}
	for i := range s.binding.Spec.Targets {
		target := &s.binding.Spec.Targets[i]
		s.targets = append(s.targets, targetOutcome{name: target.Name})
		if target.ConfigMap == nil {
			continue
		}
		names, err := configMapNames(target.ConfigMap, s.units)
		if err == nil {
			err = claim(writers, names, target.Name)
		}
		if err != nil {
			s.targets[i].fail(v1alpha1.ReasonTargetInvalid, sentence(err))
			markFailed(s.units)
			continue
		}
		for j := range s.units {
			if s.units[j].userErr != nil {
				continue
			}
			if err := r.applyConfigMap(ctx, s, i, &s.units[j], names[j]); err != nil {
				s.units[j].failed = true
				s.targets[i].fail(v1alpha1.ReasonWriteFailed, fmt.Sprintf("ConfigMap %s could not be written; it is retried.", names[j]))
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// configMapNames gives each unit its ConfigMap. Two units may not share one: the values of one would replace the other's.
func configMapNames(target *v1alpha1.ConfigMapTarget, units []unit) ([]string, error) {
	names := make([]string, len(units))
	users := map[string]*unit{}
	for i := range units {
		u := &units[i]
		name := target.Name
		if u.workload != nil {
			name = strings.ReplaceAll(name, workloadNamePlaceholder, u.workload.Name)
		}
		if u.pod != nil {
			name = strings.ReplaceAll(name, podNamePlaceholder, u.pod.Name)
		}
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			return nil, fmt.Errorf("%q is not a valid ConfigMap name for %s %s: %s", name, u.kind, u.name, problems[0])
		}
		if other := users[name]; other != nil {
			return nil, fmt.Errorf("%s %s and %s %s would share ConfigMap %s. Put $(workload.name) or $(pod.name) into its name",
				other.kind, other.name, u.kind, u.name, name)
		}
		users[name], names[i] = u, name
	}
	return names, nil
}

// claim notes which target writes which ConfigMaps. Two may not write one: each would take the other's content for drift.
func claim(writers map[string]string, names []string, target string) error {
	for _, name := range names {
		if writer := writers[name]; writer != "" {
			return fmt.Errorf("ConfigMap %s is written by target %s. Choose another name", name, writer)
		}
	}
	for _, name := range names {
		writers[name] = target
	}
	return nil
}

func markFailed(units []unit) {
	for i := range units {
		units[i].failed = true
	}
}

// applyConfigMap brings one ConfigMap to one unit's values. What is wrong with the target, as opposed to the API call, goes into
// the target's outcome.
func (r *FlagBindingReconciler) applyConfigMap(
	ctx context.Context, s *bindingScope, target int, u *unit, name string,
) error {
	outcome := &s.targets[target]
	spec := s.binding.Spec.Targets[target].ConfigMap
	existing, held, err := r.findConfigMap(ctx, s.binding, name)
	if err != nil {
		return err
	}
	if held != "" {
		u.failed = true
		outcome.fail(v1alpha1.ReasonTargetConflict, held)
		return nil
	}
	var previous map[string]string
	if existing != nil {
		previous = existing.Data
	}
	rendered, err := render.ConfigMap(configMapOptions(spec), renderEntries(s.binding, u), previous)
	if err != nil {
		u.failed = true
		outcome.fail(renderReason(err), fmt.Sprintf("ConfigMap %s: %v. Its previous content stays.", name, err))
		return nil
	}
	if target == describedTarget {
		recordStates(u, rendered.Outcomes)
	}
	outcome.objects++
	content := rendered.Data
	if isCurrent(existing, s.binding, spec, content) {
		return nil
	}
	if err := r.prune(ctx, existing, content); err != nil {
		outcome.objects--
		return err
	}
	if err := r.writeConfigMap(ctx, s, spec, name, content, existing != nil); err != nil {
		outcome.objects--
		return err
	}
	s.wrote++
	targetWrites.WithLabelValues("ConfigMap").Inc()
	if existing != nil {
		return nil
	}
	return r.confirmCreated(ctx, s.binding, name, u, outcome)
}

// findConfigMap returns the ConfigMap if it is this binding's, and otherwise who holds the name. The cache has only ConfigMaps
// with the operator's label, so one that is not there is looked for past the cache, by name.
func (r *FlagBindingReconciler) findConfigMap(
	ctx context.Context, binding *v1alpha1.FlagBinding, name string,
) (existing *corev1.ConfigMap, heldBy string, err error) {
	key := types.NamespacedName{Namespace: binding.Namespace, Name: name}
	cached := &corev1.ConfigMap{}
	err = r.Client.Get(ctx, key, cached)
	if err == nil && isOwn(cached, binding) {
		return cached, "", nil
	}
	if client.IgnoreNotFound(err) != nil {
		return nil, "", fmt.Errorf("reading ConfigMap %s: %w", key, err)
	}
	live := &corev1.ConfigMap{}
	if err := r.Live.Get(ctx, key, live); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, "", nil
		}
		return nil, "", fmt.Errorf("reading ConfigMap %s: %w", key, err)
	}
	if isOwn(live, binding) {
		return live, "", nil
	}
	return nil, fmt.Sprintf("ConfigMap %s belongs to %s and was not touched. Choose another name, or delete it.",
		name, holderOf(live)), nil
}

// isOwn reports whether the binding made the object: by owner reference, or by label where the object is to outlive the binding. What
// a binding of the same name left is its own too: there are no two of one name, so that one is gone.
func isOwn(object client.Object, binding *v1alpha1.FlagBinding) bool {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return owner.UID == binding.UID ||
			(owner.APIVersion == v1alpha1.GroupVersion.String() && owner.Kind == bindingKind && owner.Name == binding.Name)
	}
	labels := object.GetLabels()
	return labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue &&
		(labels[v1alpha1.BindingUIDLabel] == string(binding.UID) || object.GetAnnotations()[v1alpha1.BindingAnnotation] == binding.Name)
}

// holderOf says, for a message, whom an object belongs to.
func holderOf(object client.Object) string {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return fmt.Sprintf("%s %s", owner.Kind, owner.Name)
	}
	if manager := object.GetLabels()[v1alpha1.ManagedByLabel]; manager != "" && manager != v1alpha1.ManagedByValue {
		return manager
	}
	if name := object.GetAnnotations()[v1alpha1.BindingAnnotation]; name != "" {
		return bindingKind + " " + name
	}
	if object.GetLabels()[v1alpha1.BindingUIDLabel] != "" {
		return "another " + bindingKind
	}
	fields := object.GetManagedFields()
	if len(fields) > 0 {
		return "field manager " + fields[0].Manager
	}
	return "somebody else"
}

// isCurrent reports whether a ConfigMap needs no write.
func isCurrent(
	existing *corev1.ConfigMap, binding *v1alpha1.FlagBinding, spec *v1alpha1.ConfigMapTarget, content map[string]string,
) bool {
	if existing == nil || len(existing.Data) != len(content) || len(existing.BinaryData) > 0 {
		return false
	}
	for key, value := range content {
		if had, ok := existing.Data[key]; !ok || had != value {
			return false
		}
	}
	return existing.Annotations[v1alpha1.HashAnnotation] == render.Hash(content) &&
		existing.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue &&
		existing.Labels[v1alpha1.BindingUIDLabel] == string(binding.UID) &&
		existing.Annotations[v1alpha1.BindingAnnotation] == binding.Name &&
		hasRightOwner(existing, binding, spec)
}

// hasRightOwner reports whether a ConfigMap that is to go with the binding has it as its owner, and any other none.
func hasRightOwner(existing *corev1.ConfigMap, binding *v1alpha1.FlagBinding, spec *v1alpha1.ConfigMapTarget) bool {
	owner := metav1.GetControllerOf(existing)
	if !ownsConfigMap(spec) {
		return owner == nil
	}
	return owner != nil && owner.UID == binding.UID
}

// ownsConfigMap reports whether the ConfigMap goes with the binding.
func ownsConfigMap(spec *v1alpha1.ConfigMapTarget) bool {
	return spec.DeletionPolicy != v1alpha1.DeletionRetain
}

// prune removes keys that somebody else added to a ConfigMap of ours: its content is the binding's alone, and server-side apply
// removes only what the applier itself wrote. As long as the content has the hash it was written with, nobody did.
func (r *FlagBindingReconciler) prune(ctx context.Context, existing *corev1.ConfigMap, content map[string]string) error {
	if existing == nil || (len(existing.BinaryData) == 0 && existing.Annotations[v1alpha1.HashAnnotation] == render.Hash(existing.Data)) {
		return nil
	}
	pruned := existing.DeepCopy()
	pruned.BinaryData = nil
	maps.DeleteFunc(pruned.Data, func(key, _ string) bool { _, wanted := content[key]; return !wanted })
	if len(existing.BinaryData) == 0 && len(pruned.Data) == len(existing.Data) {
		return nil
	}
	if err := r.Client.Patch(ctx, pruned, client.MergeFrom(existing), client.FieldOwner(materializeManager)); err != nil {
		return fmt.Errorf("removing foreign keys from ConfigMap %s/%s: %w", existing.Namespace, existing.Name, err)
	}
	return nil
}

// writeConfigMap applies the whole content. Force is used only where the object is known to be ours.
func (r *FlagBindingReconciler) writeConfigMap(
	ctx context.Context, s *bindingScope, spec *v1alpha1.ConfigMapTarget, name string, content map[string]string, ours bool,
) error {
	desired := corev1ac.ConfigMap(name, s.binding.Namespace).
		WithLabels(map[string]string{
			v1alpha1.ManagedByLabel:  v1alpha1.ManagedByValue,
			v1alpha1.BindingUIDLabel: string(s.binding.UID),
		}).
		WithAnnotations(map[string]string{
			v1alpha1.HashAnnotation: render.Hash(content), v1alpha1.BindingAnnotation: s.binding.Name,
		}).
		WithData(content)
	if ownsConfigMap(spec) {
		desired.WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind(bindingKind).
			WithName(s.binding.Name).WithUID(s.binding.UID).WithController(true).WithBlockOwnerDeletion(true))
	}
	options := []client.ApplyOption{client.FieldOwner(materializeManager)}
	if ours {
		options = append(options, client.ForceOwnership)
	}
	if err := r.Client.Apply(ctx, desired, options...); err != nil {
		return fmt.Errorf("applying ConfigMap %s/%s: %w", s.binding.Namespace, name, err)
	}
	return nil
}

// confirmCreated makes sure that what was just applied was created by it. If somebody else created a ConfigMap of that name
// in the instant between looking and applying, our fields are withdrawn from it again.
func (r *FlagBindingReconciler) confirmCreated(
	ctx context.Context, binding *v1alpha1.FlagBinding, name string, u *unit, outcome *targetOutcome,
) error {
	object := metadataOf(configMapKind)
	key := types.NamespacedName{Namespace: binding.Namespace, Name: name}
	if err := r.Live.Get(ctx, key, object); err != nil {
		return client.IgnoreNotFound(err)
	}
	for _, entry := range object.ManagedFields {
		if entry.Manager == materializeManager {
			continue
		}
		u.failed = true
		outcome.objects--
		outcome.fail(v1alpha1.ReasonTargetConflict,
			fmt.Sprintf("ConfigMap %s belongs to field manager %s. Choose another name, or delete it.", name, entry.Manager))
		withdrawn := corev1ac.ConfigMap(name, binding.Namespace).WithUID(object.UID)
		return r.Client.Apply(ctx, withdrawn, client.FieldOwner(materializeManager))
	}
	return nil
}
