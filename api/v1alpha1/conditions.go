package v1alpha1

// Condition types. Ready is always present. Reconciling and Stalled are present only while true, never both, and never beside
// Ready=True; together they give kstatus, and so Flux, Argo CD and kubectl wait, what they need.
const (
	// ConditionReady sums up the others. True: Synced, Late or Held (project), Applied or NoUnits (binding), GateOpen or FailurePolicy
	// (gate). False and Unknown: the reason of the condition that stands in the way; of a gate also GateClosed, HeldByHand,
	// DeadlineExceeded.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the controller works towards the spec, or retries. Its reason is that of Ready.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while only a change by somebody can help. Its reason is that of Ready.
	ConditionStalled = "Stalled"

	// ConditionCredentialsValid says whether Statsig takes the SDK key. True: Accepted, NotRequired. False: SecretNotFound,
	// KeyNotFound, Unauthorized. Unknown: Pending.
	ConditionCredentialsValid = "CredentialsValid"
	// ConditionSpecsFresh says whether the served specs are as new as the sources allow. True: Synced. False: Stale,
	// FetchFailed, Malformed, WrongProject, NoValues. Unknown: Pending, Late, Held, Suspended.
	ConditionSpecsFresh = "SpecsFresh"
	// ConditionEventsFlowing says whether exposures reach Statsig. True: Delivered, Disabled. False: Unauthorized,
	// DeliveryFailed. Unknown: Pending, Suspended.
	ConditionEventsFlowing = "EventsFlowing"

	// ConditionAccepted says whether the spec is understood. True: Accepted. False: Invalid.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs says whether the project and the workloads were found and may be used. True: Resolved. False:
	// RefNotFound, RefNotPermitted, KindNotFound, KindForbidden.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionEvaluated says whether every entry was evaluated for every unit. True: Evaluated, NoUnits. False:
	// EntityNotFound, UnsupportedOperator, EvaluationFailed, ValueNotFound, UserExpressionFailed, SpecsUnavailable; of a gate also
	// ExpressionFailed, Stale. Unknown: Pending, Suspended.
	ConditionEvaluated = "Evaluated"
	// ConditionMaterialized says whether every target holds the values. True: Applied. False: TargetConflict,
	// TargetTooLarge, TargetInvalid, WriteFailed. Unknown: Pending, Suspended.
	ConditionMaterialized = "Materialized"
	// ConditionEnforced says whether everything that a gate holds waits, or goes on, as its state wants. True: Enforced. False:
	// HoldConflict, WriteFailed. Unknown: Pending, Suspended.
	ConditionEnforced = "Enforced"
)

