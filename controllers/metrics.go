package controllers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/statsig-operator/statsig-operator/pkg/events"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// The operator's own metrics. Labels are bounded: no object, user or flag is ever a label.
var (
	targetWrites = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statsig_operator_target_writes_total",
		Help: "Writes to targets of FlagBindings, by kind of object.",
	}, []string{"kind"})
	propagation = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "statsig_operator_propagation_seconds",
		Help:    "Time from the receipt of new specs until a FlagBinding's targets held the values.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	})
	gateTransitions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statsig_operator_gate_transitions_total",
		Help: "Changes of the state of RolloutGates, by the state that they came to.",
	}, []string{"state"})
	specsRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statsig_operator_specs_requests_total",
		Help: "Requests for config specs and ID lists, by source and outcome.",
	}, []string{"source", "outcome"})
	specsRequestSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "statsig_operator_specs_request_duration_seconds",
		Help:    "Duration of requests for config specs and ID lists, decoding and compiling included.",
		Buckets: prometheus.ExponentialBuckets(.001, 4, 8),
	}, []string{"source"})
	eventsDelivered = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "statsig_operator_events_delivered_total",
		Help: "Events that the events endpoint took.",
	})
	eventsBytes = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "statsig_operator_events_delivered_bytes_total",
		Help: "Compressed bytes of the batches that the events endpoint took.",
	})
	eventsDropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statsig_operator_events_dropped_total",
		Help: "Events given up, by reason.",
	}, []string{"reason"})
	eventsSetAside = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statsig_operator_events_set_aside_total",
		Help: "Events that the events endpoint refused for good and that were kept on disk, by reason.",
	}, []string{"reason"})
	eventsSpoolFailures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "statsig_operator_events_spool_failures_total",
		Help: "Times that the disk refused to take or to give back events; they stay in memory meanwhile.",
	})
	eventsFailures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "statsig_operator_events_failed_requests_total",
		Help: "Requests to the events endpoint that failed.",
	})
	servingRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statsig_operator_serving_requests_total",
		Help: "Requests to the endpoints for gates and evaluations, by endpoint and HTTP status.",
	}, []string{"endpoint", "status"})
	servingSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "statsig_operator_serving_request_duration_seconds",
		Help:    "Duration of requests to the endpoints for gates and evaluations.",
		Buckets: prometheus.ExponentialBuckets(.0005, 4, 8),
	}, []string{"endpoint"})
	eventsRequestSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "statsig_operator_events_request_duration_seconds",
		Help:    "Duration of the requests that delivered events.",
		Buckets: prometheus.ExponentialBuckets(.005, 4, 7),
	})
)

// RegisterMetrics adds the operator's metrics to controller-runtime's registry. Call it once per process.
func (o *Operator) RegisterMetrics() error {
	if err := registerCounters(); err != nil {
		return err
	}
	if err := metrics.Registry.Register(&gatesCollector{o.runtimes.Bindings}); err != nil {
		return err
	}
	return metrics.Registry.Register(&runtimesCollector{o.runtimes})
}

// registerCounters adds what the process counts, whichever operator in it does.
func registerCounters() error {
	for _, c := range []prometheus.Collector{
		targetWrites, propagation, gateTransitions, specsRequests, specsRequestSeconds,
		eventsDelivered, eventsBytes, eventsDropped, eventsSetAside, eventsSpoolFailures, eventsFailures, eventsRequestSeconds,
		servingRequests, servingSeconds,
	} {
		if err := metrics.Registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// requestMetrics counts requests for specs.
type requestMetrics struct{}

func (requestMetrics) Observe(r specsync.Request) {
	specsRequests.WithLabelValues(r.Source, string(r.Outcome)).Inc()
	specsRequestSeconds.WithLabelValues(r.Source).Observe(r.Took.Seconds())
}

// deliveryMetrics counts events, and tells of news.
type deliveryMetrics struct{ news func() }

func (m deliveryMetrics) EventsDelivered(events, bytes int, took time.Duration) {
	eventsDelivered.Add(float64(events))
	eventsBytes.Add(float64(bytes))
	eventsRequestSeconds.Observe(took.Seconds())
	m.news()
}

func (m deliveryMetrics) EventsDropped(reason events.Reason, n int) {
	eventsDropped.WithLabelValues(string(reason)).Add(float64(n))
	m.news()
}

func (m deliveryMetrics) EventsSetAside(reason events.Reason, n int) {
	eventsSetAside.WithLabelValues(string(reason)).Add(float64(n))
	m.news()
}

func (m deliveryMetrics) SpoolFailed(error) {
	eventsSpoolFailures.Inc()
	m.news()
}

func (m deliveryMetrics) RequestFailed(error) {
	eventsFailures.Inc()
	m.news()
}
