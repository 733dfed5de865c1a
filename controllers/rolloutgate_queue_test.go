package controllers

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// gatesOfClosures has gates whose expressions name entities of closures, one that is no expression, and one to another project.
func gatesOfClosures() []client.Object {
	other := newGate("elsewhere").Open("gate('top')").With(func(g *v1alpha1.RolloutGate) { g.Spec.ProjectRef.Name = "other" })
	return []client.Object{
		newProject("checkout").With(func(p *v1alpha1.StatsigProject) {
			p.Spec.Staleness = &v1alpha1.StalenessSpec{FailAfter: durationOf(10 * time.Minute)}
		}).Obj(),
		newGate("top").Open("gate('plain') && !gate('top')").Obj(),
		newGate("middle").Open("gate('middle')").Obj(),
		newGate("nested-list").Open("gate('nested_list') || config('limits').rps > 5").Obj(),
		newGate("ranking").Open("layer('ranking').model == 'boost'").Obj(),
		newGate("model").Open("experiment('model').model == 'boost'").Obj(),
		newGate("ui").Open("parameterStore('ui').theme == 'modern'").Obj(),
		newGate("not-yet").Open("gate('not_yet')").Obj(),
		newGate("broken").Open("gate('plain'").Obj(),
		other.Obj(),
	}
}

// gatesOfProject are all gates of gatesOfClosures but that to another project.
var gatesOfProject = []string{"broken", "middle", "model", "nested-list", "not-yet", "ranking", "top", "ui"}

// gatesQueuedBy returns the gates that a change of a project's state queues within a time, sorted.
func gatesQueuedBy(t *testing.T, within time.Duration, was, is func(now time.Time) specsync.State) []string {
	t.Helper()
	var queued []string
	synctest.Test(t, func(t *testing.T) {
		r := NewRuntimes(&secret.Scrubber{}, "test", "")
		t.Cleanup(r.endRun)
		r.Bindings, r.Now = fakeCluster(t, gatesOfClosures()...), time.Now
		queue := queueOf(t, &r.gateRequests)
		r.onChange(requestFor("checkout").NamespacedName, was(time.Now()), is(time.Now()))
		time.Sleep(within)
		synctest.Wait()
		queued = takeAll(queue)
	})
	slices.Sort(queued)
	return queued
}

func always(state specsync.State) func(time.Time) specsync.State {
	return func(time.Time) specsync.State { return state }
}

func TestANewSnapshotQueuesTheGatesItTouches(t *testing.T) {
	off := func(name string) *evaltest.SpecBuilder { return evaltest.NewGate(name).Disabled() }
	for name, tc := range map[string]struct {
		next *evaltest.Document
		want []string
	}{
		"An unrelated spec touches nobody":               {closures(off("unrelated")), nil},
		"A gate touches the expressions that name it":    {closures(off("plain")), []string{"top"}},
		"A gate two levels deep touches all above it":    {closures(off("leaf")), []string{"middle", "top", "ui"}},
		"A dynamic config touches those that name it":    {closures(evaltest.NewDynamicConfig("limits")), []string{"nested-list"}},
		"A gate that appears touches those that lack it": {closures(evaltest.NewGate("not_yet")), []string{"not-yet"}},
		"A parameter store touches those that name it":   {closures().Store("ui", map[string]any{"theme": evaltest.Static("dark")}), []string{"ui"}},
		"An experiment touches the layer that delegates to it": {
			closures(evaltest.NewExperiment("model").Rule(evaltest.NewRule("test").Group("Test").Return(map[string]any{"model": "tree"}))),
			[]string{"model", "ranking"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			was := specsync.State{Attempted: true, Snapshot: evaltest.Compile(t, closures())}
			is := specsync.State{Attempted: true, Snapshot: evaltest.Compile(t, tc.next)}
			if diff := cmp.Diff(tc.want, gatesQueuedBy(t, 0, always(was), always(is))); diff != "" {
				t.Errorf("gates (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheFirstAnswerQueuesAllGates(t *testing.T) {
	snapshot := evaltest.Compile(t, closures())
	for name, tc := range map[string]struct{ was, is specsync.State }{
		"Specs come":                 {specsync.State{}, specsync.State{Attempted: true, Snapshot: snapshot}},
		"No specs come":              {specsync.State{}, specsync.State{Attempted: true, Err: specsync.ErrNoSpecs}},
		"Specs come after a failure": {specsync.State{Attempted: true}, specsync.State{Attempted: true, Snapshot: snapshot}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(gatesOfProject, gatesQueuedBy(t, 0, always(tc.was), always(tc.is))); diff != "" {
				t.Errorf("gates (-want +got):\n%s", diff)
			}
		})
	}
}

// An outage matters to gates only when it lasts as long as the project's staleness.failAfter, here ten minutes.
func TestAnOutageQueuesGatesOnlyWhenItIsLong(t *testing.T) {
	snapshot := evaltest.Compile(t, closures())
	state := func(age time.Duration, err error) func(time.Time) specsync.State {
		return func(now time.Time) specsync.State {
			return specsync.State{Attempted: true, Snapshot: snapshot, LastSuccess: now.Add(-age), Err: err}
		}
	}
	for name, tc := range map[string]struct {
		was, is func(time.Time) specsync.State
		within  time.Duration
		want    []string
	}{
		"A source that fails changes nothing yet":       {state(0, nil), state(0, specsync.ErrUnauthorized), 9 * time.Minute, nil},
		"It does when the specs are too old":            {state(0, nil), state(0, specsync.ErrUnauthorized), 10 * time.Minute, gatesOfProject},
		"What passed before it was noticed counts":      {state(0, nil), state(8*time.Minute, specsync.ErrUnauthorized), 2 * time.Minute, gatesOfProject},
		"Another failure is no news":                    {state(time.Hour, specsync.ErrNoSpecs), state(time.Hour, specsync.ErrUnauthorized), time.Hour, nil},
		"The end of a short outage changes nothing":     {state(9*time.Minute, specsync.ErrUnauthorized), state(0, nil), time.Hour, nil},
		"The end of a long one is looked at at once":    {state(10*time.Minute, specsync.ErrUnauthorized), state(0, nil), 0, gatesOfProject},
		"A source that answers again and again is none": {state(time.Minute, nil), state(0, nil), time.Hour, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, gatesQueuedBy(t, tc.within, tc.was, tc.is)); diff != "" {
				t.Errorf("gates (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANewIDListQueuesTheGatesThatReadIt(t *testing.T) {
	lists := downloadLists(t)
	snapshot := evaltest.Compile(t, closures())
	state := func(lists *specsync.IDLists) func(time.Time) specsync.State {
		return always(specsync.State{Attempted: true, Snapshot: snapshot, IDLists: lists})
	}
	for name, tc := range map[string]struct {
		was, is *specsync.IDLists
		want    []string
	}{
		"A list that appears touches those whose gates read it": {nil, lists, []string{"nested-list"}},
		"A list that stays touches nobody":                      {lists, lists, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, gatesQueuedBy(t, 0, state(tc.was), state(tc.is))); diff != "" {
				t.Errorf("gates (-want +got):\n%s", diff)
			}
		})
	}
}
