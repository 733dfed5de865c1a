package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

// projectRuntime is what runs for one project. Its settings are immutable; a change of the project makes another.
type projectRuntime struct {
	// identity is equal for equal settings and key.
	identity string
	lease    *specsync.Lease
	options  eval.Options
	// settings is equal for projects with equal options.
	settings string
	// lastServed is what was served last over HTTP; see served.
	lastServed atomic.Pointer[servedRules]
	// hasIDLists says that ID lists are synced.
	hasIDLists bool
	// transport is the project's own; nil where the default one serves.
	transport *transport.Transport
	// transportSpec is what transport was made for.
	transportSpec *v1alpha1.TransportSpec
	// store keeps the last good specs for the next start; nil where they are in memory only.
	store snapshotStore
	// guard holds specs back; nil where every change is taken.
	guard *changeGuard
	// renewals bring what was read from Secrets and ConfigMaps up to date in what uses it.
	renewals []func(*projectReferences) error
	// webhook wakes the syncer; nil where there is none.
	webhook http.Handler
	// logger is nil where no events are sent.
	logger         *events.Logger
	loggerIdentity string
	endLogger      context.CancelFunc
	unsubscribe    func()
	// forget takes the key out of the scrubber.
	forget func()
}

func (p *projectRuntime) state() specsync.State { return p.lease.Syncer().State() }

// evaluator returns the project's rules as they are now. Without specs it is nil, and awaited tells whether the first answer is
// still outstanding.
func (p *projectRuntime) evaluator() (evaluator *eval.Evaluator, snapshot *eval.Snapshot, awaited bool) {
	state := p.state()
	return p.evaluatorOf(&state)
}

func (p *projectRuntime) evaluatorOf(state *specsync.State) (evaluator *eval.Evaluator, snapshot *eval.Snapshot, awaited bool) {
	if state.Snapshot == nil || (p.hasIDLists && state.IDLists == nil) {
		// Without the ID lists, answers could change for a moment only.
		if !state.Attempted {
			return nil, nil, true
		}
	}
	if state.Snapshot == nil {
		return nil, nil, false
	}
	options := p.options
	options.IDLists = state.IDLists
	return eval.NewEvaluator(state.Snapshot, options), state.Snapshot, false
}

// stop ends what runs, but for what the successor took over. The logger delivers what it holds in the background.
func (p *projectRuntime) stop(successor *projectRuntime) {
	if p.unsubscribe != nil {
		p.unsubscribe()
	}
	p.lease.Release()
	if p.transport != nil && (successor == nil || successor.transport != p.transport) {
		p.transport.CloseIdleConnections()
	}
	if p.endLogger != nil && (successor == nil || successor.logger != p.logger) {
		p.endLogger()
	}
	p.forget()
}

// identityOf is equal for projects that would have the same running. What is renewed in place is left out: certificates, the
// credentials of proxies and data stores. A stream can't be renewed, so the certificates for one count.
func identityOf(project *v1alpha1.StatsigProject, refs *projectReferences) string {
	spec := project.Spec
	streamed := ""
	for _, source := range sourcesOf(project) {
		if strings.HasPrefix(source.Address, schemeGRPCS+"://") {
			streamed = refs.certificates()
		}
	}
	return identity(refs.key, spec.Environment, spec.Specs, spec.IDLists, spec.Snapshot, spec.ChangeGuard != nil, spec.Transport,
		spec.Evaluation, spec.Overrides, spec.Events, refs.webhook.Fingerprint(), streamed)
}

// loggerIdentityOf is equal for projects that would send the same events to the same place.
func loggerIdentityOf(project *v1alpha1.StatsigProject, refs *projectReferences) string {
	return identity(refs.key, eventsURL(project), project.Spec.Events, project.Spec.Transport)
}

// settingsOf is equal for projects that evaluate alike.
func settingsOf(project *v1alpha1.StatsigProject) string {
	spec := project.Spec
	return identity(secret.Key{}, spec.Environment, spec.Evaluation, spec.Overrides, globalCustomFields(project))
}

