package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RolloutGateSpec says when a gate is open, and who waits for it.
type RolloutGateSpec struct {
	// projectRef names the StatsigProject whose rules decide. RefNotFound when there is none, RefNotPermitted when it does not
	// allow this namespace.
	// +required
	ProjectRef ProjectRef `json:"projectRef"`

	// suspend stops evaluating, holding and releasing: the state stays as it is. Default: false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// user is whom the expression is evaluated for. Variables: namespace {name, metadata} and cluster {name}. Default: its userID
	// only, namespace.name.
	// +optional
	User *UserTemplate `json:"user,omitempty"`

	// open is a CEL expression that is true while the gate is to be open, such as "gate('release') && config('freeze').state != 'on'".
	// Functions: gate(name) is a bool; config(name).a.b, experiment(name).parameter, layer(name).parameter and
	// parameterStore(name).parameter are values. Names are literals. Variables: namespace {name, metadata} and cluster {name}.
	// Invalid when it does not compile, EntityNotFound or ValueNotFound when the specs lack what it names.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Open string `json:"open"`

	// failurePolicy says what the state is while the expression has no answer: because the specs are missing or older than the
	// project's staleness.failAfter, or because the evaluation fails. Closed makes it Unknown, which nobody lets pass; Open makes
	// it Open; LastKnown leaves it as it was. Default: Closed.
	// +optional
	FailurePolicy FailurePolicy `json:"failurePolicy,omitempty"`

	// openAfter is how long the expression must have been true without a break before the gate opens, at most 24h. Default: 0s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="openAfter must be from 0s to 24h"
	OpenAfter *metav1.Duration `json:"openAfter,omitempty"`

	// closeAfter is how long the expression must have been false without a break before the gate closes, at most 24h. Default: 0s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="closeAfter must be from 0s to 24h"
	CloseAfter *metav1.Duration `json:"closeAfter,omitempty"`

	// deadline is how long the gate may be anything but open before it is Stalled, from 1s to 8760h. It goes on being evaluated, and
	// opens all the same when its time comes. Default: none.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('8760h')",message="deadline must be from 1s to 8760h"
	Deadline *metav1.Duration `json:"deadline,omitempty"`

	// hold holds things while the gate is not open, and holds the gate itself closed by hand.
	// +optional
	Hold *Hold `json:"hold,omitempty"`

	// access says who may ask for the state over HTTP.
	// +optional
	Access *GateAccess `json:"access,omitempty"`

	// exposures says whether Statsig is told of the evaluations that decide: Enabled or Disabled. Default: Enabled.
	// +optional
	Exposures ExposureSwitch `json:"exposures,omitempty"`
}

// FailurePolicy says what a gate is while its expression has no answer.
//
// +kubebuilder:validation:Enum=Closed;Open;LastKnown
type FailurePolicy string

const (
	// FailureClosed lets nothing pass: the state is Unknown.
	FailureClosed FailurePolicy = "Closed"
	// FailureOpen opens the gate.
	FailureOpen FailurePolicy = "Open"
	// FailureLastKnown leaves the gate as it was last known; Unknown when it never was.
	FailureLastKnown FailurePolicy = "LastKnown"
)

// Hold says what waits while the gate is not open. With a reason, the gate itself is held closed by hand.
//
// +kubebuilder:validation:XValidation:rule="!has(self.until) || has(self.reason)",message="until needs a reason",fieldPath=".reason"
type Hold struct {
	// reason holds the gate closed, at once and whatever the expression says, and is shown in status. Remove it to let the expression
	// decide again.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`

	// until is when the hold by hand ends. Default: when the reason is removed.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`

	// schedulingGate releases the pods of this namespace that carry the scheduling gate flags.statsig-operator.dev/<name of this
	// RolloutGate>, once the gate is open. They get it by their template, or by the MutatingAdmissionPolicy in config/admission. Without
	// this field, pods that carry it are released at once, whatever the state.
	// +optional
	SchedulingGate *SchedulingGateHold `json:"schedulingGate,omitempty"`

	// pauseDeployments sets spec.paused of Deployments of this namespace while the gate is not open. One that somebody else pauses or
	// whose spec.paused somebody else manages is left alone: HoldConflict.
	// +optional
	PauseDeployments *PauseDeploymentsHold `json:"pauseDeployments,omitempty"`
}

