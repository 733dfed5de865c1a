package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

	// snapshot says where the last good specs are kept, so that a restarted operator serves them at once. Default: store Secret.
	// +optional
	Snapshot *SnapshotSpec `json:"snapshot,omitempty"`

	// changeGuard holds specs that change too much at once, until somebody approves them. Default: none, every change is taken.
	// +optional
	ChangeGuard *ChangeGuardSpec `json:"changeGuard,omitempty"`

	// webhook lets Statsig's config-change webhook wake the syncer, so that a change arrives sooner than at the next interval. The
	// operator answers it at /v1/webhooks/<namespace>/<name> where the manager serves webhooks (--webhook-bind-address).
	// Default: none.
	// +optional
	Webhook *WebhookSpec `json:"webhook,omitempty"`

	// transport says how servers are reached: proxy, private certificate authorities, client certificate. It holds for specs, ID
	// lists, events and data stores. Default: directly, or as the manager's environment says (HTTPS_PROXY, NO_PROXY).
	// +optional
	Transport *TransportSpec `json:"transport,omitempty"`

	// evaluation switches parts of the evaluator, with the meaning of the options of Statsig's SDKs.
	// +optional
	Evaluation *EvaluationSpec `json:"evaluation,omitempty"`

	// overrides replace answers, for everybody or for certain IDs, as the local overrides of Statsig's SDKs do. One for an ID wins
	// over one for everybody; of two for the same, the later wins. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Overrides []Override `json:"overrides,omitempty"`

	// events says how exposures are sent to Statsig. Default: enabled where there is an SDK key.
	// +optional
	Events *EventsSpec `json:"events,omitempty"`

	// ofrep lets clients of the OpenFeature Remote Evaluation Protocol evaluate this project's rules over HTTP. Default: it doesn't.
	// +optional
	OFREP *OFREPSpec `json:"ofrep,omitempty"`
}

// OFREPSpec says who may evaluate over HTTP. Callers whom Kubernetes allows to create statsigprojects/evaluations always may.
type OFREPSpec struct {
	// tokenSecretRef names a bearer token in a Secret of this namespace, at least 16 characters long. A new one counts within a minute.
	// Default: none, only Kubernetes decides.
	// +optional
	TokenSecretRef *SecretKeyRef `json:"tokenSecretRef,omitempty"`
	// exposures says whether Statsig is told of single evaluations: Enabled or Disabled. Default: Enabled.
	// +optional
	Exposures ExposureSwitch `json:"exposures,omitempty"`
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

// Override replaces one answer.
//
// +kubebuilder:validation:XValidation:rule="[has(self.gate), has(self.dynamicConfig), has(self.experiment), has(self.layer), has(self.parameterStore)].filter(x, x).size() == 1",message="exactly one of gate, dynamicConfig, experiment, layer and parameterStore is required"
// +kubebuilder:validation:XValidation:rule="!has(self.group) || has(self.experiment)",message="group goes with experiment only",fieldPath=".group"
type Override struct {
	// gate is the name of a feature gate.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Gate string `json:"gate,omitempty"`
	// dynamicConfig is the name of a dynamic config.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	DynamicConfig string `json:"dynamicConfig,omitempty"`
	// experiment is the name of an experiment.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Experiment string `json:"experiment,omitempty"`
	// layer is the name of a layer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Layer string `json:"layer,omitempty"`
	// parameterStore is the name of a parameter store.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	ParameterStore string `json:"parameterStore,omitempty"`
	// group is the name of the experiment's group whose values are given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Group string `json:"group,omitempty"`
	// value is true or false for a gate, and an object otherwise. Required unless there is a group. Anything else is Invalid.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *runtime.RawExtension `json:"value,omitempty"`
	// ids are the user IDs and custom IDs that it holds for. Default: everybody.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	IDs []string `json:"ids,omitempty"`
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
	// held describes specs that spec.changeGuard holds back.
	// +optional
	Held *HeldSpecs `json:"held,omitempty"`
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
	// source that gave the snapshot: CDN, API, HTTP, ForwardProxy, ConfigMap, File or DataStore; Store for the one kept from before
	// a restart that no source has confirmed yet.
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

// HeldSpecs describes specs that are held back, and what they would do.
type HeldSpecs struct {
	// hash of the specs held, 8 hex digits: the value of the annotation flags.statsig-operator.dev/approve-specs that lets them
	// through.
	// +required
	// +kubebuilder:validation:MaxLength=16
	Hash string `json:"hash"`
	// removed is the number of entities that would be gone.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Removed int32 `json:"removed,omitempty"`
	// changed is the number of entities whose answers may differ.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Changed int32 `json:"changed,omitempty"`
	// affectedUnits is the number of units (workloads, pods, namespaces) of FlagBindings that ask for one of those.
	// +optional
	// +kubebuilder:validation:Minimum=0
	AffectedUnits int32 `json:"affectedUnits,omitempty"`
	// message says which bound is exceeded.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
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
	// spooled is the number of events that wait on disk only.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Spooled int64 `json:"spooled,omitempty"`
	// setAside is the number of events that Statsig refused for good and that the spool keeps for people to look at.
	// +optional
	// +kubebuilder:validation:Minimum=0
	SetAside int64 `json:"setAside,omitempty"`
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
