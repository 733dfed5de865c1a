package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StatsigProjectSpec says where the rules of one Statsig project come from, who may use them, and where events go.
//
// +kubebuilder:validation:XValidation:rule="has(self.sdkKeySecretRef) || (has(self.specs) && has(self.specs.sources) && self.specs.sources.all(s, s.type == 'ConfigMap' || s.type == 'File'))",message="sdkKeySecretRef is required unless every source is a ConfigMap or a File",fieldPath=".sdkKeySecretRef"
type StatsigProjectSpec struct {
	// sdkKeySecretRef names the Secret, in this namespace, that holds the server SDK key. Required unless every source is a
	// ConfigMap or a File; without it no events are sent. A missing Secret or key gives CredentialsValid=False with the reason
	// SecretNotFound or KeyNotFound.
	// +optional
	SDKKeySecretRef *SecretKeyRef `json:"sdkKeySecretRef,omitempty"`

	// environment is the Statsig environment tier that rules can ask for, such as production or staging. Default: the one that
	// the project's document names, if any.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Environment string `json:"environment,omitempty"`

	// allowedNamespaces says which namespaces' FlagBindings may use this project. It is checked on every reconcile; a binding
	// elsewhere gets RefNotPermitted. Default: this namespace only.
	// +optional
	AllowedNamespaces *AllowedNamespaces `json:"allowedNamespaces,omitempty"`

	// suspend stops fetching specs and sending events. Values that were written stay. Default: false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// specs says where the config specs document is read, and how often. Default: Statsig's CDN every 10 seconds.
	// +optional
	Specs *SpecsSpec `json:"specs,omitempty"`

	// idLists says whether and how often ID lists (large segments) are synced. Default: enabled where a source offers them.
	// +optional
	IDLists *IDListsSpec `json:"idLists,omitempty"`

	// staleness says when specs that no source confirms any more count as late, and when as stale.
	// +optional
	Staleness *StalenessSpec `json:"staleness,omitempty"`

	// evaluation switches parts of the evaluator, with the meaning of the options of Statsig's SDKs.
	// +optional
	Evaluation *EvaluationSpec `json:"evaluation,omitempty"`

	// events says how exposures are sent to Statsig. Default: enabled where there is an SDK key.
	// +optional
	Events *EventsSpec `json:"events,omitempty"`
}

