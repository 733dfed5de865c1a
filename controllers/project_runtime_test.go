package controllers

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource"
	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

var (
	cdnSource  = v1alpha1.SpecsSource{Type: v1alpha1.SourceCDN}
	apiSource  = v1alpha1.SpecsSource{Type: v1alpha1.SourceAPI}
	httpSource = v1alpha1.SpecsSource{Type: v1alpha1.SourceHTTP, URL: "https://statsig.internal/v2/"}
	fileSource = v1alpha1.SpecsSource{Type: v1alpha1.SourceFile, Path: "shop/specs.json"}
	mapSource  = v1alpha1.SpecsSource{Type: v1alpha1.SourceConfigMap, ConfigMapRef: &v1alpha1.ConfigMapKeyRef{Name: "specs", Key: "json"}}
)

func TestEndpointsFollowTheSources(t *testing.T) {
	elsewhere := func(p *v1alpha1.StatsigProject) {
		p.Spec.Events = &v1alpha1.EventsSpec{URL: "https://events.internal/"}
	}
	disabled := func(p *v1alpha1.StatsigProject) {
		no := false
		p.Spec.IDLists = &v1alpha1.IDListsSpec{Enabled: &no, Interval: durationOf(time.Hour)}
	}
	enabled := func(p *v1alpha1.StatsigProject) {
		yes := true
		p.Spec.IDLists = &v1alpha1.IDListsSpec{Enabled: &yes, Interval: durationOf(time.Hour)}
	}
	type endpoints struct {
		Events string
		Lists  specsync.IDListOptions
	}
	const listsURL = "https://statsig.internal/v2/get_id_lists"
	for name, tc := range map[string]struct {
		project *projectBuilder
		want    endpoints
	}{
		"By default all is Statsig's": {newProject("a"), endpoints{"", specsync.IDListOptions{Enabled: true}}},
		"The API serves its own ID lists": {
			newProject("a").Sources(apiSource, cdnSource),
			endpoints{"", specsync.IDListOptions{Enabled: true, URL: "https://statsigapi.net/v1/get_id_lists"}},
		},
		"An HTTP source serves all": {
			newProject("a").Sources(httpSource, cdnSource),
			endpoints{"https://statsig.internal/v2/log_event", specsync.IDListOptions{Enabled: true, URL: listsURL}},
		},
		"ID lists come from the first source that has them": {
			newProject("a").Sources(fileSource, mapSource, cdnSource, httpSource),
			endpoints{"https://statsig.internal/v2/log_event", specsync.IDListOptions{Enabled: true}},
		},
		"Files and ConfigMaps have none":   {newProject("a").Sources(fileSource, mapSource), endpoints{}},
		"Events go where the project says": {newProject("a").Sources(httpSource).With(elsewhere), endpoints{"https://events.internal/log_event", specsync.IDListOptions{Enabled: true, URL: listsURL}}},
		"ID lists can be left out":         {newProject("a").With(disabled), endpoints{"", specsync.IDListOptions{Interval: time.Hour}}},
		"ID lists have their own interval": {newProject("a").With(enabled), endpoints{"", specsync.IDListOptions{Enabled: true, Interval: time.Hour}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := endpoints{eventsURL(tc.project.Obj()), idListOptions(tc.project.Obj(), true)}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
			if idListOptions(tc.project.Obj(), false).Enabled {
				t.Error("ID lists are asked for without a key")
			}
		})
	}
}

