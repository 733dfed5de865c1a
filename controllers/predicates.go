package controllers

import (
	"reflect"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// specOrDeletionChanged lets updates through that change what the user wants; our own status writes are not among them.
func specOrDeletionChanged() predicate.Predicate {
	return updatesWhere(func(before, after client.Object) bool {
		return before.GetGeneration() != after.GetGeneration() ||
			before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero()
	})
}

// metadataChanged lets updates through that change what user expressions and selectors can see. The endless stream of status updates
// of pods and workloads is not among them.
func metadataChanged() predicate.Predicate {
	return updatesWhere(func(before, after client.Object) bool { return !sameMetadata(before, after) })
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
