package events

import (
	"strings"
	"time"
)

// RolloutPhase is what happened to a rollout. Its value is the end of the event's name.
type RolloutPhase string

// The phases of a rollout.
const (
	// RolloutStarted means that a workload began to roll out a revision.
	RolloutStarted RolloutPhase = "started"
	// RolloutRestarted means that a rollout started because flag values changed. It comes beside RolloutStarted, so that
	// each start has one RolloutStarted.
	RolloutRestarted RolloutPhase = "restarted"
	// RolloutFinished means that all replicas run the revision and are available.
	RolloutFinished RolloutPhase = "finished"
	// RolloutFailed means that the rollout made no progress within its deadline. It may finish later all the same.
	RolloutFailed RolloutPhase = "failed"
)

// rolloutEventPrefix begins the names of rollout events, which metrics are built on: they must not change.
const rolloutEventPrefix = "statsig_operator_rollout_"

// maxRolloutText bounds a text in the metadata of a rollout event, in bytes. Names of Kubernetes objects are shorter.
const maxRolloutText = 256

// Rollout is one thing that happened to a rollout of a workload.
type Rollout struct {
	Phase RolloutPhase
	// User is the unit's loggable user, as in [CustomEvent]: with it an experiment on workloads can be read by their
	// health.
	User []byte
	// Kind, Namespace and Name identify the workload.
	Kind, Namespace, Name string
	// Revision is the revision that is rolled out, and Hash the content hash of the flag values in it.
	Revision, Hash string
	// Replicas are wanted; of those Updated run the revision and Available are available.
	Replicas, Updated, Available int32
	// Duration is how long the rollout has taken so far; 0 where that is not known.
	Duration time.Duration
	// Time is when it was observed; the zero time stands for now.
	Time time.Time
}

// CustomEvent is the event of a rollout. It is named statsig_operator_rollout_ and the phase. Its value is the duration in
// seconds for a rollout that finished or failed, and null otherwise. Its metadata has the texts kind, namespace, name,
// revision and hash, each cut to 256 bytes and left out where empty, and the numbers replicas, updated and available.
func (r Rollout) CustomEvent() CustomEvent {
	metadata := map[string]Value{
		"replicas":  Number(float64(r.Replicas)),
		"updated":   Number(float64(r.Updated)),
		"available": Number(float64(r.Available)),
	}
	for name, text := range map[string]string{
		"kind": r.Kind, "namespace": r.Namespace, "name": r.Name, "revision": r.Revision, "hash": r.Hash,
	} {
		if text != "" {
			metadata[name] = String(cutText(text, maxRolloutText))
		}
	}
	e := CustomEvent{Name: rolloutEventPrefix + string(r.Phase), User: r.User, Metadata: metadata, Time: r.Time}
	if (r.Phase == RolloutFinished || r.Phase == RolloutFailed) && r.Duration > 0 {
		e.Value = Number(r.Duration.Seconds())
	}
	return e
}

// cutText cuts a text to a number of bytes, and drops what that leaves of a character.
func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// RolloutObservation is how a workload stands, as its object says.
type RolloutObservation struct {
	// Revision tells one rollout from the next, such as the annotation deployment.kubernetes.io/revision or a
	// StatefulSet's status.updateRevision. Scaling must not change it. Nothing can be said without it.
	Revision string
	// Hash is the content hash of the flag values in the pod template; empty when it holds none.
	Hash string
	// Generation and ObservedGeneration tell whether the counts below are of this object or of one before it.
	Generation, ObservedGeneration int64
	// Replicas are wanted, Total exist, Updated are of the new revision, Available are available.
	Replicas, Total, Updated, Available int32
	// DeadlineExceeded says that the condition Progressing is false with the reason ProgressDeadlineExceeded.
	DeadlineExceeded bool
	// StartedAt is when the revision came to be, such as when its ReplicaSet was created; zero stands for when it was
	// first observed.
	StartedAt time.Time
}

// isCurrent reports whether the workload's controller has seen the object as it is.
func (o *RolloutObservation) isCurrent() bool {
	return o.Revision != "" && o.ObservedGeneration >= o.Generation
}

// isComplete is kubectl's own rule: the new pods are all there, the old ones are gone, and the new ones are available.
func (o *RolloutObservation) isComplete() bool {
	return o.Updated >= o.Replicas && o.Total <= o.Updated && o.Available >= o.Updated
}

// RolloutState is what is known of a workload's latest rollout. It is small and fit to be stored, as JSON in an object's
// status for instance: with it kept over a restart, each thing that happens is told once. The zero value knows nothing.
type RolloutState struct {
	Revision string `json:"revision,omitempty"`
	Hash     string `json:"hash,omitempty"`
	// StartedAt is when the rollout started, the zero time if that was never observed.
	StartedAt time.Time `json:"startedAt,omitzero"`
	Failed    bool      `json:"failed,omitempty"`
	Finished  bool      `json:"finished,omitempty"`
}

// Observe returns the state after an observation at now, and what happened since the one before, in order. It depends
// on nothing but the two, so it may be called as often as wanted; an observation that is not current changes nothing.
//
// The first observation tells of nothing: it cannot know what was told before, by another process perhaps. A rollout
// that is found underway then still finishes or fails. A rollout that another one overtakes neither finishes nor fails.
// Store the state after the events were logged: a crash in between tells them twice, never not at all.
func (s RolloutState) Observe(o RolloutObservation, now time.Time) (next RolloutState, happened []RolloutPhase) {
	if !o.isCurrent() {
		return s, nil
	}
	isComplete := o.isComplete()
	if s.Revision == "" {
		return RolloutState{
			Revision: o.Revision, Hash: o.Hash, StartedAt: o.StartedAt, Failed: o.DeadlineExceeded, Finished: isComplete,
		}, nil
	}
	next = s
	if o.Revision != s.Revision {
		next = RolloutState{Revision: o.Revision, Hash: o.Hash, StartedAt: o.StartedAt}
		if next.StartedAt.IsZero() {
			next.StartedAt = now
		}
		happened = append(happened, RolloutStarted)
		if o.Hash != s.Hash {
			happened = append(happened, RolloutRestarted)
		}
	}
	switch {
	case next.Finished:
	case isComplete:
		next.Finished = true
		happened = append(happened, RolloutFinished)
	case o.DeadlineExceeded && !next.Failed:
		next.Failed = true
		happened = append(happened, RolloutFailed)
	}
	return next, happened
}

// Duration is how long the rollout has taken at now; 0 when its start is not known.
func (s RolloutState) Duration(now time.Time) time.Duration {
	if s.StartedAt.IsZero() {
		return 0
	}
	return max(now.Sub(s.StartedAt), 0)
}

// Report makes the events of what an observation brought about; workload says whose they are, and is completed by the
// state and the observation.
func (s RolloutState) Report(workload Rollout, o RolloutObservation, happened []RolloutPhase) []CustomEvent {
	events := make([]CustomEvent, 0, len(happened))
	for _, phase := range happened {
		r := workload
		r.Phase = phase
		r.Revision, r.Hash = s.Revision, s.Hash
		r.Replicas, r.Updated, r.Available = o.Replicas, o.Updated, o.Available
		r.Duration = s.Duration(workload.Time)
		events = append(events, r.CustomEvent())
	}
	return events
}
