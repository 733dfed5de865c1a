package controllers

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource"
	"github.com/statsig-operator/statsig-operator/pkg/sync/redisstore"
)

// sourcesOf are a project's sources in the order in which they are asked.
func sourcesOf(project *v1alpha1.StatsigProject) []v1alpha1.SpecsSource {
	if specs := project.Spec.Specs; specs != nil && len(specs.Sources) > 0 {
		return specs.Sources
	}
	return []v1alpha1.SpecsSource{{Type: v1alpha1.SourceCDN}}
}

// newSource makes one source. What it reads from Secrets is renewed with next.
func (r *Runtimes) newSource(
	next *projectRuntime, project *v1alpha1.StatsigProject, spec *v1alpha1.SpecsSource, refs *projectReferences, c *specsync.Client,
) (specsync.Source, error) {
	switch spec.Type {
	case v1alpha1.SourceConfigMap:
		return newConfigMapSource(r.Live, project.Namespace, *spec.ConfigMapRef), nil
	case v1alpha1.SourceFile:
		return r.newFileSource(spec.Path)
	case v1alpha1.SourceForwardProxy:
		return newForwardProxySource(project, spec.Address, refs, c)
	case v1alpha1.SourceDataStore:
		store, err := r.newDataStore(next, project, spec.DataStore, refs)
		if err != nil {
			return nil, err
		}
		options := specsync.DataStoreOptions{}
		if spec.DataStore.Keys == v1alpha1.DataStoreKeysReadable {
			options.KeyScheme = specsync.ReadableDataStoreKeys
		}
		return specsync.NewDataStoreSource(c, store, options)
	default:
		source, err := specsync.NewHTTPSource(c, string(spec.Type), baseURL(spec))
		if err != nil || !wantsProtobuf(project) {
			return source, err
		}
		return source.WithProtobuf(), nil
	}
}

func (r *Runtimes) newFileSource(path string) (specsync.Source, error) {
	if r.SpecsDir == "" {
		return nil, errors.New("the manager was started without --specs-dir, so there are no files to read")
	}
	if !filepath.IsLocal(path) {
		return nil, fmt.Errorf("the path %s leads out of the specs directory", path)
	}
	return specsync.NewFileSource(filepath.Join(r.SpecsDir, path))
}

// newForwardProxySource polls the proxy or listens to its stream, as the scheme of the address says.
func newForwardProxySource(
	project *v1alpha1.StatsigProject, address string, refs *projectReferences, c *specsync.Client,
) (specsync.Source, error) {
	scheme, host, _ := strings.Cut(address, "://")
	options := grpcsource.Options{Address: strings.TrimRight(host, "/"), Key: refs.key}
	switch scheme {
	case schemeGRPC:
	case schemeGRPCS:
		config, err := refs.transport.TLS.Config()
		if err != nil {
			return nil, err
		}
		options.TLS = config
	default:
		source, err := specsync.NewForwardProxySource(c, address)
		if err != nil || !wantsProtobuf(project) {
			return source, err
		}
		return source.WithProtobuf(), nil
	}
	return grpcsource.New(options)
}

// The schemes of forward proxies that stream.
const (
	schemeGRPC  = "grpc"
	schemeGRPCS = "grpcs"
)

func wantsProtobuf(project *v1alpha1.StatsigProject) bool {
	return project.Spec.Specs != nil && project.Spec.Specs.Encoding == v1alpha1.EncodingProtobuf
}

func (r *Runtimes) newDataStore(
	next *projectRuntime, project *v1alpha1.StatsigProject, spec *v1alpha1.DataStore, refs *projectReferences,
) (specsync.DataStore, error) {
	if spec.SecretRef != nil {
		return secretDataStore{r.Live, types.NamespacedName{Namespace: project.Namespace, Name: spec.SecretRef.Name}}, nil
	}
	store, err := redisstore.New(redisOptions(spec.Redis, refs))
	if err != nil {
		return nil, err
	}
	next.renewals = append(next.renewals, func(refs *projectReferences) error {
		return store.Update(redisOptions(spec.Redis, refs))
	})
	return store, nil
}

func redisOptions(spec *v1alpha1.RedisStore, refs *projectReferences) redisstore.Options {
	options := redisstore.Options{Address: spec.Address, Database: int(spec.Database)}
	if ref := spec.CredentialsSecretRef; ref != nil {
		options.Username, options.Password = refs.redis[ref.Name].username, refs.redis[ref.Name].password
	}
	if spec.TLS {
		options.TLS = &refs.transport.TLS
	}
	return options
}

func baseURL(spec *v1alpha1.SpecsSource) string {
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
	sources := sourcesOf(project)
	for i := range sources {
		if address, has := idListsURL(&sources[i]); has {
			options.Enabled, options.URL = true, address
			break
		}
	}
	return options
}

// idListsURL is where a source has its ID lists; empty means Statsig's CDN. A forward proxy has them over HTTP only.
func idListsURL(source *v1alpha1.SpecsSource) (address string, has bool) {
	switch source.Type {
	case v1alpha1.SourceCDN:
		return "", true
	case v1alpha1.SourceAPI, v1alpha1.SourceHTTP:
		return strings.TrimRight(baseURL(source), "/") + "/get_id_lists", true
	case v1alpha1.SourceForwardProxy:
		address, err := specsync.ForwardProxyIDListsURL(source.Address)
		return address, err == nil
	case v1alpha1.SourceConfigMap, v1alpha1.SourceFile, v1alpha1.SourceDataStore:
	}
	return "", false
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
