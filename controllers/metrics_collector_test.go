package controllers

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statsig-operator/statsig-operator/pkg/events"
)

func TestGaugesSumUpWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning(t)
		first := r.ensured(t, newProject("a").Sources(mapSource).Obj(), plainKey)
		r.ensured(t, newProject("b").Sources(mapSource).Obj(), "another-"+plainKey)
		first.logger.Log(events.CustomEvent{Name: "waiting"})
		first.logger.CountCheck("counted")
		got := r.gauges(time.Now().Add(time.Minute))
		if got.projects != 2 || got.pending != 1 || got.pendingBytes == 0 || got.checkNames != 1 {
			t.Errorf("want 2 projects, 1 event pending and 1 name counted, got %+v", got)
		}
		if got.age < time.Minute || got.failures != 0 || got.held != 0 || got.openCircuits != 0 {
			t.Errorf("want specs that are a minute old and nothing amiss, got %+v", got)
		}
	})
}

func TestEveryGaugeIsDescribed(t *testing.T) {
	r := &runtimesCollector{&Runtimes{Now: time.Now}}
	registry := prometheus.NewPedanticRegistry() // refuses what was not described, and what is described and not collected
	if err := registry.Register(r); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	described := make(chan *prometheus.Desc, 100)
	r.Describe(described)
	if len(families) != len(described) || len(families) == 0 {
		t.Errorf("%d gauges are described, %d collected", len(described), len(families))
	}
}