// SchedulingGateHold chooses pods that carry this gate's scheduling gate.
type SchedulingGateHold struct {
	// selector over the pods' labels. Pods that carry the scheduling gate and are not chosen wait on while the gate is open, until they
	// are chosen or the RolloutGate is deleted. Default: every pod that carries it.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// batchSize is the number of pods released at once; the next batch follows a second later. Default: 50.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	BatchSize *int32 `json:"batchSize,omitempty"`
}

// PauseDeploymentsHold chooses Deployments.
type PauseDeploymentsHold struct {
	// selector over the Deployments' own labels. An empty selector chooses every Deployment of the namespace.
	// +required
	Selector *metav1.LabelSelector `json:"selector"`
}

// GateAccess says who may ask for a gate's state over HTTP, beside those whom Kubernetes allows to get it.
type GateAccess struct {
	// tokenSecretRef names a bearer token in a Secret of this namespace, at least 16 characters long. A new one counts within a minute.
	// +required
	TokenSecretRef SecretKeyRef `json:"tokenSecretRef"`
}

// GateState says whether rollouts may proceed.
//
// +kubebuilder:validation:Enum=Open;Closed;Unknown
type GateState string

const (
	// GateOpen lets rollouts proceed.
	GateOpen GateState = "Open"
	// GateClosed holds them: the expression is false, or the gate is held by hand.
	GateClosed GateState = "Closed"
	// GateUnknown holds them because the expression has no answer.
	GateUnknown GateState = "Unknown"
)

// RolloutGateStatus is what the controller decided, and why. It is written only when its meaning changes.
type RolloutGateStatus struct {
	// observedGeneration is the generation that the conditions speak of; -1 until the first reconcile.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready (true while the gate is open), Accepted, ResolvedRefs, Evaluated, Enforced; Reconciling or Stalled only while
	// true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// state is what everybody who waits for the gate acts on.
	// +optional
	State GateState `json:"state,omitempty"`
	// reason is what decided, such as "gate release_checkout = false (rule 4xYv)".
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
	// since is when the gate came to its state.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// closedSince is since when the gate has been anything but open, which is what spec.deadline counts from. Absent while it is open.
	// +optional
	ClosedSince *metav1.Time `json:"closedSince,omitempty"`
	// pending is the state that the gate is about to come to, when openAfter or closeAfter is over.
	// +optional
	Pending *PendingGateState `json:"pending,omitempty"`
	// heldPods is the number of pods that wait for the gate.
	// +optional
	// +kubebuilder:validation:Minimum=0
	HeldPods int32 `json:"heldPods,omitempty"`
	// pausedDeployments are the Deployments that the gate pauses, the first 50 by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=253
	PausedDeployments []string `json:"pausedDeployments,omitempty"`
	// history are the last ten changes of state, the newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	History []GateTransition `json:"history,omitempty"`
}

// PendingGateState is a state that a gate is about to come to.
type PendingGateState struct {
	// state to come.
	// +required
	State GateState `json:"state"`
	// since is when the expression took this value.
	// +required
	Since metav1.Time `json:"since"`
}

// GateTransition is one change of a gate's state.
type GateTransition struct {
	// state that the gate came to.
	// +required
	State GateState `json:"state"`
	// time of the change.
	// +required
	Time metav1.Time `json:"time"`
	// reason is what decided.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
}

// RolloutGate turns evaluated values into Open, Closed or Unknown, and holds rollouts on it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rg,categories=statsig
// +kubebuilder:selectablefield:JSONPath=`.spec.projectRef.name`
// +kubebuilder:selectablefield:JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.since`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Ready",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Held-Pods",type=integer,priority=1,JSONPath=`.status.heldPods`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="the name is part of a scheduling gate's, so it may have 63 characters at most"
type RolloutGate struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what the user wants.
	// +required
	Spec RolloutGateSpec `json:"spec"`
	// status is what the controller decided, and why.
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status RolloutGateStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions.
func (g *RolloutGate) GetConditions() []metav1.Condition { return g.Status.Conditions }

// SetConditions replaces the conditions.
func (g *RolloutGate) SetConditions(conditions []metav1.Condition) { g.Status.Conditions = conditions }

// RolloutGateList is a list of RolloutGates.
//
// +kubebuilder:object:root=true
type RolloutGateList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the gates.
	// +required
	Items []RolloutGate `json:"items"`
}