func TestSyncersAreSetUpAsTheSpecSays(t *testing.T) {
	r := &Runtimes{Scrubber: &secret.Scrubber{}, SpecsDir: "/specs", Live: fakeCluster(t)}
	project := newProject("a").Sources(mapSource, fileSource, httpSource, cdnSource, apiSource).Interval(time.Minute).
		With(func(p *v1alpha1.StatsigProject) { p.Spec.Specs.Timeout = durationOf(7 * time.Second) }).Obj()
	options, err := r.syncOptions(&projectRuntime{}, project, withKey(testKey))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range options.Sources {
		names = append(names, s.Name())
	}
	if diff := cmp.Diff([]string{"ConfigMap", "File", "HTTP", "CDN", "API"}, names); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if options.Interval != time.Minute || options.Timeout != 7*time.Second || options.Client == nil || !options.IDLists.Enabled {
		t.Errorf("options: want interval 1m, timeout 7s, a client and ID lists, got %+v", options)
	}
	if options.Phase != spread(project.UID, time.Minute) {
		t.Errorf("phase: want it spread over the interval, got %s", options.Phase)
	}
	options, err = r.syncOptions(&projectRuntime{}, newProject("b").Sources(fileSource).Obj(), &projectReferences{})
	if err != nil || options.Client != nil || options.IDLists.Enabled || options.Interval != 0 {
		t.Errorf("options of a file without a key: want no client, no lists and defaults, got %+v, %v", options, err)
	}
}

func TestEveryTypeOfSourceIsSetUp(t *testing.T) {
	redis := &v1alpha1.RedisStore{Address: "redis:6379", TLS: true, CredentialsSecretRef: &v1alpha1.LocalRef{Name: "redis"}, Database: 2}
	refs := withKey(testKey)
	refs.redis = map[string]redisCredentials{"redis": {"reader", secret.NewKey("open-sesame")}}
	for name, tc := range map[string]struct {
		source      v1alpha1.SpecsSource
		want        specsync.Source
		wantIDLists bool
	}{
		"Statsig's CDN":            {v1alpha1.SpecsSource{Type: v1alpha1.SourceCDN}, &specsync.HTTPSource{}, true},
		"A forward proxy, polled":  {v1alpha1.SpecsSource{Type: v1alpha1.SourceForwardProxy, Address: "http://proxy:8000"}, &specsync.ForwardProxySource{}, true},
		"A forward proxy's stream": {v1alpha1.SpecsSource{Type: v1alpha1.SourceForwardProxy, Address: "grpc://proxy:50051"}, &grpcsource.Source{}, false},
		"A stream over TLS":        {v1alpha1.SpecsSource{Type: v1alpha1.SourceForwardProxy, Address: "grpcs://proxy:50051/"}, &grpcsource.Source{}, false},
		"Redis": {v1alpha1.SpecsSource{Type: v1alpha1.SourceDataStore, DataStore: &v1alpha1.DataStore{
			Redis: redis, Keys: v1alpha1.DataStoreKeysReadable,
		}}, &specsync.DataStoreSource{}, false},
		"A Secret": {v1alpha1.SpecsSource{Type: v1alpha1.SourceDataStore, DataStore: &v1alpha1.DataStore{
			SecretRef: &v1alpha1.LocalRef{Name: "store"},
		}}, &specsync.DataStoreSource{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Runtimes{Scrubber: &secret.Scrubber{}, Live: fakeCluster(t)}
			project := newProject("a").Sources(tc.source).Obj()
			for _, encoding := range []v1alpha1.SpecsEncoding{"", v1alpha1.EncodingJSON, v1alpha1.EncodingProtobuf} {
				project.Spec.Specs.Encoding = encoding
				options, err := r.syncOptions(&projectRuntime{}, project, refs)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := reflect.TypeOf(options.Sources[0]), reflect.TypeOf(tc.want); got != want || len(options.Sources) != 1 {
					t.Errorf("encoding %q: want one source, a %s, got %d, a %s", encoding, want, len(options.Sources), got)
				}
				if options.Sources[0].Name() != string(tc.source.Type) || options.IDLists.Enabled != tc.wantIDLists {
					t.Errorf("name %s, ID lists %v", options.Sources[0].Name(), options.IDLists.Enabled)
				}
			}
			project.Spec.Specs.FallbackToStatsig = true
			options, err := r.syncOptions(&projectRuntime{}, project, refs)
			if err != nil || options.Sources[len(options.Sources)-1].Name() != "CDN" {
				t.Errorf("the last source: want the CDN, got %v, %v", options.Sources, err)
			}
		})
	}
}

