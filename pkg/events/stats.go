package events

import (
	"errors"
	"maps"
	"sync"
	"time"
)

// Reason says why an event was dropped.
type Reason string

// The reasons for which events are dropped.
const (
	// ReasonDisabled means that logging is switched off.
	ReasonDisabled Reason = "disabled"
	// ReasonTooLarge means that one event is larger than a whole batch may be.
	ReasonTooLarge Reason = "too_large"
	// ReasonOverflow means that the queue was full and newer events took the place.
	ReasonOverflow Reason = "overflow"
	// ReasonSpoolFull means that the spool was full and newer events took the place.
	ReasonSpoolFull Reason = "spool_full"
	// ReasonDamaged means that the spool could not be read back.
	ReasonDamaged Reason = "spool_damaged"
	// ReasonNetworkDisabled means that sending is switched off.
	ReasonNetworkDisabled Reason = "network_disabled"
	// ReasonRejected means that the endpoint refused the batch for good: status 400, 405, 413 or 501.
	ReasonRejected Reason = "rejected"
	// ReasonUnauthorized means that the endpoint refused the SDK key: status 403, or 401 at the last attempt.
	ReasonUnauthorized Reason = "unauthorized"
	// ReasonThrottled means that the endpoint answered 429 without saying when to come back, or at the last attempt.
	ReasonThrottled Reason = "throttled"
	// ReasonExhausted means that the last attempt failed.
	ReasonExhausted Reason = "retries_exhausted"
	// ReasonShutdown means that the event came after the end, or could not be sent before it.
	ReasonShutdown Reason = "shutdown"
)

// State says how delivery is doing, judged by the latest attempt.
type State string

// The states of delivery.
const (
	// StateIdle means that nothing has been sent yet.
	StateIdle State = "Idle"
	// StateFlowing means that the latest attempt delivered its batch.
	StateFlowing State = "Flowing"
	// StateFailing means that the latest attempt failed.
	StateFailing State = "Failing"
	// StateUnauthorized means that the latest attempt failed because the endpoint refused the SDK key.
	StateUnauthorized State = "Unauthorized"
	// StateDisabled means that logging is switched off.
	StateDisabled State = "Disabled"
	// StateNetworkDisabled means that sending is switched off.
	StateNetworkDisabled State = "NetworkDisabled"
)

// Stats is a snapshot of a logger's counters since it was made. Once no call is running, the events logged and those
// recovered, repeated exposures aside, are the sum of Delivered, Pending, Spool.Events, SetAside and Dropped.
type Stats struct {
	State State
	// Circuit says whether requests are let through.
	Circuit CircuitState
	// Delivered counts the events that the endpoint confirmed, and DeliveredBytes the compressed size of their batches.
	Delivered, DeliveredBytes int64
	// Latency is how long the latest confirmed request took.
	Latency time.Duration
	// Pending is the number of events in memory: queued or being sent.
	Pending int
	// PendingBytes is the serialised size of the queued events, without those being sent.
	PendingBytes int
	// Spool says what is on disk.
	Spool SpoolStats
	// SetAside counts the events that the endpoint refused and that were kept for people to look at, by reason. The map
	// is the caller's own.
	SetAside map[Reason]int64
	// Dropped counts the events lost, by reason. The map is the caller's own.
	Dropped map[Reason]int64
	// Retried counts the requests that repeated a failed one.
	Retried int64
	// Repeated counts the exposures left out because an equal one was logged recently.
	Repeated int64
	// DedupeKeys is the number of exposures remembered for that.
	DedupeKeys int
	// SampledOut counts the exposures left out because the project asks for a sample that does not hold them.
	SampledOut int64
	// SamplingKeys is the number of rules whose first exposure is remembered for that.
	SamplingKeys int
	// CheckNames is the number of names whose checks without exposure are counted until they are reported.
	CheckNames int
	// ConsecutiveFailures is the number of failed requests since the last delivery.
	ConsecutiveFailures int
	// LastError is why the latest failed request failed; nil when none has. It holds no key, URL or event, and stays
	// after a recovery.
	LastError error
	// LastDelivery is when a batch was last confirmed; zero when none was.
	LastDelivery time.Time
}

