package controllers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statsig-operator/statsig-operator/pkg/events"
)

// Gauges are added up over all projects, or are those of the worst one: no project is ever a label.
var (
	projectsDesc = prometheus.NewDesc("statsig_operator_projects",
		"StatsigProjects whose specs are synced by this replica.", nil, nil)
	heldDesc = prometheus.NewDesc("statsig_operator_projects_held",
		"StatsigProjects with newer specs that their change guard holds.", nil, nil)
	ageDesc = prometheus.NewDesc("statsig_operator_specs_age_seconds",
		"Time since a source confirmed the specs, of the project where it is longest.", nil, nil)
	failuresDesc = prometheus.NewDesc("statsig_operator_specs_consecutive_failures",
		"Polls that failed since the last good one, of the project where it is most.", nil, nil)
	pendingDesc = prometheus.NewDesc("statsig_operator_events_pending",
		"Events in memory that wait for delivery.", nil, nil)
	pendingBytesDesc = prometheus.NewDesc("statsig_operator_events_pending_bytes",
		"Size of the events in memory that wait for delivery, before compression.", nil, nil)
	spooledDesc = prometheus.NewDesc("statsig_operator_events_spooled",
		"Events that wait on disk only.", nil, nil)
	spoolBytesDesc = prometheus.NewDesc("statsig_operator_events_spool_bytes",
		"Disk space of the events that wait.", nil, nil)
	dedupeDesc = prometheus.NewDesc("statsig_operator_events_dedupe_keys",
		"Exposures remembered so that they are not repeated too soon.", nil, nil)
	samplingDesc = prometheus.NewDesc("statsig_operator_events_sampling_keys",
		"Rules remembered because their first exposure is always sent where a project asks for sampling.", nil, nil)
	checksDesc = prometheus.NewDesc("statsig_operator_events_check_names",
		"Names whose checks without exposure are counted until they are reported.", nil, nil)
	retriedDesc = prometheus.NewDesc("statsig_operator_events_retried_requests",
		"Requests that repeated a failed one, since the settings of their project last changed.", nil, nil)
	circuitsDesc = prometheus.NewDesc("statsig_operator_events_open_circuits",
		"Projects whose events endpoint is left alone for a while because it fails.", nil, nil)
)

// runtimesCollector reads gauges from what runs, when it is asked.
type runtimesCollector struct{ runtimes *Runtimes }

// Describe implements [prometheus.Collector].
func (c *runtimesCollector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		projectsDesc, heldDesc, ageDesc, failuresDesc, pendingDesc, pendingBytesDesc, spooledDesc, spoolBytesDesc, dedupeDesc, samplingDesc, checksDesc,
		retriedDesc, circuitsDesc,
	} {
		to <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c *runtimesCollector) Collect(to chan<- prometheus.Metric) {
	g := c.runtimes.gauges(c.runtimes.Now())
	for _, gauge := range []struct {
		desc  *prometheus.Desc
		value float64
	}{
		{projectsDesc, float64(g.projects)}, {heldDesc, float64(g.held)}, {ageDesc, g.age.Seconds()}, {failuresDesc, float64(g.failures)},
		{pendingDesc, float64(g.pending)}, {pendingBytesDesc, float64(g.pendingBytes)},
		{spooledDesc, float64(g.spooled)}, {spoolBytesDesc, float64(g.spoolBytes)},
		{dedupeDesc, float64(g.dedupeKeys)}, {samplingDesc, float64(g.samplingKeys)}, {checksDesc, float64(g.checkNames)},
		{retriedDesc, float64(g.retried)}, {circuitsDesc, float64(g.openCircuits)},
	} {
		to <- prometheus.MustNewConstMetric(gauge.desc, prometheus.GaugeValue, gauge.value)
	}
}

// gauges sum up what runs.
type gauges struct {
	projects, held, failures                           int
	age                                                time.Duration
	pending, pendingBytes, spooled                     int
	dedupeKeys, samplingKeys, checkNames, openCircuits int
	spoolBytes, retried                                int64
}

func (r *Runtimes) gauges(now time.Time) gauges {
	r.mu.Lock()
	running := make([]*projectRuntime, 0, len(r.byProject))
	for _, p := range r.byProject {
		if p != nil {
			running = append(running, p)
		}
	}
	r.mu.Unlock()
	g := gauges{projects: len(running)}
	for _, p := range running {
		state := p.state()
		if age, ok := state.Age(now); ok {
			g.age = max(g.age, age)
		}
		if state.Held != nil {
			g.held++
		}
		g.failures = max(g.failures, state.ConsecutiveFailures)
		if p.logger == nil {
			continue
		}
		stats := p.logger.Stats()
		g.pending += stats.Pending
		g.pendingBytes += stats.PendingBytes
		g.spooled += stats.Spool.Events
		g.spoolBytes += stats.Spool.Bytes
		g.dedupeKeys += stats.DedupeKeys
		g.samplingKeys += stats.SamplingKeys
		g.checkNames += stats.CheckNames
		g.retried += stats.Retried
		if stats.Circuit == events.CircuitOpen {
			g.openCircuits++
		}
	}
	return g
}
