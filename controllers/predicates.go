package controllers

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/render"
)

// specOrDeletionChanged lets updates through that change what the user wants; our own status writes are not among them.
func specOrDeletionChanged() predicate.Predicate {
	return updatesWhere(func(before, after client.Object) bool {
		return before.GetGeneration() != after.GetGeneration() ||
			before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero()
	})
}

// projectChanged is specOrDeletionChanged, and lets approvals of held specs through.
func projectChanged() predicate.Predicate {
	return predicate.Or(specOrDeletionChanged(), updatesWhere(func(before, after client.Object) bool {
		return before.GetAnnotations()[v1alpha1.ApproveAnnotation] != after.GetAnnotations()[v1alpha1.ApproveAnnotation]
	}))
}

// metadataChanged lets updates through that change what user expressions and selectors can see. The endless stream of status updates
// of pods and workloads is not among them.
func metadataChanged() predicate.Predicate {
	return updatesWhere(func(before, after client.Object) bool { return !sameMetadata(before, after) })
}

// onlyStatusChanged lets those updates through that metadataChanged does not, and nothing else.
func onlyStatusChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld != nil && e.ObjectNew != nil && sameMetadata(e.ObjectOld, e.ObjectNew) &&
				e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion()
		},
	}
}

// driftOnly lets a ConfigMap's events through that may leave it other than a binding wrote it: deletion, content that does not have the
// hash it was written with, changed labels and owners. What a reconcile has just written is not among them.
func driftOnly() predicate.Predicate {
	drifted := func(o client.Object) bool {
		configMap, ok := o.(*corev1.ConfigMap)
		return !ok || len(configMap.BinaryData) > 0 ||
			configMap.Annotations[v1alpha1.HashAnnotation] != render.Hash(configMap.Data)
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return drifted(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return drifted(e.ObjectNew) || !reflect.DeepEqual(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) ||
				!reflect.DeepEqual(e.ObjectOld.GetOwnerReferences(), e.ObjectNew.GetOwnerReferences())
		},
	}
}

func updatesWhere(matters func(before, after client.Object) bool) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld == nil || e.ObjectNew == nil || matters(e.ObjectOld, e.ObjectNew)
	}}
}

func sameMetadata(a, b client.Object) bool {
	return reflect.DeepEqual(a.GetLabels(), b.GetLabels()) &&
		reflect.DeepEqual(a.GetAnnotations(), b.GetAnnotations()) &&
		reflect.DeepEqual(a.GetOwnerReferences(), b.GetOwnerReferences()) &&
		a.GetDeletionTimestamp().IsZero() == b.GetDeletionTimestamp().IsZero()
}
