package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// eventSource is the reporting controller of the operator's Kubernetes Events.
const eventSource = "statsig-operator"

// fieldOwner is the field manager of statuses and finalizers. Targets have managers of their own.
const fieldOwner = "statsig-operator"

// Options configure the controllers. Only Now is required.
type Options struct {
	// Version is reported to Statsig.
	Version string
	// ClusterName is the value of cluster.name in user expressions.
	ClusterName string
	// SpecsDir is where sources of type File are read from; empty refuses such sources.
	SpecsDir string
	// SnapshotNamespace is where Secrets keep the last good specs; none are written when it is empty.
	SnapshotNamespace string
	// SnapshotDir keeps the last good specs of projects that ask for a volume; such projects are refused when it is empty.
	SnapshotDir string
	// Spool says where events wait on disk: in a directory for each project below Spool.Dir. Empty: in memory only.
	Spool events.SpoolOptions
	// Replica tells this process from others that share Spool.Dir. Default: manager.
	Replica string
	// Namespaces are those that [CacheOptions] was given; none means all.
	Namespaces []string
	// Concurrency is the number of FlagBindings, and of RolloutGates, reconciled at once. Default: 4.
	Concurrency int
	// Scrubber learns the SDK keys in use. Default: one of the controllers' own.
	Scrubber *secret.Scrubber
	// Now is the clock; required.
	Now func() time.Time
}

// CacheOptions is how the manager's cache must be set up: a read that no watch serves is an error instead of a new cluster-wide
// watch, of ConfigMaps only the operator's own are held, and nothing holds managed fields. No namespaces means all.
func CacheOptions(namespaces []string) cache.Options {
	options := cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}: {Label: labels.SelectorFromSet(labels.Set{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue})},
		},
	}
	if len(namespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}

// Operator is a manager with the controllers.
type Operator struct {
	mgr      ctrl.Manager
	runtimes *Runtimes
}

// Setup adds the controllers to a manager whose cache was set up with [CacheOptions].
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) (*Operator, error) {
	if o.Scrubber == nil {
		o.Scrubber = &secret.Scrubber{}
	}
	if o.Now == nil {
		return nil, errors.New("setting up the controllers: a clock is required")
	}
	if o.Replica == "" {
		o.Replica = "manager"
	}
	if o.Concurrency == 0 {
		o.Concurrency = 4
	}
	if err := SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	runtimes := NewRuntimes(o.Scrubber, o.Version, o.SpecsDir)
	c := client.WithFieldOwner(mgr.GetClient(), fieldOwner)
	runtimes.Bindings, runtimes.Live, runtimes.Writer, runtimes.Now = mgr.GetClient(), mgr.GetAPIReader(), c, o.Now
	runtimes.SnapshotNamespace, runtimes.SnapshotDir, runtimes.Spool = o.SnapshotNamespace, o.SnapshotDir, o.Spool
	runtimes.Replica, runtimes.Elected = o.Replica, mgr.Elected()
	recorder := mgr.GetEventRecorder(eventSource)
	projects := &StatsigProjectReconciler{
		Client: c, Live: mgr.GetAPIReader(), Runtimes: runtimes, Recorder: recorder, Now: o.Now,
	}
	if err := projects.SetupWithManager(mgr); err != nil {
		return nil, err
	}
	bindings := &FlagBindingReconciler{
		Client: c, Live: mgr.GetAPIReader(), Cache: mgr.GetCache(), Runtimes: runtimes, Recorder: recorder,
		ClusterName: o.ClusterName, Concurrency: o.Concurrency, Now: o.Now,
	}
	if err := bindings.SetupWithManager(mgr); err != nil {
		return nil, err
	}
	gates := &RolloutGateReconciler{
		Client: c, Runtimes: runtimes, Recorder: recorder, ClusterName: o.ClusterName, Namespaces: o.Namespaces,
		Concurrency: o.Concurrency, Now: o.Now,
	}
	if err := gates.SetupWithManager(mgr); err != nil {
		return nil, err
	}
	if err := mgr.Add(manager.RunnableFunc(runtimes.lead)); err != nil {
		return nil, fmt.Errorf("setting up what the leader does first: %w", err)
	}
	return &Operator{mgr, runtimes}, nil
}

// lead does what there is to do once this replica leads. It waits for nothing else and keeps nothing waiting.
func (r *Runtimes) lead(ctx context.Context) error {
	// Runnables that need a leader are started a moment before the manager counts as elected.
	select {
	case <-ctx.Done():
		return nil
	case <-r.Elected:
	}
	// Projects may have changed, and gone, while nobody led.
	if err := errors.Join(r.queueAllProjects(ctx), r.sweepSnapshots(ctx)); err != nil && ctx.Err() == nil {
		ctrl.LoggerFrom(ctx).Error(err, "Beginning to lead")
	}
	return nil
}

// Run runs the manager until ctx is done, in place of the manager's own Start: the syncers and event loggers start before it, and end
// after it, within another ten seconds, when the events of the last reconciles are delivered. As runnables of the manager they would be
// stopped before the reconcilers.
func (o *Operator) Run(ctx context.Context) error {
	outliving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- o.runtimes.Start(outliving) }()
	err := o.mgr.Start(ctx)
	end()
	return errors.Join(err, <-ended)
}

// Webhooks answers POST /v1/webhooks/<namespace>/<name>: a call that proves to be Statsig's makes the project of that name ask its
// sources at once.
func (o *Operator) Webhooks() http.Handler { return o.runtimes.webhooks() }
