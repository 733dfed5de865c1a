package controllers

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// eventsNews is how long after a delivery, or a failed one, the project's status is looked at: one look for many batches.
const eventsNews = 2 * time.Second

// Runtimes holds what runs for each StatsigProject: its share in a syncer, its event logger, its evaluation settings. The
// StatsigProject reconciler fills it, the FlagBinding reconciler reads it. It outlives the manager, so that the events of the last
// reconciles are delivered too. It is safe for concurrent use.
type Runtimes struct {
	// Scrubber knows every SDK key in use. The manager's log goes through it as well.
	Scrubber *secret.Scrubber
	// Bindings reads FlagBindings from the cache.
	Bindings client.Reader
	// Live reads ConfigMaps with specs by name, past the cache.
	Live client.Reader
	// Version is reported to Statsig as the version of the SDK.
	Version string
	// SpecsDir is where sources of type File are looked for; such sources are refused when it is empty.
	SpecsDir string
	// Now is the clock of events.
	Now func() time.Time

	pool *specsync.Pool
	// eventsTransport carries events; nil is the default one.
	eventsTransport http.RoundTripper
	bindingRequests requestQueue
	projectRequests requestQueue
	loggers         sync.WaitGroup

	mu sync.Mutex
	// byProject has an entry, nil where nothing runs, for each project that has been looked at in this process.
	byProject map[types.NamespacedName]*projectRuntime
	// run is done when the manager stops.
	run     context.Context //nolint:containedctx // the loggers' lives end with the manager's, not with one reconcile
	endRun  context.CancelFunc
	stopped bool
}

// NewRuntimes returns an empty registry.
func NewRuntimes(scrubber *secret.Scrubber, version, specsDir string) *Runtimes {
	run, endRun := context.WithCancel(context.Background()) //nolint:forbidigo // ends in Start
	return &Runtimes{
		Scrubber: scrubber, Version: version, SpecsDir: specsDir,
		pool: specsync.NewPool(), byProject: map[types.NamespacedName]*projectRuntime{}, run: run, endRun: endRun,
	}
}

// Start runs the syncers until ctx is done, and returns when the loggers have delivered what was left.
func (r *Runtimes) Start(ctx context.Context) error {
	err := r.pool.Run(ctx)
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.endRun()
	r.loggers.Wait()
	if err != nil {
		return fmt.Errorf("running the syncers: %w", err)
	}
	return nil
}

// lookup returns what runs for a project, nil when nothing does. settled is false as long as the project has not been looked at
// in this process.
func (r *Runtimes) lookup(project types.NamespacedName) (running *projectRuntime, settled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	running, settled = r.byProject[project]
	return running, settled
}

// Remove stops what runs for a project that is gone or suspended. It is not settled any more: when it comes back, its bindings wait
// for what it says then.
func (r *Runtimes) Remove(project types.NamespacedName) {
	r.mu.Lock()
	old := r.byProject[project]
	delete(r.byProject, project)
	r.mu.Unlock()
	if old != nil {
		old.stop(nil)
	}
}

// settle notes that a project has been looked at and that nothing can run for it; what does run goes on.
func (r *Runtimes) settle(project types.NamespacedName) {
	r.mu.Lock()
	_, known := r.byProject[project]
	if !known {
		r.byProject[project] = nil
	}
	r.mu.Unlock()
	if !known {
		r.queueAllBindings(project)
	}
}

// ensure brings what runs for a project in line with its spec and key. What is unchanged goes on without a break.
func (r *Runtimes) ensure(ctx context.Context, project *v1alpha1.StatsigProject, key secret.Key) error {
	name := client.ObjectKeyFromObject(project)
	old, _ := r.lookup(name)
	wanted := identityOf(project, key)
	if old != nil && old.identity == wanted {
		return nil
	}
	options, err := r.syncOptions(project, key)
	if err != nil {
		return err
	}
	options.Observer = requestMetrics{}
	evaluation, err := evalOptions(project)
	if err != nil {
		return err
	}
	lease, err := r.pool.Acquire(options)
	if err != nil {
		return fmt.Errorf("setting up the sources: %w", r.Scrubber.Error(err))
	}
	next := &projectRuntime{
		identity: wanted, lease: lease, options: evaluation, forget: r.Scrubber.Add(key),
		loggerIdentity: loggerIdentityOf(project, key),
	}
	//nolint:contextcheck // the logger outlives this reconcile: its life ends with the manager's
	if err := r.adoptLogger(next, old, project, key); err != nil {
		next.forget()
		lease.Release()
		return err
	}
	next.unsubscribe = lease.Syncer().Subscribe(func(was, is specsync.State) { r.onChange(name, was, is) })
	r.replace(name, next)
	if old != nil {
		old.stop(next)
	}
	ctrl.LoggerFrom(ctx).Info("Set up the project", "sources", len(options.Sources), "key", key.Fingerprint())
	r.queueAllBindings(name)
	return nil
}