// SecretKeyRef names one key of a Secret in the same namespace.
type SecretKeyRef struct {
	// name of the Secret. SecretNotFound when there is none.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key in the Secret's data. KeyNotFound when there is none or it is empty.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// NamespaceScope is a choice of namespaces.
//
// +kubebuilder:validation:Enum=Same;All;Selector
type NamespaceScope string

const (
	// NamespacesSame allows the project's own namespace only.
	NamespacesSame NamespaceScope = "Same"
	// NamespacesAll allows every namespace.
	NamespacesAll NamespaceScope = "All"
	// NamespacesSelector allows the project's own namespace and those whose labels match the selector.
	NamespacesSelector NamespaceScope = "Selector"
)

// AllowedNamespaces says which namespaces may use a project. The project's own namespace always may.
//
// +kubebuilder:validation:XValidation:rule="has(self.selector) == (self.from == 'Selector')",message="selector is required with from: Selector, and only then",fieldPath=".selector"
type AllowedNamespaces struct {
	// from is Same, All or Selector.
	// +required
	From NamespaceScope `json:"from"`
	// selector over namespace labels; only with from: Selector.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// SpecsSpec says where the config specs document is read.
type SpecsSpec struct {
	// sources are tried in this order at every interval until one answers; the last good document is always the last resort.
	// Default: one source of type CDN. The order is the meaning, so the list is replaced as a whole.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Sources []SpecsSource `json:"sources,omitempty"`
	// interval between two requests, from 1s to 24h. Errors are retried with growing pauses, never faster than this. Default: 10s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="interval must be from 1s to 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// timeout of one request, from 100ms to 5m. Default: 3s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('5m')",message="timeout must be from 100ms to 5m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// SourceType is a kind of place that config specs are read from.
//
// +kubebuilder:validation:Enum=CDN;API;HTTP;ConfigMap;File
type SourceType string

const (
	// SourceCDN is Statsig's content delivery network.
	SourceCDN SourceType = "CDN"
	// SourceAPI is Statsig's API.
	SourceAPI SourceType = "API"
	// SourceHTTP is any server that answers <url>/download_config_specs/<key>.json as Statsig does.
	SourceHTTP SourceType = "HTTP"
	// SourceConfigMap is a key of a ConfigMap in the project's namespace.
	SourceConfigMap SourceType = "ConfigMap"
	// SourceFile is a file below the directory that the manager was started with (--specs-dir).
	SourceFile SourceType = "File"
)

// SpecsSource is one place that config specs are read from.
//
// +kubebuilder:validation:XValidation:rule="has(self.url) == (self.type == 'HTTP')",message="url is required with type HTTP, and only then",fieldPath=".url"
// +kubebuilder:validation:XValidation:rule="has(self.configMapRef) == (self.type == 'ConfigMap')",message="configMapRef is required with type ConfigMap, and only then",fieldPath=".configMapRef"
// +kubebuilder:validation:XValidation:rule="has(self.path) == (self.type == 'File')",message="path is required with type File, and only then",fieldPath=".path"
type SpecsSource struct {
	// type is CDN, API, HTTP, ConfigMap or File.
	// +required
	Type SourceType `json:"type"`
	// url is the base address of an HTTP source, without the SDK key; /download_config_specs/<key>.json is appended, and
	// /get_id_lists for ID lists.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && !self.contains('?') && !self.contains('#') && !self.contains('@')",message="url must be an http or https address without user, query and fragment"
	URL string `json:"url,omitempty"`
	// configMapRef names the ConfigMap, in this namespace, and the key in it that hold the document.
	// +optional
	ConfigMapRef *ConfigMapKeyRef `json:"configMapRef,omitempty"`
	// path of the document below the manager's --specs-dir, without "..".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.split('/').exists(p, p == '..')",message="path must be relative and without '..'"
	Path string `json:"path,omitempty"`
}

// ConfigMapKeyRef names one key of a ConfigMap in the same namespace.
type ConfigMapKeyRef struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key in the ConfigMap's data or binaryData.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// IDListsSpec says whether and how often ID lists are synced.
type IDListsSpec struct {
	// enabled says whether ID lists are synced. Default: true. Sources of type ConfigMap and File offer none.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// interval between two looks at the manifest, from 1s to 24h. Default: 60s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="interval must be from 1s to 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
}

// StalenessSpec says when specs that no source confirms any more count as late or stale. Values stay either way.
//
// +kubebuilder:validation:XValidation:rule="!has(self.warnAfter) || !has(self.failAfter) || duration(self.warnAfter) <= duration(self.failAfter)",message="warnAfter must not be longer than failAfter",fieldPath=".warnAfter"
type StalenessSpec struct {
	// warnAfter this long without a good answer SpecsFresh becomes Unknown with the reason Late, from 1s to 720h. Default: 2m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="warnAfter must be from 1s to 720h"
	WarnAfter *metav1.Duration `json:"warnAfter,omitempty"`
	// failAfter this long without a good answer SpecsFresh becomes False with the reason Stale, from 1s to 720h. Default: 1h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="failAfter must be from 1s to 720h"
	FailAfter *metav1.Duration `json:"failAfter,omitempty"`
}

// EvaluationSpec switches parts of the evaluator.
type EvaluationSpec struct {
	// disableCountryLookup leaves the country of a user's IP address unknown. Default: false.
	// +optional
	DisableCountryLookup bool `json:"disableCountryLookup,omitempty"`
	// disableUserAgentParsing leaves the browser and OS of a user agent unknown. Default: false.
	// +optional
	DisableUserAgentParsing bool `json:"disableUserAgentParsing,omitempty"`
	// thirdPartyUserAgentParser reads user agents with the classic list of regular expressions instead of Statsig's own
	// tokenizer. Default: false.
	// +optional
	ThirdPartyUserAgentParser bool `json:"thirdPartyUserAgentParser,omitempty"`
}

// EventsSpec says how exposures are sent to Statsig.
type EventsSpec struct {
	// disabled sends nothing and keeps nothing. Default: false.
	// +optional
	Disabled bool `json:"disabled,omitempty"`
	// url is the base address that events go to; /log_event is appended. Default: that of the first HTTP source, else Statsig's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && !self.contains('?') && !self.contains('#') && !self.contains('@')",message="url must be an http or https address without user, query and fragment"
	URL string `json:"url,omitempty"`
	// flushInterval is how long an event waits at most before its batch is sent, from 1s to 1h. Default: 60s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="flushInterval must be from 1s to 1h"
	FlushInterval *metav1.Duration `json:"flushInterval,omitempty"`
	// maxBatchSize is the largest number of events in one request. Default: 1000.
	// +optional
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=2000
	MaxBatchSize *int32 `json:"maxBatchSize,omitempty"`
	// maxPendingBatches is how many batches wait at most; beyond that the oldest events are dropped and counted. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxPendingBatches *int32 `json:"maxPendingBatches,omitempty"`
}

// StatsigProjectStatus is what the controller observed. It is written only when its meaning changes.
type StatsigProjectStatus struct {
	// observedGeneration is the generation that the conditions speak of; -1 until the first reconcile.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready, CredentialsValid, SpecsFresh, EventsFlowing; Reconciling or Stalled only while true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// specs describes the snapshot in use.
	// +optional
	Specs *SpecsStatus `json:"specs,omitempty"`
	// events counts events, rounded down to one significant digit so that the status does not change with every batch; metrics
	// have the exact numbers.
	// +optional
	Events *EventsStatus `json:"events,omitempty"`
	// bindings is the number of FlagBindings that refer to this project.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Bindings int32 `json:"bindings,omitempty"`
}

// SpecsStatus describes the snapshot in use.
type SpecsStatus struct {
	// source that gave the snapshot: CDN, API, HTTP, ConfigMap or File.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Source string `json:"source,omitempty"`
	// lastConfigUpdate is when the project was last changed in Statsig.
	// +optional
	LastConfigUpdate *metav1.Time `json:"lastConfigUpdate,omitempty"`
	// hash of the document's content, 8 hex digits.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Hash string `json:"hash,omitempty"`
	// gates is the number of feature gates.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Gates int32 `json:"gates,omitempty"`
	// dynamicConfigs is the number of dynamic configs.
	// +optional
	// +kubebuilder:validation:Minimum=0
	DynamicConfigs int32 `json:"dynamicConfigs,omitempty"`
	// experiments is the number of experiments.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Experiments int32 `json:"experiments,omitempty"`
	// layers is the number of layers.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Layers int32 `json:"layers,omitempty"`
	// parameterStores is the number of parameter stores.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ParameterStores int32 `json:"parameterStores,omitempty"`
	// idLists is the number of ID lists held.
	// +optional
	// +kubebuilder:validation:Minimum=0
	IDLists int32 `json:"idLists,omitempty"`
	// skipped is the number of specs in the document that could not be read and were left out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Skipped int32 `json:"skipped,omitempty"`
	// skippedSpecs names the first of them, with the cause.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	SkippedSpecs []SkippedSpec `json:"skippedSpecs,omitempty"`
}

// SkippedSpec is one spec of the document that could not be read.
type SkippedSpec struct {
	// kind is Gate, DynamicConfig, Layer or ParameterStore.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Kind string `json:"kind"`
	// name of the spec, cut after 128 characters.
	// +required
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`
	// message says what is wrong with it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// EventsStatus counts events since the manager started, rounded down to one significant digit.
type EventsStatus struct {
	// delivered is the number of events that Statsig took.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Delivered int64 `json:"delivered,omitempty"`
	// pending is the number of events that wait, kept at 0 while batches are taken.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Pending int64 `json:"pending,omitempty"`
	// dropped is the number of events that were given up.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Dropped int64 `json:"dropped,omitempty"`
}

// StatsigProject is one Statsig project, or one environment of it: where its rules come from, who may use them, where events go.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=sp,categories=statsig
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Specs-Age",type=date,JSONPath=`.status.specs.lastConfigUpdate`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.status.specs.source`
// +kubebuilder:printcolumn:name="Bindings",type=integer,JSONPath=`.status.bindings`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Hash",type=string,priority=1,JSONPath=`.status.specs.hash`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type StatsigProject struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what the user wants.
	// +required
	Spec StatsigProjectSpec `json:"spec"`
	// status is what the controller observed.
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status StatsigProjectStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions.
func (p *StatsigProject) GetConditions() []metav1.Condition { return p.Status.Conditions }

// SetConditions replaces the conditions.
func (p *StatsigProject) SetConditions(conditions []metav1.Condition) {
	p.Status.Conditions = conditions
}

// StatsigProjectList is a list of StatsigProjects.
//
// +kubebuilder:object:root=true
type StatsigProjectList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the projects.
	// +required
	Items []StatsigProject `json:"items"`
}
