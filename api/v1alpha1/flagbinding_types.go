package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// FlagBindingSpec says who is evaluated, what, and where the values land.
//
// +kubebuilder:validation:XValidation:rule="self.subject.unit in ['Namespace', 'Static'] || has(self.subject.workloads)",message="subject.workloads is required with unit Workload and Pod",fieldPath=".subject.workloads"
// +kubebuilder:validation:XValidation:rule="has(self.subject.workloads) || !self.targets.exists(t, has(t.podAnnotations))",message="a podAnnotations target needs subject.workloads",fieldPath=".subject.workloads"
// +kubebuilder:validation:XValidation:rule="!has(self.exposures) || !has(self.exposures.mode) || self.exposures.mode != 'PodReady' || self.targets.exists(t, has(t.podAnnotations))",message="mode PodReady needs a podAnnotations target",fieldPath=".exposures.mode"
type FlagBindingSpec struct {
	// projectRef names the StatsigProject whose rules decide. RefNotFound when there is none, RefNotPermitted when it does not
	// allow this namespace.
	// +required
	ProjectRef ProjectRef `json:"projectRef"`

	// suspend stops evaluating and writing. What was written stays. Default: false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// subject says who is evaluated.
	// +required
	Subject Subject `json:"subject"`

	// entries are the values asked for.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Entries []Entry `json:"entries"`

	// targets are the places where the values land.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Targets []Target `json:"targets"`

	// exposures says when Statsig is told that a unit got its values. Default: mode OnApply.
	// +optional
	Exposures *Exposures `json:"exposures,omitempty"`
}

