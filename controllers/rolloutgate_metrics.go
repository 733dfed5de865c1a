package controllers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

var gatesDesc = prometheus.NewDesc("statsig_operator_gates",
	"RolloutGates by state; the same on every replica. Those that were not looked at yet are Unknown.", []string{"state"}, nil)

// gatesTimeout bounds how long a scrape waits for a cache that has just started.
const gatesTimeout = time.Second

// gatesCollector counts RolloutGates in the cache, when it is asked.
type gatesCollector struct{ gates client.Reader }

// Describe implements [prometheus.Collector].
func (c *gatesCollector) Describe(to chan<- *prometheus.Desc) { to <- gatesDesc }

// Collect implements [prometheus.Collector]. Before the cache is there it tells nothing.
func (c *gatesCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), gatesTimeout) //nolint:forbidigo // a scrape has no context
	defer cancel()
	list := &v1alpha1.RolloutGateList{}
	if err := c.gates.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	counts := map[v1alpha1.GateState]int{v1alpha1.GateOpen: 0, v1alpha1.GateClosed: 0, v1alpha1.GateUnknown: 0}
	for i := range list.Items {
		state := list.Items[i].Status.State
		if state == "" {
			state = v1alpha1.GateUnknown
		}
		counts[state]++
	}
	for state, n := range counts {
		to <- prometheus.MustNewConstMetric(gatesDesc, prometheus.GaugeValue, float64(n), string(state))
	}
}