func TestSourcesThatCannotBeAreRefused(t *testing.T) {
	climbing := fileSource
	climbing.Path = "../etc/passwd"
	for name, tc := range map[string]struct {
		source   v1alpha1.SpecsSource
		key      secret.Key
		specsDir string
		want     string
	}{
		"A file without a directory for files": {fileSource, secret.Key{}, "", "started without --specs-dir"},
		"A file outside the directory":         {climbing, secret.Key{}, "/specs", "leads out of the specs directory"},
		"An HTTP source without a key":         {httpSource, secret.Key{}, "", "needs a client"},
		"A key that no header can carry":       {cdnSource, secret.NewKey("my key 12345"), "", "using the SDK key: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Runtimes{Scrubber: &secret.Scrubber{}, SpecsDir: tc.specsDir}
			_, err := r.syncOptions(&projectRuntime{}, newProject("a").Sources(tc.source).Obj(), &projectReferences{key: tc.key})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error: want %q, got %v", tc.want, err)
			}
			if !tc.key.IsZero() && strings.Contains(err.Error(), tc.key.Reveal()) {
				t.Errorf("the error has the key: %v", err)
			}
		})
	}
}

func TestEvaluationIsSetUpAsTheSpecSays(t *testing.T) {
	type parts struct{ Environment, Country, UserAgent string }
	for name, tc := range map[string]struct {
		spec *v1alpha1.EvaluationSpec
		want parts
	}{
		"By default as Statsig's SDK":        {nil, parts{"production", "on", "first"}},
		"An empty spec is the default":       {&v1alpha1.EvaluationSpec{}, parts{"production", "on", "first"}},
		"Addresses need not be looked up":    {&v1alpha1.EvaluationSpec{DisableCountryLookup: true}, parts{"production", "", "first"}},
		"User agents need not be parsed":     {&v1alpha1.EvaluationSpec{DisableUserAgentParsing: true}, parts{"production", "on", ""}},
		"User agents are parsed by the list": {&v1alpha1.EvaluationSpec{ThirdPartyUserAgentParser: true}, parts{"production", "on", "third"}},
		"Not parsing wins over how to":       {&v1alpha1.EvaluationSpec{ThirdPartyUserAgentParser: true, DisableUserAgentParsing: true}, parts{"production", "on", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			project := newProject("a").With(func(p *v1alpha1.StatsigProject) {
				p.Spec.Environment, p.Spec.Evaluation = "production", tc.spec
			}).Obj()
			options, err := evalOptions(project)
			if err != nil {
				t.Fatal(err)
			}
			got := parts{Environment: options.Environment}
			if options.Country != nil {
				got.Country = "on"
			}
			switch options.UserAgent.(type) {
			case nil:
			case useragent.FirstParty:
				got.UserAgent = "first"
			default:
				got.UserAgent = "third"
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("evalOptions() (-want +got):\n%s", diff)
			}
			if options.IDLists != nil {
				t.Error("ID lists are set: they are the syncer's to give")
			}
		})
	}
}

func TestEventsAreSetUpAsTheSpecSays(t *testing.T) {
	key := secret.NewKey(testKey)
	size, pending := int32(50), int32(7)
	project := newProject("a").Sources(httpSource).With(func(p *v1alpha1.StatsigProject) {
		p.Spec.Events = &v1alpha1.EventsSpec{FlushInterval: durationOf(5 * time.Second), MaxBatchSize: &size, MaxPendingBatches: &pending}
	}).Obj()
	options, wanted := (&Runtimes{}).loggerOptions(project, key)
	if !wanted || options.SDKKey != key || options.URL != "https://statsig.internal/v2/log_event" ||
		options.FlushInterval != 5*time.Second || options.BatchSize != 50 || options.MaxPendingBatches != 7 {
		t.Errorf("loggerOptions(): got %v, %+v", wanted, options)
	}
	if _, wanted := (&Runtimes{}).loggerOptions(project, secret.Key{}); wanted {
		t.Error("events are wanted without a key")
	}
	project.Spec.Events.Disabled = true
	if _, wanted := (&Runtimes{}).loggerOptions(project, key); wanted {
		t.Error("events are wanted although they are disabled")
	}
}

// withKey is what a project names that names a key only.
func withKey(text string) *projectReferences { return &projectReferences{key: secret.NewKey(text)} }

