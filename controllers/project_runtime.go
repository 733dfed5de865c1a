package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// projectRuntime is what runs for one project. It is immutable; a change of the project makes another.
type projectRuntime struct {
	// identity is equal for equal settings and key.
	identity string
	lease    *specsync.Lease
	options  eval.Options
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
	if !state.Attempted {
		return nil, nil, true
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
	if p.endLogger != nil && (successor == nil || successor.logger != p.logger) {
		p.endLogger()
	}
	p.forget()
}

// identityOf is equal for projects that would have the same running.
func identityOf(project *v1alpha1.StatsigProject, key secret.Key) string {
	spec := project.Spec
	return identity(key, spec.Environment, spec.Specs, spec.IDLists, spec.Evaluation, spec.Events)
}

// loggerIdentityOf is equal for projects that would send the same events to the same place.
func loggerIdentityOf(project *v1alpha1.StatsigProject, key secret.Key) string {
	return identity(key, eventsURL(project), project.Spec.Events)
}

func identity(key secret.Key, parts ...any) string {
	// Types of the API always marshal.
	text, _ := json.Marshal(parts)
	return key.Fingerprint() + string(text)
}

// syncOptions says where a project's specs and ID lists come from.
func (r *Runtimes) syncOptions(project *v1alpha1.StatsigProject, key secret.Key) (specsync.Options, error) {
	options := specsync.Options{Phase: spread(project.UID, specsync.DefaultInterval)}
	if specs := project.Spec.Specs; specs != nil {
		if specs.Interval != nil {
			options.Interval = specs.Interval.Duration
			options.Phase = spread(project.UID, options.Interval)
		}
		if specs.Timeout != nil {
			options.Timeout = specs.Timeout.Duration
		}
	}
	if !key.IsZero() {
		c, err := specsync.NewClient(specsync.ClientOptions{Key: key, SDKVersion: r.Version})
		if err != nil {
			return options, fmt.Errorf("using the SDK key: %w", err)
		}
		options.Client = c
	}
	for _, spec := range sourcesOf(project) {
		source, err := r.newSource(project, spec, options.Client)
		if err != nil {
			return options, fmt.Errorf("setting up a source of type %s: %w", spec.Type, r.Scrubber.Error(err))
		}
		options.Sources = append(options.Sources, source)
	}
	options.IDLists = idListOptions(project, !key.IsZero())
	return options, nil
}

func sourcesOf(project *v1alpha1.StatsigProject) []v1alpha1.SpecsSource {
	if specs := project.Spec.Specs; specs != nil && len(specs.Sources) > 0 {
		return specs.Sources
	}
	return []v1alpha1.SpecsSource{{Type: v1alpha1.SourceCDN}}
}

func (r *Runtimes) newSource(
	project *v1alpha1.StatsigProject, spec v1alpha1.SpecsSource, c *specsync.Client,
) (specsync.Source, error) {
	switch spec.Type {
	case v1alpha1.SourceConfigMap:
		return newConfigMapSource(r.Live, project.Namespace, *spec.ConfigMapRef), nil
	case v1alpha1.SourceFile:
		if r.SpecsDir == "" {
			return nil, errors.New("the manager was started without --specs-dir, so there are no files to read")
		}
		if !filepath.IsLocal(spec.Path) {
			return nil, fmt.Errorf("the path %s leads out of the specs directory", spec.Path)
		}
		return specsync.NewFileSource(filepath.Join(r.SpecsDir, spec.Path))
	default:
		return specsync.NewHTTPSource(c, string(spec.Type), baseURL(spec))
	}
}

func baseURL(spec v1alpha1.SpecsSource) string {
	switch spec.Type {
	case v1alpha1.SourceCDN:
		return specsync.CDNBaseURL
	case v1alpha1.SourceAPI:
		return specsync.APIBaseURL
	default:
		return spec.URL
	}
}

// idListOptions takes ID lists from the first source that has them.
func idListOptions(project *v1alpha1.StatsigProject, hasKey bool) specsync.IDListOptions {
	options := specsync.IDListOptions{}
	spec := project.Spec.IDLists
	if spec != nil && spec.Interval != nil {
		options.Interval = spec.Interval.Duration
	}
	if !hasKey || (spec != nil && spec.Enabled != nil && !*spec.Enabled) {
		return options
	}
	for _, source := range sourcesOf(project) {
		switch source.Type {
		case v1alpha1.SourceCDN:
			options.Enabled = true
			return options
		case v1alpha1.SourceAPI, v1alpha1.SourceHTTP:
			options.Enabled = true
			options.URL = strings.TrimRight(baseURL(source), "/") + "/get_id_lists"
			return options
		case v1alpha1.SourceConfigMap, v1alpha1.SourceFile:
		}
	}
	return options
}

// evalOptions are the evaluation settings of a project, without its ID lists.
func evalOptions(project *v1alpha1.StatsigProject) (eval.Options, error) {
	options := eval.Options{Environment: project.Spec.Environment}
	spec := v1alpha1.EvaluationSpec{}
	if project.Spec.Evaluation != nil {
		spec = *project.Spec.Evaluation
	}
	if !spec.DisableCountryLookup {
		options.Country = country.New()
	}
	switch {
	case spec.DisableUserAgentParsing:
	case spec.ThirdPartyUserAgentParser:
		parser, err := thirdParty()
		if err != nil {
			return options, fmt.Errorf("setting up the user agent parser: %w", err)
		}
		options.UserAgent = parser
	default:
		options.UserAgent = useragent.FirstParty{}
	}
	return options, nil
}

// thirdParty is shared by all projects: it holds some hundred compiled expressions.
var thirdParty = sync.OnceValues(useragent.NewThirdParty)

// loggerOptions says how a project's events are sent; wanted is false where none are.
func loggerOptions(project *v1alpha1.StatsigProject, key secret.Key) (options events.Options, wanted bool) {
	spec := v1alpha1.EventsSpec{}
	if project.Spec.Events != nil {
		spec = *project.Spec.Events
	}
	if spec.Disabled || key.IsZero() {
		return options, false
	}
	options = events.Options{SDKKey: key, URL: eventsURL(project)}
	if spec.FlushInterval != nil {
		options.FlushInterval = spec.FlushInterval.Duration
	}
	if spec.MaxBatchSize != nil {
		options.BatchSize = int(*spec.MaxBatchSize)
	}
	if spec.MaxPendingBatches != nil {
		options.MaxPendingBatches = int(*spec.MaxPendingBatches)
	}
	return options, true
}

// eventsURL is where events go: where the project says, else beside the specs, else to Statsig (empty).
func eventsURL(project *v1alpha1.StatsigProject) string {
	base := ""
	if project.Spec.Events != nil {
		base = project.Spec.Events.URL
	}
	if base == "" {
		for _, source := range sourcesOf(project) {
			if source.Type == v1alpha1.SourceHTTP {
				base = source.URL
				break
			}
		}
	}
	if base == "" {
		return ""
	}
	return strings.TrimRight(base, "/") + "/log_event"
}