// ProjectRef names a StatsigProject.
type ProjectRef struct {
	// name of the StatsigProject.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// namespace of the StatsigProject. Default: this namespace.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// Unit is what one evaluation is made for: the user in Statsig's terms.
//
// +kubebuilder:validation:Enum=Namespace;Workload;Pod;Static
type Unit string

const (
	// UnitNamespace evaluates once, for the binding's namespace.
	UnitNamespace Unit = "Namespace"
	// UnitWorkload evaluates once for each workload.
	UnitWorkload Unit = "Workload"
	// UnitPod evaluates once for each pod of the workloads.
	UnitPod Unit = "Pod"
	// UnitStatic evaluates once, for a user that depends on nothing but the cluster.
	UnitStatic Unit = "Static"
)

// Subject says who is evaluated.
type Subject struct {
	// unit is Namespace, Workload, Pod or Static.
	// +required
	Unit Unit `json:"unit"`
	// workloads of this namespace: what is evaluated (unit Workload and Pod) and whose pods are annotated. Only their metadata
	// is read. The list is replaced as a whole.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Workloads []WorkloadSelector `json:"workloads,omitempty"`
	// user says how a unit becomes a Statsig user. Default: its userID only.
	// +optional
	User *UserTemplate `json:"user,omitempty"`
}

// WorkloadSelector chooses workloads of one kind, by name or by labels.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) != has(self.selector)",message="exactly one of name and selector is required"
type WorkloadSelector struct {
	// apiVersion of the workloads, such as apps/v1. KindNotFound when the API server does not know it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9.-]+/)?v[0-9][a-z0-9]*$`
	APIVersion string `json:"apiVersion"`
	// kind of the workloads: Deployment, StatefulSet, DaemonSet, Job, CronJob, or any kind that owns pods.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	Kind string `json:"kind"`
	// name of one workload. RefNotFound when there is none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// selector over the workloads' own labels. An empty selector chooses every workload of the kind.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// Expression is a CEL expression over workload, pod, namespace and cluster, as far as the unit has them.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=1024
type Expression string

// UserTemplate says, in CEL, how a unit becomes a Statsig user. Variables: workload {apiVersion, kind, name, namespace, metadata},
// pod {name, namespace, metadata}, namespace {name, metadata}, cluster {name}. An expression that does not compile gives
// Accepted=False with the reason Invalid; one that fails for a unit gives Evaluated=False with UserExpressionFailed, and nothing
// is written for that unit.
type UserTemplate struct {
	// userID is a string expression. Default: workload.namespace + '/' + workload.name for a workload, pod.namespace + '/' +
	// pod.name for a pod, namespace.name for a namespace, none for unit Static.
	// +optional
	UserID Expression `json:"userID,omitempty"`
	// customIDs are string expressions by ID type.
	// +optional
	// +mapType=granular
	// +kubebuilder:validation:MaxProperties=32
	CustomIDs map[string]Expression `json:"customIDs,omitempty"`
	// email is a string expression.
	// +optional
	Email Expression `json:"email,omitempty"`
	// ip is a string expression.
	// +optional
	IP Expression `json:"ip,omitempty"`
	// userAgent is a string expression.
	// +optional
	UserAgent Expression `json:"userAgent,omitempty"`
	// country is a string expression giving an ISO 3166 code.
	// +optional
	Country Expression `json:"country,omitempty"`
	// locale is a string expression.
	// +optional
	Locale Expression `json:"locale,omitempty"`
	// appVersion is a string expression.
	// +optional
	AppVersion Expression `json:"appVersion,omitempty"`
	// custom are expressions of any type by field name.
	// +optional
	// +mapType=granular
	// +kubebuilder:validation:MaxProperties=64
	Custom map[string]Expression `json:"custom,omitempty"`
	// privateAttributes are as custom, but used for evaluation only: they never leave the cluster.
	// +optional
	// +mapType=granular
	// +kubebuilder:validation:MaxProperties=64
	PrivateAttributes map[string]Expression `json:"privateAttributes,omitempty"`
}

// ExposureSwitch is Enabled or Disabled. (On and Off would be read as booleans by YAML unless quoted.)
//
// +kubebuilder:validation:Enum=Enabled;Disabled
type ExposureSwitch string

const (
	// ExposureEnabled reports exposures of the entry.
	ExposureEnabled ExposureSwitch = "Enabled"
	// ExposureDisabled does not.
	ExposureDisabled ExposureSwitch = "Disabled"
)

// Entry is one value asked for.
//
// +kubebuilder:validation:XValidation:rule="[has(self.gate), has(self.dynamicConfig), has(self.experiment), has(self.layer), has(self.parameterStore)].filter(x, x).size() == 1",message="exactly one of gate, dynamicConfig, experiment, layer and parameterStore is required"
// +kubebuilder:validation:XValidation:rule="!(has(self.layer) || has(self.parameterStore)) || has(self.parameter)",message="parameter is required with layer and parameterStore",fieldPath=".parameter"
// +kubebuilder:validation:XValidation:rule="!has(self.gate) || (!has(self.parameter) && !has(self.path))",message="a gate has neither parameter nor path"
// +kubebuilder:validation:XValidation:rule="!(has(self.parameter) && has(self.path))",message="parameter and path exclude each other"
// +kubebuilder:validation:XValidation:rule="!has(self.path) || has(self.dynamicConfig) || has(self.experiment)",message="path goes with dynamicConfig and experiment only",fieldPath=".path"
type Entry struct {
	// name of the entry: the key in ConfigMaps and annotations. Letters, digits, '-', '_' and '.', beginning with a letter and
	// ending with a letter or digit.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Name string `json:"name"`
	// gate is the name of a feature gate; the value is true or false.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Gate string `json:"gate,omitempty"`
	// dynamicConfig is the name of a dynamic config; the value is its whole object, or what parameter or path selects.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	DynamicConfig string `json:"dynamicConfig,omitempty"`
	// experiment is the name of an experiment or autotune; the value is its whole object, or what parameter or path selects.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Experiment string `json:"experiment,omitempty"`
	// layer is the name of a layer; the value is that of parameter.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Layer string `json:"layer,omitempty"`
	// parameterStore is the name of a parameter store; the value is that of parameter.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	ParameterStore string `json:"parameterStore,omitempty"`
	// parameter is a top-level key of the value, taken literally. ValueNotFound when there is none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Parameter string `json:"parameter,omitempty"`
	// path is a gjson path into the value, such as tiers.gold.rps. ValueNotFound when nothing is there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Path string `json:"path,omitempty"`
	// default is the value, any JSON, while nothing can be evaluated and the target holds no earlier value. Without it the entry
	// is then left out.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Default *runtime.RawExtension `json:"default,omitempty"`
	// required makes Ready False while this entry cannot be evaluated. Default: false.
	// +optional
	Required bool `json:"required,omitempty"`
	// exposure says whether exposures of this entry are reported: Enabled or Disabled. Default: Enabled.
	// +optional
	Exposure ExposureSwitch `json:"exposure,omitempty"`
}

// Target is one place where the values land.
//
// +kubebuilder:validation:XValidation:rule="has(self.configMap) != has(self.podAnnotations)",message="exactly one of configMap and podAnnotations is required"
type Target struct {
	// name of the target, for status and messages.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// configMap writes the values to a ConfigMap of this namespace.
	// +optional
	ConfigMap *ConfigMapTarget `json:"configMap,omitempty"`
	// podAnnotations writes the values to the annotations of the workloads' pods, where a downward API volume shows them to
	// running containers.
	// +optional
	PodAnnotations *PodAnnotationsTarget `json:"podAnnotations,omitempty"`
}

// ConfigMapFormat is a form of the values in a ConfigMap.
//
// +kubebuilder:validation:Enum=Keys;JSON
type ConfigMapFormat string

const (
	// FormatKeys writes one key per entry.
	FormatKeys ConfigMapFormat = "Keys"
	// FormatJSON writes one document with all entries.
	FormatJSON ConfigMapFormat = "JSON"
)

// DeletionPolicy says what becomes of a ConfigMap that is not wanted any more.
//
// +kubebuilder:validation:Enum=Delete;Retain
type DeletionPolicy string

const (
	// DeletionDelete deletes it.
	DeletionDelete DeletionPolicy = "Delete"
	// DeletionRetain leaves it.
	DeletionRetain DeletionPolicy = "Retain"
)

// ConfigMapTarget is a ConfigMap of the binding's namespace.
type ConfigMapTarget struct {
	// name of the ConfigMap. Where units differ, $(workload.name) and $(pod.name) give each its own, such as
	// checkout-flags-$(workload.name); TargetInvalid when two units come to share one. A ConfigMap that this binding did not
	// make is never touched: TargetConflict.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9.-]|\$\((workload|pod)\.name\))+$`
	Name string `json:"name"`
	// format is Keys (one key per entry: strings as they are, anything else as JSON) or JSON (one document). Default: Keys.
	// +optional
	Format ConfigMapFormat `json:"format,omitempty"`
	// key of the document with format JSON. Default: flags.json.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
	// deletionPolicy says what becomes of the ConfigMap when the target, its unit or the binding goes: Delete or Retain.
	// Default: Delete.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// PodAnnotationsTarget are annotations of the workloads' pods.
type PodAnnotationsTarget struct {
	// prefix of the annotations, a DNS name; each entry becomes <prefix>/<entry name>. An annotation that somebody else manages
	// is not touched: TargetConflict.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:XValidation:rule="!['kubernetes.io', 'k8s.io', 'flags.statsig-operator.dev'].exists(d, self == d || self.endsWith('.' + d))",message="the prefix is reserved"
	Prefix string `json:"prefix"`
}

// ExposureMode says when a unit counts as exposed.
//
// +kubebuilder:validation:Enum=OnApply;PodReady;Disabled
type ExposureMode string

const (
	// ExposureOnApply reports an exposure once the targets that carry the value were applied.
	ExposureOnApply ExposureMode = "OnApply"
	// ExposurePodReady reports an exposure once a ready pod of the unit carries the values in its annotations.
	ExposurePodReady ExposureMode = "PodReady"
	// ExposureNever reports none.
	ExposureNever ExposureMode = "Disabled"
)

// Exposures says when Statsig is told that a unit got its values.
type Exposures struct {
	// mode is OnApply, PodReady (which needs a podAnnotations target) or Disabled. Default: OnApply.
	// +optional
	Mode ExposureMode `json:"mode,omitempty"`
	// repeatEvery is how often an exposure that still holds is reported again, from 1m to 720h; daily numbers in Statsig need at
	// least one a day. Default: 24h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="repeatEvery must be from 1m to 720h"
	RepeatEvery *metav1.Duration `json:"repeatEvery,omitempty"`
}

// FlagBindingStatus is what the controller observed and did. It is written only when its meaning changes.
type FlagBindingStatus struct {
	// observedGeneration is the generation that the conditions speak of; -1 until the first reconcile.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready, Accepted, ResolvedRefs, Evaluated, Materialized; Reconciling or Stalled only while true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// hash of the values of all units, 8 hex digits: equal values, equal hash.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Hash string `json:"hash,omitempty"`
	// specsHash is the hash of the specs that the values were last evaluated from and changed with, 8 hex digits.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	SpecsHash string `json:"specsHash,omitempty"`
	// units is the number of workloads, pods or namespaces evaluated.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Units int32 `json:"units,omitempty"`
	// targetsApplied tells how many of the targets hold the values, such as 2/2.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	TargetsApplied string `json:"targetsApplied,omitempty"`
	// entries are the values, in the order of the spec.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Entries []EntryStatus `json:"entries,omitempty"`
	// targets are the targets, in the order of the spec.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Targets []TargetStatus `json:"targets,omitempty"`
	// workloads are the first 50 units by kind and name.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Workloads []UnitStatus `json:"workloads,omitempty"`
}

// EntryState says where an entry's value comes from.
//
// +kubebuilder:validation:Enum=Evaluated;Kept;Default;Absent
type EntryState string

const (
	// EntryEvaluated says that the specs decided.
	EntryEvaluated EntryState = "Evaluated"
	// EntryKept says that it could not be evaluated; the target's previous value stays.
	EntryKept EntryState = "Kept"
	// EntryDefault says that it could not be evaluated and there was no previous value; the entry's default stands.
	EntryDefault EntryState = "Default"
	// EntryAbsent says that it could not be evaluated, and there is neither a previous value nor a default.
	EntryAbsent EntryState = "Absent"
)

// EntryStatus is what one entry came to. Where units differ, the first fields describe the outcome that most units have, and
// others lists the rest.
type EntryStatus struct {
	// name of the entry.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// kind is Gate, DynamicConfig, Experiment, Layer or ParameterStore.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Kind string `json:"kind,omitempty"`
	// state says where the value comes from.
	// +optional
	State EntryState `json:"state,omitempty"`
	// value as text, cut after 128 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Value string `json:"value,omitempty"`
	// ruleID is the rule that decided.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	RuleID string `json:"ruleID,omitempty"`
	// group is the experiment group, if any.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Group string `json:"group,omitempty"`
	// reason is Statsig's evaluation reason, such as Network:Recognized.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// units is the number of units that have this outcome.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Units int32 `json:"units,omitempty"`
	// others are the outcomes that fewer units have, the most frequent first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	Others []EntryOutcome `json:"others,omitempty"`
}

// EntryOutcome is a value that some units have.
type EntryOutcome struct {
	// value as text, cut after 128 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Value string `json:"value,omitempty"`
	// ruleID is the rule that decided.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	RuleID string `json:"ruleID,omitempty"`
	// group is the experiment group, if any.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Group string `json:"group,omitempty"`
	// units is the number of units that have this outcome.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Units int32 `json:"units,omitempty"`
}

// TargetState says how a target stands.
//
// +kubebuilder:validation:Enum=Applied;Failed
type TargetState string

const (
	// TargetApplied says that the target holds the values of every unit.
	TargetApplied TargetState = "Applied"
	// TargetFailed says that for at least one unit it does not; the message says why.
	TargetFailed TargetState = "Failed"
)

// TargetStatus is what became of one target.
type TargetStatus struct {
	// name of the target.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// state says how it stands.
	// +optional
	State TargetState `json:"state,omitempty"`
	// objects is the number of ConfigMaps or pods that hold the values.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Objects int32 `json:"objects,omitempty"`
	// message says what is wrong.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// UnitStatus is what one unit got.
type UnitStatus struct {
	// kind of the workload, with its group where that is not one of Kubernetes' own; Pod, Namespace or Static for those units.
	// +required
	// +kubebuilder:validation:MaxLength=320
	Kind string `json:"kind"`
	// name of the workload, pod or namespace.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// userID that the unit was evaluated with, cut after 256 bytes.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	UserID string `json:"userID,omitempty"`
	// hash of its values, 8 hex digits.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Hash string `json:"hash,omitempty"`
	// message says what is wrong.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// FlagBinding binds workloads, pods or a namespace to values evaluated from a Statsig project's rules.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=fb,categories=statsig
// +kubebuilder:selectablefield:JSONPath=`.spec.projectRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Project",type=string,JSONPath=`.spec.projectRef.name`
// +kubebuilder:printcolumn:name="Hash",type=string,JSONPath=`.status.hash`
// +kubebuilder:printcolumn:name="Targets",type=string,JSONPath=`.status.targetsApplied`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Units",type=integer,priority=1,JSONPath=`.status.units`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type FlagBinding struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what the user wants.
	// +required
	Spec FlagBindingSpec `json:"spec"`
	// status is what the controller observed and did.
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status FlagBindingStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions.
func (b *FlagBinding) GetConditions() []metav1.Condition { return b.Status.Conditions }

// SetConditions replaces the conditions.
func (b *FlagBinding) SetConditions(conditions []metav1.Condition) { b.Status.Conditions = conditions }

// FlagBindingList is a list of FlagBindings.
//
// +kubebuilder:object:root=true
type FlagBindingList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the bindings.
	// +required
	Items []FlagBinding `json:"items"`
}
