package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

// ensure brings what runs for a project in line with its spec and with what that names. What is unchanged goes on without a break,
// and what has specs is replaced only by what has specs too: a new key is tried while the old one serves.
func (r *Runtimes) ensure(ctx context.Context, project *v1alpha1.StatsigProject, refs *projectReferences) error {
	name := client.ObjectKeyFromObject(project)
	serving, _ := r.lookup(name)
	wanted := identityOf(project, refs)
	if serving != nil && serving.identity == wanted {
		r.dropCandidate(name)
		serving.follow(project)
		return r.renew(serving, refs)
	}
	next := r.candidate(name)
	if next == nil || next.identity != wanted {
		r.dropCandidate(name)
		var err error
		if next, err = r.newRuntime(project, refs, serving); err != nil {
			return err
		}
		ctrl.LoggerFrom(ctx).Info("Set up the project", "sources", len(sourcesOf(project)), "key", refs.key.Fingerprint())
	} else if err := r.renew(next, refs); err != nil {
		return err
	}
	if serving != nil && !next.mayReplace(serving) {
		r.try(name, next)
		return nil
	}
	r.promote(name, serving, next) //nolint:contextcheck // the logger outlives this reconcile: its life ends with the manager's
	return nil
}

// mayReplace reports whether nothing is lost if p takes the place of serving.
func (p *projectRuntime) mayReplace(serving *projectRuntime) bool {
	if serving.lease.Syncer() == p.lease.Syncer() || serving.state().Snapshot == nil {
		return true
	}
	state := p.state()
	return state.Trial() == specsync.TrialPassed
}

// renew brings certificates and credentials up to date, without a break.
func (r *Runtimes) renew(p *projectRuntime, refs *projectReferences) error {
	for _, renew := range p.renewals {
		if err := renew(refs); err != nil {
			return r.Scrubber.Error(err)
		}
	}
	return nil
}

// newRuntime makes what is to run for a project in place of serving, with a transport and a logger of its own where those that run
// won't do.
func (r *Runtimes) newRuntime(
	project *v1alpha1.StatsigProject, refs *projectReferences, serving *projectRuntime,
) (next *projectRuntime, err error) {
	next = &projectRuntime{
		identity: identityOf(project, refs), loggerIdentity: loggerIdentityOf(project, refs), settings: settingsOf(project),
	}
	if err := r.setTransport(next, project, refs, serving); err != nil {
		return nil, err
	}
	options, err := r.syncOptions(next, project, refs)
	if err != nil {
		return nil, err
	}
	options.Observer = requestMetrics{}
	next.hasIDLists = options.IDLists.Enabled
	if next.guard = r.newChangeGuard(project); next.guard != nil {
		options.Guard, options.GuardIdentity = next.guard.hold, string(project.UID)
	}
	if next.store, err = r.newSnapshotStore(project); err != nil {
		return nil, err
	}
	if next.store != nil {
		options.Store, options.StoreScope = next.store, identity(refs.key, project.Spec.Specs)
	}
	if next.options, err = evalOptions(project); err != nil {
		return nil, err
	}
	if serving == nil || serving.loggerIdentity != next.loggerIdentity {
		if next.logger, err = r.newLogger(project, refs, next.transport); err != nil {
			return nil, fmt.Errorf("setting up events: %w", r.Scrubber.Error(err))
		}
	}
	if next.lease, err = r.pool.Acquire(options); err != nil {
		return nil, fmt.Errorf("setting up the sources: %w", r.Scrubber.Error(err))
	}
	next.forget = r.Scrubber.Add(refs.key)
	if !refs.webhook.IsZero() {
		next.webhook, err = specsync.NewWebhook(specsync.WebhookOptions{
			Secrets: []secret.Key{refs.webhook}, Wake: next.lease.Syncer().Wake, Now: r.Now,
		})
		if err != nil {
			next.stop(nil)
			return nil, fmt.Errorf("setting up the webhook: %w", err)
		}
	}
	next.follow(project)
	return next, nil
}

