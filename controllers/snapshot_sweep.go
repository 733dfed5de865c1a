package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// sweepSnapshots deletes the Secrets of projects that are gone and that nothing runs for, if this process leads.
func (r *Runtimes) sweepSnapshots(ctx context.Context) error {
	if r.SnapshotNamespace == "" || !r.leads() {
		return nil
	}
	list := metadataListOf(secretKind)
	err := r.Live.List(ctx, list, client.InNamespace(r.SnapshotNamespace),
		client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}, client.HasLabels{snapshotLabel})
	if err != nil {
		return fmt.Errorf("listing stored specs: %w", err)
	}
	var errs []error
	for i := range list.Items {
		errs = append(errs, r.sweepSnapshot(ctx, &list.Items[i]))
	}
	return errors.Join(errs...)
}

func (r *Runtimes) sweepSnapshot(ctx context.Context, stored *metav1.PartialObjectMetadata) error {
	namespace, name, named := strings.Cut(stored.Annotations[snapshotProject], "/")
	if !named {
		return nil
	}
	project := &v1alpha1.StatsigProject{}
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, project)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading StatsigProject %s/%s: %w", namespace, name, err)
	}
	if err == nil && hashUID(project.UID) == stored.Labels[snapshotLabel] {
		return nil
	}
	if err := r.Writer.Delete(ctx, stored, client.Preconditions{UID: &stored.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting Secret %s/%s: %w", stored.Namespace, stored.Name, err)
	}
	return nil
}
