package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// addFinalizer keeps an object until what owner references don't reach is cleaned up. It writes only what is not there yet.
func addFinalizer(ctx context.Context, c client.Client, o client.Object) error {
	if controllerutil.ContainsFinalizer(o, v1alpha1.Finalizer) {
		return nil
	}
	before := o.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type of what it copies
	controllerutil.AddFinalizer(o, v1alpha1.Finalizer)
	if err := c.Patch(ctx, o, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("adding the finalizer: %w", err)
	}
	return nil
}

// removeFinalizer lets an object go.
func removeFinalizer(ctx context.Context, c client.Client, o client.Object) error {
	if !controllerutil.ContainsFinalizer(o, v1alpha1.Finalizer) {
		return nil
	}
	before := o.DeepCopyObject().(client.Object) //nolint:forcetypeassert // as above
	controllerutil.RemoveFinalizer(o, v1alpha1.Finalizer)
	err := c.Patch(ctx, o, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the finalizer: %w", err)
	}
	return nil
}

// namespaceEnds reports whether a namespace is being deleted, or is gone. What is in it goes too, so nothing need be cleaned up there.
func namespaceEnds(ctx context.Context, reader client.Reader, name string) (bool, error) {
	namespace := metadataOf(namespaceKind)
	switch err := reader.Get(ctx, types.NamespacedName{Name: name}, namespace); {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("reading namespace %s: %w", name, err)
	default:
		return !namespace.DeletionTimestamp.IsZero(), nil
	}
}
