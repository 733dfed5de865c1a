package controllers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// snapshotStore keeps the last good specs of a project for as long as there is the project.
type snapshotStore interface {
	specsync.Store
	// Delete removes what is kept.
	Delete(ctx context.Context) error
}

// newSnapshotStore returns where a project's last good specs are kept; nil means in memory only.
func (r *Runtimes) newSnapshotStore(project *v1alpha1.StatsigProject) (snapshotStore, error) {
	wanted := v1alpha1.SnapshotStore("")
	if project.Spec.Snapshot != nil {
		wanted = project.Spec.Snapshot.Store
	}
	switch {
	case wanted == v1alpha1.SnapshotNone, wanted == "" && r.SnapshotNamespace == "":
		return nil, nil
	case wanted == v1alpha1.SnapshotVolume && r.SnapshotDir == "":
		return nil, errors.New("spec.snapshot.store is Volume, but the manager was started without --snapshot-dir")
	case wanted == v1alpha1.SnapshotVolume:
		store, err := specsync.NewVolumeStore(r.SnapshotDir, string(project.UID))
		if err != nil {
			return nil, fmt.Errorf("setting up the snapshot store: %w", err)
		}
		return store, nil
	case r.SnapshotNamespace == "":
		return nil, errors.New("spec.snapshot.store is Secret, but the manager was started without --snapshot-namespace")
	default:
		store := NewSecretStore(r.Writer, r.Live, r.SnapshotNamespace, project)
		store.leads = r.leads
		return store, nil
	}
}

// forget ends what runs for a project that is gone, and what it kept for the next start.
func (r *Runtimes) forget(ctx context.Context, project types.NamespacedName) error {
	running, _ := r.lookup(project)
	switch {
	case running == nil:
		// It went before anything ran for it, or while it was suspended.
		if err := r.sweepSnapshots(ctx); err != nil {
			return err
		}
	case running.store != nil:
		if err := running.store.Delete(ctx); err != nil {
			return fmt.Errorf("deleting the stored specs: %w", err)
		}
	}
	r.Remove(project)
	return nil
}