// adoptLogger gives next the logger of old where it is the same, and else a new one.
func (r *Runtimes) adoptLogger(next, old *projectRuntime, project *v1alpha1.StatsigProject, key secret.Key) error {
	if old != nil && old.loggerIdentity == next.loggerIdentity {
		next.logger, next.endLogger = old.logger, old.endLogger
		return nil
	}
	options, wanted := loggerOptions(project, key)
	if !wanted {
		return nil
	}
	name := client.ObjectKeyFromObject(project)
	options.SDKVersion, options.Now, options.Transport = r.Version, r.Now, r.eventsTransport
	options.Observer = deliveryMetrics{news: func() {
		r.projectRequests.addAfter(eventsNews, reconcile.Request{NamespacedName: name})
	}}
	logger, err := events.New(options)
	if err != nil {
		return fmt.Errorf("setting up events: %w", r.Scrubber.Error(err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	ctx, end := context.WithCancel(r.run)
	next.logger, next.endLogger = logger, end
	r.loggers.Go(func() { _ = logger.Run(ctx) }) // a logger is run once, and has no other error
	return nil
}

func (r *Runtimes) replace(project types.NamespacedName, next *projectRuntime) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byProject[project] = next
}

// changes is the source of bindings to look at because their specs changed.
func (r *Runtimes) changes() source.Source { return r.bindingRequests.source() }

// projectChanges is the source of projects to look at because their syncer or logger has news.
func (r *Runtimes) projectChanges() source.Source { return r.projectRequests.source() }

// onChange queues the project, and those of its bindings whose answers may differ now.
func (r *Runtimes) onChange(project types.NamespacedName, was, is specsync.State) {
	r.projectRequests.add(reconcile.Request{NamespacedName: project})
	if is.Attempted != was.Attempted || (was.Snapshot == nil) != (is.Snapshot == nil) {
		r.queueAllBindings(project)
		return
	}
	if is.Snapshot == nil {
		return
	}
	if is.Snapshot != was.Snapshot {
		for _, ref := range eval.Diff(was.Snapshot, is.Snapshot).Refs() {
			r.queueBindings(client.MatchingFields{indexEntity: entityIndexValue(project, ref)})
		}
	}
	if lists := is.IDLists.Changed(was.IDLists); len(lists) > 0 {
		r.queueUsersOfLists(project, is.Snapshot, lists)
	}
}

func (r *Runtimes) queueAllBindings(project types.NamespacedName) {
	r.queueBindings(client.MatchingFields{indexProject: project.String()})
}

func (r *Runtimes) queueBindings(which client.ListOption) {
	for _, binding := range r.listBindings(which) {
		r.bindingRequests.add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&binding)})
	}
}

// queueUsersOfLists queues the bindings that ask for an entity whose closure has one of the ID lists.
func (r *Runtimes) queueUsersOfLists(project types.NamespacedName, snapshot *eval.Snapshot, lists []string) {
	changed := map[string]bool{}
	for _, list := range lists {
		changed[list] = true
	}
	for _, binding := range r.listBindings(client.MatchingFields{indexProject: project.String()}) {
		for i := range binding.Spec.Entries {
			if usesAny(snapshot.Closure(entryRef(&binding.Spec.Entries[i])).IDLists, changed) {
				r.bindingRequests.add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&binding)})
				break
			}
		}
	}
}

func usesAny(names []string, set map[string]bool) bool {
	for _, name := range names {
		if set[name] {
			return true
		}
	}
	return false
}

// listBindings reads from the cache's memory, so it neither blocks nor fails once the manager runs; before that there is nobody to
// tell.
func (r *Runtimes) listBindings(which client.ListOption) []v1alpha1.FlagBinding {
	list := &v1alpha1.FlagBindingList{}
	if err := r.Bindings.List(r.run, list, which, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	return list.Items
}