func TestIdentityTellsWhatRunsApart(t *testing.T) {
	refs := withKey(testKey)
	base := newProject("a").Sources(httpSource).Obj()
	for name, tc := range map[string]struct {
		change                func(*v1alpha1.StatsigProject)
		refs                  *projectReferences
		wantSame, wantLogSame bool
	}{
		"Nothing changed":              {func(*v1alpha1.StatsigProject) {}, refs, true, true},
		"Another generation and name":  {func(p *v1alpha1.StatsigProject) { p.Generation, p.Name = 9, "b" }, refs, true, true},
		"Who may use it":               {func(p *v1alpha1.StatsigProject) { p.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: "All"} }, refs, true, true},
		"When specs are stale":         {func(p *v1alpha1.StatsigProject) { p.Spec.Staleness = &v1alpha1.StalenessSpec{} }, refs, true, true},
		"Another interval":             {func(p *v1alpha1.StatsigProject) { p.Spec.Specs.Interval = durationOf(time.Hour) }, refs, false, true},
		"Another environment":          {func(p *v1alpha1.StatsigProject) { p.Spec.Environment = "staging" }, refs, false, true},
		"Another evaluation":           {func(p *v1alpha1.StatsigProject) { p.Spec.Evaluation = &v1alpha1.EvaluationSpec{} }, refs, false, true},
		"Another source, and so place": {func(p *v1alpha1.StatsigProject) { p.Spec.Specs.Sources[0].URL = "https://other" }, refs, false, false},
		"Other events":                 {func(p *v1alpha1.StatsigProject) { p.Spec.Events = &v1alpha1.EventsSpec{Disabled: true} }, refs, false, false},
		"Another proxy": {func(p *v1alpha1.StatsigProject) {
			p.Spec.Transport = &v1alpha1.TransportSpec{ProxyURL: "http://proxy:3128"}
		}, refs, false, false},
		"An override": {func(p *v1alpha1.StatsigProject) {
			p.Spec.Overrides = []v1alpha1.Override{{Gate: "on", Value: rawJSON("true")}}
		}, refs, false, true},
		"Another certificate": {func(*v1alpha1.StatsigProject) {}, &projectReferences{
			key: refs.key, transport: transport.Options{TLS: transport.TLSOptions{CABundle: []byte("renewed")}},
		}, true, true},
		"Another password of Redis": {func(*v1alpha1.StatsigProject) {}, &projectReferences{
			key: refs.key, redis: map[string]redisCredentials{"redis": {password: secret.NewKey("open-sesame")}},
		}, true, true},
		"Another secret of the webhook": {func(*v1alpha1.StatsigProject) {}, &projectReferences{
			key: refs.key, webhook: secret.NewKey("open-sesame"),
		}, false, true},
		"Another key": {func(*v1alpha1.StatsigProject) {}, withKey("secret-another"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			other := base.DeepCopy()
			tc.change(other)
			if got := identityOf(base, refs) == identityOf(other, tc.refs); got != tc.wantSame {
				t.Errorf("identityOf(): want equal %v, got %v", tc.wantSame, got)
			}
			if got := loggerIdentityOf(base, refs) == loggerIdentityOf(other, tc.refs); got != tc.wantLogSame {
				t.Errorf("loggerIdentityOf(): want equal %v, got %v", tc.wantLogSame, got)
			}
		})
	}
	if strings.Contains(identityOf(base, refs), testKey) {
		t.Error("the identity has the key")
	}
}

func TestOffsetsAreSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for i := range 100 {
		uid := types.UID(strings.Repeat("u", i+1))
		got := spread(uid, time.Minute)
		if got < 0 || got >= time.Minute || got != spread(uid, time.Minute) {
			t.Errorf("spread(%q): want the same below 1m each time, got %s", uid, got)
		}
		seen[got] = true
	}
	if len(seen) < 90 {
		t.Errorf("offsets of 100 objects: want them to differ, got %d", len(seen))
	}
	if got := spread("u", 0); got != 0 {
		t.Errorf("spread() over nothing: want nothing, got %s", got)
	}
}