// setTransport gives next the transport of its project: none without spec.transport, and the one that serves where that is unchanged.
// Another one is made for a changed spec, so that what serves is not led through a proxy that has yet to prove itself.
func (r *Runtimes) setTransport(
	next *projectRuntime, project *v1alpha1.StatsigProject, refs *projectReferences, serving *projectRuntime,
) (err error) {
	switch {
	case project.Spec.Transport == nil:
		return nil
	case serving != nil && serving.transport != nil && equality.Semantic.DeepEqual(serving.transportSpec, project.Spec.Transport):
		next.transport = serving.transport
	default:
		if next.transport, err = transport.New(refs.transport); err != nil {
			return fmt.Errorf("spec.transport: %w", r.Scrubber.Error(err))
		}
	}
	next.transportSpec = project.Spec.Transport.DeepCopy()
	next.renewals = append(next.renewals, func(refs *projectReferences) error {
		changed, err := next.transport.Update(refs.transport)
		if err != nil {
			return fmt.Errorf("spec.transport: %w", err)
		}
		if changed && next.lease != nil {
			next.lease.Syncer().Wake()
		}
		return nil
	})
	return r.renew(next, refs)
}

// newLogger makes the logger of a project's events; nil where none are sent. It does nothing before it is run.
func (r *Runtimes) newLogger(
	project *v1alpha1.StatsigProject, refs *projectReferences, own *transport.Transport,
) (*events.Logger, error) {
	options, wanted := r.loggerOptions(project, refs.key)
	if !wanted {
		return nil, nil
	}
	name := client.ObjectKeyFromObject(project)
	options.SDKVersion, options.Now, options.Transport = r.Version, r.Now, r.eventsTransport
	if own != nil {
		options.Transport = own
	}
	options.Observer = deliveryMetrics{news: func() {
		r.projectRequests.addAfter(eventsNews, reconcile.Request{NamespacedName: name})
	}}
	return events.New(options)
}

// try keeps a candidate until it has specs. Its news queue the project, whose reconciler then calls ensure again.
func (r *Runtimes) try(name types.NamespacedName, next *projectRuntime) {
	if r.candidate(name) == next {
		return
	}
	r.mu.Lock()
	r.candidates[name] = next
	r.mu.Unlock()
	news := func(_, _ specsync.State) { r.projectRequests.add(reconcile.Request{NamespacedName: name}) }
	next.unsubscribe = next.lease.Syncer().Subscribe(news)
	// It may have got its specs since it was looked at.
	r.projectRequests.add(reconcile.Request{NamespacedName: name})
}

// candidate returns what is to replace what runs for a project, nil when nothing is.
func (r *Runtimes) candidate(name types.NamespacedName) *projectRuntime {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.candidates[name]
}

func (r *Runtimes) dropCandidate(name types.NamespacedName) {
	r.mu.Lock()
	dropped := r.candidates[name]
	delete(r.candidates, name)
	r.mu.Unlock()
	if dropped != nil {
		dropped.stop(nil)
	}
}

// promote lets next run for a project, in place of old.
func (r *Runtimes) promote(name types.NamespacedName, old, next *projectRuntime) {
	if next.unsubscribe != nil {
		next.unsubscribe()
	}
	next.unsubscribe = next.lease.Syncer().Subscribe(func(was, is specsync.State) { r.onChange(name, was, is) })
	r.mu.Lock()
	if old != nil && old.loggerIdentity == next.loggerIdentity {
		next.logger, next.endLogger = old.logger, old.endLogger
	} else {
		r.runLogger(next)
	}
	delete(r.candidates, name)
	r.byProject[name] = next
	r.mu.Unlock()
	if old != nil {
		old.stop(next)
	}
	r.sample(name)
	r.queueAllBindings(name)
	r.queueAllGates(name)
}

// runLogger runs a logger until its project has another one or the manager stops. It needs the lock.
func (r *Runtimes) runLogger(p *projectRuntime) {
	if p.logger == nil || r.stopped {
		p.logger = nil
		return
	}
	ctx, end := context.WithCancel(r.run)
	logger := p.logger
	p.endLogger = end
	r.loggers.Go(func() { _ = logger.Run(ctx) }) // a logger is run once, and has no other error
}