func identity(key secret.Key, parts ...any) string {
	// Types of the API always marshal.
	text, _ := json.Marshal(parts)
	return key.Fingerprint() + string(text)
}

// syncOptions says where a project's specs and ID lists come from.
func (r *Runtimes) syncOptions(
	next *projectRuntime, project *v1alpha1.StatsigProject, refs *projectReferences,
) (specsync.Options, error) {
	options := specsync.Options{Phase: spread(project.UID, specsync.DefaultInterval)}
	if specs := project.Spec.Specs; specs != nil {
		if specs.Interval != nil {
			options.Interval = specs.Interval.Duration
			options.Phase = spread(project.UID, options.Interval)
		}
		if specs.Timeout != nil {
			options.Timeout = specs.Timeout.Duration
		}
		if specs.InitialTimeout != nil {
			options.InitialTimeout = specs.InitialTimeout.Duration
		}
	}
	if !refs.key.IsZero() {
		clientOptions := specsync.ClientOptions{Key: refs.key, SDKVersion: r.Version}
		if next.transport != nil {
			clientOptions.Transport = next.transport
		}
		c, err := specsync.NewClient(clientOptions)
		if err != nil {
			return options, fmt.Errorf("using the SDK key: %w", err)
		}
		options.Client = c
	}
	sources := sourcesOf(project)
	for i := range sources {
		source, err := r.newSource(next, project, &sources[i], refs, options.Client)
		if err != nil {
			return options, fmt.Errorf("setting up a source of type %s: %w", sources[i].Type, r.Scrubber.Error(err))
		}
		options.Sources = append(options.Sources, source)
	}
	if specs := project.Spec.Specs; specs != nil && specs.FallbackToStatsig && options.Client != nil {
		sources, err := specsync.WithStatsigFallback(options.Client, options.Sources)
		if err != nil {
			return options, fmt.Errorf("falling back to Statsig: %w", r.Scrubber.Error(err))
		}
		options.Sources = sources
	}
	options.IDLists = idListOptions(project, !refs.key.IsZero())
	return options, nil
}

// rememberedExposures bounds the units times entries of a project whose repeated exposures are left out, at some 70 bytes each.
const rememberedExposures = 1_000_000

// loggerOptions says how a project's events are sent; wanted is false where none are.
func (r *Runtimes) loggerOptions(project *v1alpha1.StatsigProject, key secret.Key) (options events.Options, wanted bool) {
	spec := v1alpha1.EventsSpec{}
	if project.Spec.Events != nil {
		spec = *project.Spec.Events
	}
	if spec.Disabled || key.IsZero() {
		return options, false
	}
	options = events.Options{
		SDKKey: key, URL: eventsURL(project), ExposeOverridden: spec.Overridden == v1alpha1.EventsEnabled, DedupeSize: rememberedExposures,
		DisableNetwork: spec.DisableNetwork,
	}
	if spec.FlushInterval != nil {
		options.FlushInterval = spec.FlushInterval.Duration
	}
	if spec.MaxBatchSize != nil {
		options.BatchSize = int(*spec.MaxBatchSize)
	}
	if spec.MaxPendingBatches != nil {
		options.MaxPendingBatches = int(*spec.MaxPendingBatches)
	}
	if spec.Compression == v1alpha1.CompressionZstd {
		options.Compression = events.CompressionZstd
	}
	if r.Spool.Dir != "" && spec.Spool != v1alpha1.EventsDisabled {
		// Replicas that share the volume take over what others left. A logger that begins before its predecessor has ended waits for
		// the directory, with its events in memory.
		options.Spool = r.Spool
		options.Spool.AdoptFrom = filepath.Join(r.Spool.Dir, string(project.UID))
		options.Spool.Dir = filepath.Join(options.Spool.AdoptFrom, r.Replica)
	}
	return options, true
}
