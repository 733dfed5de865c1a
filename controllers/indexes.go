package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/gate"
)

// Cache indexes. They answer "which bindings and gates does this touch" without walking all of them.
const (
	// indexProject finds FlagBindings and RolloutGates by "namespace/name" of their project.
	indexProject = "project"
	// indexEntity finds FlagBindings by project and one entity that an entry names, and RolloutGates by one that their expression names.
	indexEntity = "entity"
	// indexOwner finds pods, ReplicaSets and Jobs by the UID of their controller.
	indexOwner = "owner"
	// indexMarker finds pods by the annotation that a FlagBinding left on them.
	indexMarker = "marker"
)

var (
	podKind        = corev1.SchemeGroupVersion.WithKind("Pod")
	namespaceKind  = corev1.SchemeGroupVersion.WithKind("Namespace")
	replicaSetKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}
	jobKind        = schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}
)

// SetupIndexes registers the cache indexes that the reconcilers read. Call it once, before the manager starts.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	binding := &v1alpha1.FlagBinding{}
	if err := indexer.IndexField(ctx, binding, indexProject, bindingProjects); err != nil {
		return fmt.Errorf("indexing FlagBindings by project: %w", err)
	}
	if err := indexer.IndexField(ctx, binding, indexEntity, bindingEntities); err != nil {
		return fmt.Errorf("indexing FlagBindings by entity: %w", err)
	}
	rolloutGate := &v1alpha1.RolloutGate{}
	if err := indexer.IndexField(ctx, rolloutGate, indexProject, gateProjects); err != nil {
		return fmt.Errorf("indexing RolloutGates by project: %w", err)
	}
	if err := indexer.IndexField(ctx, rolloutGate, indexEntity, gateEntities); err != nil {
		return fmt.Errorf("indexing RolloutGates by entity: %w", err)
	}
	for _, kind := range []schema.GroupVersionKind{podKind, replicaSetKind, jobKind} {
		if err := indexer.IndexField(ctx, metadataOf(kind), indexOwner, controllerUID); err != nil {
			return fmt.Errorf("indexing %s by owner: %w", kind.Kind, err)
		}
	}
	if err := indexer.IndexField(ctx, metadataOf(podKind), indexMarker, podMarkers); err != nil {
		return fmt.Errorf("indexing pods by marker: %w", err)
	}
	return nil
}

func bindingProjects(o client.Object) []string {
	binding, ok := o.(*v1alpha1.FlagBinding)
	if !ok {
		return nil
	}
	return []string{projectKey(binding).String()}
}

func bindingEntities(o client.Object) []string {
	binding, ok := o.(*v1alpha1.FlagBinding)
	if !ok {
		return nil
	}
	project := projectKey(binding)
	values := make([]string, 0, len(binding.Spec.Entries))
	for i := range binding.Spec.Entries {
		values = append(values, entityIndexValue(project, entryRef(&binding.Spec.Entries[i])))
	}
	return values
}

func gateProjects(o client.Object) []string {
	g, ok := o.(*v1alpha1.RolloutGate)
	if !ok {
		return nil
	}
	return []string{gateProject(g).String()}
}

// gateEntities returns nothing for an expression that cannot be parsed.
func gateEntities(o client.Object) []string {
	g, ok := o.(*v1alpha1.RolloutGate)
	if !ok {
		return nil
	}
	project := gateProject(g)
	var values []string
	for _, ref := range gate.References(g.Spec.Open) {
		values = append(values, entityIndexValue(project, ref))
	}
	return values
}

func entityIndexValue(project types.NamespacedName, ref eval.Ref) string {
	return project.String() + "|" + ref.Kind.String() + "|" + ref.Name
}

func controllerUID(o client.Object) []string {
	if owner := metav1.GetControllerOf(o); owner != nil {
		return []string{string(owner.UID)}
	}
	return nil
}

func podMarkers(o client.Object) []string {
	var markers []string
	for name := range o.GetAnnotations() {
		if strings.HasPrefix(name, v1alpha1.PodHashAnnotationPrefix) {
			markers = append(markers, name)
		}
	}
	return markers
}

// projectKey returns the name of the project that a binding refers to.
func projectKey(binding *v1alpha1.FlagBinding) types.NamespacedName {
	return projectNamed(&binding.Spec.ProjectRef, binding.Namespace)
}

// projectNamed returns the name of the project that an object in this namespace refers to.
func projectNamed(ref *v1alpha1.ProjectRef, namespace string) types.NamespacedName {
	if ref.Namespace != "" {
		namespace = ref.Namespace
	}
	return types.NamespacedName{Namespace: namespace, Name: ref.Name}
}

// entryRef returns the entity that an entry names. CEL in the CRD sees to it that there is exactly one.
func entryRef(entry *v1alpha1.Entry) eval.Ref {
	switch {
	case entry.Gate != "":
		return eval.Ref{Kind: eval.KindGate, Name: entry.Gate}
	case entry.DynamicConfig != "":
		return eval.Ref{Kind: eval.KindDynamicConfig, Name: entry.DynamicConfig}
	case entry.Experiment != "":
		return eval.Ref{Kind: eval.KindExperiment, Name: entry.Experiment}
	case entry.Layer != "":
		return eval.Ref{Kind: eval.KindLayer, Name: entry.Layer}
	default:
		return eval.Ref{Kind: eval.KindParameterStore, Name: entry.ParameterStore}
	}
}

func metadataOf(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	return object
}

func metadataListOf(kind schema.GroupVersionKind) *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	return list
}
