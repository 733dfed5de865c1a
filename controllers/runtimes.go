package controllers

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
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
	// Elected is closed once this replica leads; nil means that there is no other. A replica that doesn't lead syncs,
	// evaluates and reports exposures as the leader does, but writes nothing through the API server.
	Elected <-chan struct{}
	// Bindings reads FlagBindings, RolloutGates and StatsigProjects from the cache.
	Bindings client.Reader
	// Live reads ConfigMaps with specs by name, past the cache.
	Live client.Reader
	// Version is reported to Statsig as the version of the SDK.
	Version string
	// SpecsDir is where sources of type File are looked for; such sources are refused when it is empty.
	SpecsDir string
	// Spool says where events wait on disk, in a directory for each project below Spool.Dir; nowhere when that is empty.
	Spool events.SpoolOptions
	// Replica tells this process from others that share Spool.Dir.
	Replica string
	// Writer writes the Secrets that keep snapshots.
	Writer client.Client
	// SnapshotNamespace is where those Secrets are; none are written when it is empty.
	SnapshotNamespace string
	// SnapshotDir is where projects with the store Volume are kept; such projects are refused when it is empty.
	SnapshotDir string
	// Now is the clock of events.
	Now func() time.Time

	pool *specsync.Pool
	// eventsTransport carries events; nil is the default one.
	eventsTransport http.RoundTripper
	bindingRequests requestQueue
	gateRequests    requestQueue
	projectRequests requestQueue
	loggers         sync.WaitGroup

	mu sync.Mutex
	// byProject has an entry, nil where nothing runs, for each project that has been looked at in this process.
	byProject map[types.NamespacedName]*projectRuntime
	// candidates are to replace what runs as soon as they have specs.
	candidates map[types.NamespacedName]*projectRuntime
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
		pool: specsync.NewPool(), run: run, endRun: endRun,
		byProject: map[types.NamespacedName]*projectRuntime{}, candidates: map[types.NamespacedName]*projectRuntime{},
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
	r.dropCandidate(project)
	r.mu.Lock()
	old := r.byProject[project]
	delete(r.byProject, project)
	r.mu.Unlock()
	if old != nil {
		old.stop(nil)
	}
}

// leads reports whether this replica may write through the API server. It stays so until the process ends, seconds
// after the lease is given back or lost: until then it may store, beside its successor, when its specs were confirmed
// last.
func (r *Runtimes) leads() bool {
	if r.Elected == nil {
		return true
	}
	select {
	case <-r.Elected:
		return true
	default:
		return false
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
		r.queueAllGates(project)
	}
}

// changes is the source of bindings to look at because their specs changed.
func (r *Runtimes) changes() source.Source { return r.bindingRequests.source() }

// projectChanges is the source of projects to look at because their syncer or logger has news.
func (r *Runtimes) projectChanges() source.Source { return r.projectRequests.source() }

// onChange queues the project, and those of its bindings and gates whose answers may differ now.
func (r *Runtimes) onChange(project types.NamespacedName, was, is specsync.State) {
	r.projectRequests.add(reconcile.Request{NamespacedName: project})
	if is.Snapshot != was.Snapshot {
		r.sample(project)
	}
	if is.Attempted != was.Attempted || (was.Snapshot == nil) != (is.Snapshot == nil) {
		r.queueAllBindings(project)
		r.queueAllGates(project)
		return
	}
	if is.Snapshot == nil {
		return
	}
	r.queueGatesOfOutage(project, was, is)
	if is.Snapshot != was.Snapshot {
		for _, ref := range eval.Diff(was.Snapshot, is.Snapshot).Refs() {
			r.queueBindings(client.MatchingFields{indexEntity: entityIndexValue(project, ref)})
			r.queueGates(client.MatchingFields{indexEntity: entityIndexValue(project, ref)})
		}
	}
	if lists := is.IDLists.Changed(was.IDLists); len(lists) > 0 {
		r.queueUsersOfLists(project, is.Snapshot, lists)
		r.queueGatesUsingLists(project, is.Snapshot, lists)
	}
}

// sample has a project's logger take of its exposures what the specs, as they are now, ask for.
func (r *Runtimes) sample(project types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	running := r.byProject[project]
	if running == nil || running.logger == nil {
		return
	}
	if snapshot := running.state().Snapshot; snapshot != nil {
		running.logger.SetSampling(events.ParseSampling(snapshot.SDKConfigs()))
	}
}

// queueAllProjects has every project looked at, so that a replica that has just come to lead writes what is not as it
// should be.
func (r *Runtimes) queueAllProjects(ctx context.Context) error {
	list := &v1alpha1.StatsigProjectList{}
	if err := r.Bindings.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing StatsigProjects: %w", err)
	}
	for i := range list.Items {
		r.projectRequests.add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return nil
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