// Condition reasons, and so the reasons of Kubernetes Events.
const (
	// ReasonPending: not looked at yet, or the first answer is still awaited.
	ReasonPending = "Pending"
	// ReasonSuspended: spec.suspend is true. What stands in targets stays.
	ReasonSuspended = "Suspended"
	// ReasonAccepted: the spec, or the key, is good.
	ReasonAccepted = "Accepted"
	// ReasonInvalid: the spec cannot work as it stands; the message names the field.
	ReasonInvalid = "Invalid"
	// ReasonInternalError: an API call failed; it is retried.
	ReasonInternalError = "InternalError"

	// ReasonNotRequired: no source of this project needs an SDK key.
	ReasonNotRequired = "NotRequired"
	// ReasonSecretNotFound: the Secret with the SDK key does not exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonKeyNotFound: the Secret exists, the key in it does not, or is empty.
	ReasonKeyNotFound = "KeyNotFound"
	// ReasonUnauthorized: Statsig refuses the SDK key (401 or 403).
	ReasonUnauthorized = "Unauthorized"

	// ReasonSynced: the specs are fresh.
	ReasonSynced = "Synced"
	// ReasonHeld: there are newer specs, and spec.changeGuard holds them back.
	ReasonHeld = "Held"
	// ReasonLate: no source confirmed the specs for longer than spec.staleness.warnAfter.
	ReasonLate = "Late"
	// ReasonStale: no source confirmed the specs for longer than spec.staleness.failAfter.
	ReasonStale = "Stale"
	// ReasonFetchFailed: no source could be read and there are no specs yet.
	ReasonFetchFailed = "FetchFailed"
	// ReasonMalformed: a source gave something that is not a config specs document. The previous one stays in use.
	ReasonMalformed = "Malformed"
	// ReasonWrongProject: a source gave a document made for another SDK key. The previous one stays in use.
	ReasonWrongProject = "WrongProject"
	// ReasonNoValues: the source answered that there is nothing new, but nothing was held.
	ReasonNoValues = "NoValues"

	// ReasonDelivered: no batch of events is refused.
	ReasonDelivered = "Delivered"
	// ReasonDisabled: spec.events.disabled is true.
	ReasonDisabled = "Disabled"
	// ReasonDeliveryFailed: batches of events are not taken; they are retried.
	ReasonDeliveryFailed = "DeliveryFailed"

	// ReasonResolved: every reference was found.
	ReasonResolved = "Resolved"
	// ReasonRefNotFound: a referenced object does not exist.
	ReasonRefNotFound = "RefNotFound"
	// ReasonRefNotPermitted: the StatsigProject does not allow this namespace.
	ReasonRefNotPermitted = "RefNotPermitted"
	// ReasonKindNotFound: the API server does not know a workload's kind.
	ReasonKindNotFound = "KindNotFound"
	// ReasonKindForbidden: the operator may not read a workload's kind.
	ReasonKindForbidden = "KindForbidden"

	// ReasonEvaluated: every entry has an evaluated value for every unit.
	ReasonEvaluated = "Evaluated"
	// ReasonNoUnits: no workload or pod matches, so there was nothing to evaluate.
	ReasonNoUnits = "NoUnits"
	// ReasonEntityNotFound: the specs have no such gate, dynamic config, experiment, layer or parameter store.
	ReasonEntityNotFound = "EntityNotFound"
	// ReasonValueNotFound: the entity has no such path or parameter.
	ReasonValueNotFound = "ValueNotFound"
	// ReasonUnsupportedOperator: the entity uses a condition or an operator that is not supported.
	ReasonUnsupportedOperator = "UnsupportedOperator"
	// ReasonEvaluationFailed: the rules could not be evaluated (nested too deeply, or in a cycle).
	ReasonEvaluationFailed = "EvaluationFailed"
	// ReasonUserExpressionFailed: an expression of spec.subject.user failed for a unit.
	ReasonUserExpressionFailed = "UserExpressionFailed"
	// ReasonSpecsUnavailable: the project has no specs, so entries keep their values or take their defaults.
	ReasonSpecsUnavailable = "SpecsUnavailable"

	// ReasonExpressionFailed: a gate's expression was evaluated and gave an error, such as a comparison of unlike types.
	ReasonExpressionFailed = "ExpressionFailed"

	// ReasonGateOpen: rollouts may proceed.
	ReasonGateOpen = "GateOpen"
	// ReasonGateClosed: the expression is false, or has not been true for openAfter.
	ReasonGateClosed = "GateClosed"
	// ReasonHeldByHand: spec.hold.reason holds the gate closed.
	ReasonHeldByHand = "HeldByHand"
	// ReasonDeadlineExceeded: the gate has not been open for longer than spec.deadline.
	ReasonDeadlineExceeded = "DeadlineExceeded"
	// ReasonFailurePolicy: the expression has no answer, and spec.failurePolicy keeps the gate open.
	ReasonFailurePolicy = "FailurePolicy"
	// ReasonEnforced: what the gate holds waits, or goes on, as its state wants.
	ReasonEnforced = "Enforced"
	// ReasonHoldConflict: a Deployment is paused by somebody else, or its spec.paused is managed by somebody else; it was not touched.
	ReasonHoldConflict = "HoldConflict"

	// ReasonApplied: every target holds the evaluated values.
	ReasonApplied = "Applied"
	// ReasonTargetConflict: a target belongs to somebody else; it was not touched.
	ReasonTargetConflict = "TargetConflict"
	// ReasonTargetTooLarge: the values do not fit the target; its previous content stays.
	ReasonTargetTooLarge = "TargetTooLarge"
	// ReasonTargetInvalid: a target's name or key is not valid for some unit, or two units share one ConfigMap.
	ReasonTargetInvalid = "TargetInvalid"
	// ReasonWriteFailed: writing a target failed; it is retried.
	ReasonWriteFailed = "WriteFailed"
)

// Names that the operator reads from and writes to objects.
const (
	// Finalizer keeps a FlagBinding until what owner references don't reach (pod annotations) is cleaned up, and a RolloutGate until
	// what it holds is released.
	Finalizer = "flags.statsig-operator.dev/cleanup"
	// ManagedByLabel with the value ManagedByValue marks ConfigMaps that a FlagBinding made.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedByValue is the value of ManagedByLabel.
	ManagedByValue = "statsig-operator"
	// BindingUIDLabel holds the UID of the FlagBinding that made a ConfigMap.
	BindingUIDLabel = "flags.statsig-operator.dev/binding-uid"
	// BindingAnnotation holds the name of the FlagBinding that made a ConfigMap, so that one that is created again under that name
	// takes up what its predecessor left.
	BindingAnnotation = "flags.statsig-operator.dev/binding"
	// ApproveAnnotation on a StatsigProject holds the hash of held specs that may come into use.
	ApproveAnnotation = "flags.statsig-operator.dev/approve-specs"
	// SchedulingGatePrefix, followed by the name of a RolloutGate, is the scheduling gate of the pods that wait for it.
	SchedulingGatePrefix = "flags.statsig-operator.dev/"
	// RolloutGateLabel on a pod names the RolloutGate whose scheduling gate the MutatingAdmissionPolicy in config/admission gives it.
	RolloutGateLabel = "flags.statsig-operator.dev/rollout-gate"
	// HashAnnotation holds the content hash of a ConfigMap that a FlagBinding made.
	HashAnnotation = "flags.statsig-operator.dev/hash"
	// PodHashAnnotationPrefix, followed by the name of a FlagBinding, is the annotation that holds the content hash of what
	// that binding wrote to a pod.
	PodHashAnnotationPrefix = "hash.flags.statsig-operator.dev/"
)