// SpoolStats is the part of [Stats] about the spool.
type SpoolStats struct {
	State SpoolState
	// Events is the number of events on disk only. Those in memory too count as pending.
	Events int
	// Records and Bytes are what is on disk.
	Records int
	Bytes   int64
	// Oldest is when the oldest of them was written; zero when there is none.
	Oldest time.Time
	// Recovered counts the events that earlier processes or lost replicas left.
	Recovered int64
	// Corrupted counts the places on disk that could not be read, and Torn the segments that broke off at their end.
	Corrupted, Torn int64
	// DeadFiles and DeadBytes are what was set aside and is still kept.
	DeadFiles int
	DeadBytes int64
	// Failed counts what the disk refused. LastError is the latest of it, and stays after a recovery.
	Failed    int64
	LastError error
}

// Observer is told of deliveries and losses as they happen, to keep metrics. Its methods are called from several
// goroutines, partly with locks held: they must be quick and must not call the logger.
type Observer interface {
	// EventsDelivered is called for each confirmed batch, with its compressed size in bytes and how long the request
	// took.
	EventsDelivered(events, bytes int, took time.Duration)
	// EventsDropped is called for each loss.
	EventsDropped(reason Reason, events int)
	// EventsSetAside is called for each batch that was set aside.
	EventsSetAside(reason Reason, events int)
	// RequestFailed is called for each failed request. err holds no key, URL or event.
	RequestFailed(err error)
	// SpoolFailed is called when the disk refuses. err may hold the path of the spool.
	SpoolFailed(err error)
}

type noObserver struct{}

func (noObserver) EventsDelivered(int, int, time.Duration) {}
func (noObserver) EventsDropped(Reason, int)               {}
func (noObserver) EventsSetAside(Reason, int)              {}
func (noObserver) RequestFailed(error)                     {}
func (noObserver) SpoolFailed(error)                       {}

// ledger counts what happened to events.
type ledger struct {
	observer Observer

	mu           sync.Mutex
	delivered    int64
	bytes        int64
	batches      int64
	latency      time.Duration
	dropped      map[Reason]int64
	setAside     map[Reason]int64
	retried      int64
	failures     int
	lastError    error
	lastDelivery time.Time
}

func newLedger(observer Observer) *ledger {
	return &ledger{observer: observer, dropped: map[Reason]int64{}, setAside: map[Reason]int64{}}
}

func (l *ledger) countDelivered(events, bytes int, at time.Time, took time.Duration) {
	l.mu.Lock()
	l.delivered += int64(events)
	l.bytes += int64(bytes)
	l.batches++
	l.latency = took
	l.failures = 0
	l.lastDelivery = at
	l.mu.Unlock()
	l.observer.EventsDelivered(events, bytes, took)
}

// deliveries returns the number of batches delivered.
func (l *ledger) deliveries() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.batches
}

func (l *ledger) countSetAside(reason Reason, events int) {
	l.mu.Lock()
	l.setAside[reason] += int64(events)
	l.mu.Unlock()
	l.observer.EventsSetAside(reason, events)
}

func (l *ledger) countDropped(reason Reason, events int) {
	l.mu.Lock()
	l.dropped[reason] += int64(events)
	l.mu.Unlock()
	l.observer.EventsDropped(reason, events)
}

// countFailure returns the number of failures since the last delivery.
func (l *ledger) countFailure(err error) (consecutive int) {
	l.mu.Lock()
	l.failures++
	l.lastError = err
	consecutive = l.failures
	l.mu.Unlock()
	l.observer.RequestFailed(err)
	return consecutive
}

func (l *ledger) countRetry() {
	l.mu.Lock()
	l.retried++
	l.mu.Unlock()
}

// stats fills in what the ledger knows.
func (l *ledger) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{
		State:               StateIdle,
		Delivered:           l.delivered,
		DeliveredBytes:      l.bytes,
		Latency:             l.latency,
		SetAside:            maps.Clone(l.setAside),
		Dropped:             maps.Clone(l.dropped),
		Retried:             l.retried,
		ConsecutiveFailures: l.failures,
		LastError:           l.lastError,
		LastDelivery:        l.lastDelivery,
	}
	switch {
	case l.failures > 0 && errors.Is(l.lastError, ErrUnauthorized):
		s.State = StateUnauthorized
	case l.failures > 0:
		s.State = StateFailing
	case !l.lastDelivery.IsZero():
		s.State = StateFlowing
	}
	return s
}
