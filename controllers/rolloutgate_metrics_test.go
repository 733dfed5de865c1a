package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestGatesAreCountedByState(t *testing.T) {
	for name, tc := range map[string]struct {
		gates []client.Object
		want  map[string]float64
	}{
		"Without gates every state has none": {nil, map[string]float64{"Open": 0, "Closed": 0, "Unknown": 0}},
		"A gate that nobody looked at yet is unknown": {
			[]client.Object{newGate("a").Was("Open").Obj(), newGate("b").Was("Open").Obj(), newGate("c").Was("Closed").Obj(), newGate("d").Obj()},
			map[string]float64{"Open": 2, "Closed": 1, "Unknown": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewPedanticRegistry() // refuses what was not described
			if err := registry.Register(&gatesCollector{fakeCluster(t, tc.gates...)}); err != nil {
				t.Fatal(err)
			}
			families, err := registry.Gather()
			if err != nil || len(families) != 1 {
				t.Fatalf("families: want 1, got %d (%v)", len(families), err)
			}
			got := map[string]float64{}
			for _, m := range families[0].GetMetric() {
				got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("gates by state (-want +got):\n%s", diff)
			}
		})
	}
}
