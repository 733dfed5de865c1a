package events

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// deployment is an observation of three replicas whose controller has seen the latest object.
func deployment(revision, hash string, updated, available, total int32) RolloutObservation {
	return RolloutObservation{
		Revision: revision, Hash: hash, Generation: 4, ObservedGeneration: 4,
		Replicas: 3, Total: total, Updated: updated, Available: available,
	}
}

func TestRolloutsAreToldOnce(t *testing.T) {
	atDeadline := func(o RolloutObservation) RolloutObservation { o.DeadlineExceeded = true; return o }
	notSeen := func(o RolloutObservation) RolloutObservation { o.Generation = 5; return o }
	scaledTo := func(replicas int32, o RolloutObservation) RolloutObservation { o.Replicas = replicas; return o }
	done := deployment("1", "a", 3, 3, 3)
	tests := map[string]struct {
		observations []RolloutObservation
		want         []string // by observation
	}{
		"a workload that stands still tells nothing": {
			observations: []RolloutObservation{done, done, done}, want: []string{"", "", ""},
		},
		"a rollout starts and finishes": {
			observations: []RolloutObservation{done, deployment("2", "a", 1, 3, 4), deployment("2", "a", 3, 2, 3), deployment("2", "a", 3, 3, 3), deployment("2", "a", 3, 3, 3)},
			want:         []string{"", "started", "", "finished", ""},
		},
		"a rollout for other values is a restart": {
			observations: []RolloutObservation{done, deployment("2", "b", 0, 3, 3), deployment("2", "b", 3, 3, 3)},
			want:         []string{"", "started restarted", "finished"},
		},
		"a rollout that is over when it is seen has all of it": {
			observations: []RolloutObservation{done, deployment("2", "b", 3, 3, 3)}, want: []string{"", "started restarted finished"},
		},
		"counts of an object before this one say nothing": {
			observations: []RolloutObservation{done, notSeen(deployment("2", "a", 3, 3, 3)), deployment("2", "a", 0, 3, 3)},
			want:         []string{"", "", "started"},
		},
		"an unknown revision says nothing": {
			observations: []RolloutObservation{done, deployment("", "b", 0, 0, 0), done}, want: []string{"", "", ""},
		},
		"old pods that are still there are part of the rollout": {
			observations: []RolloutObservation{done, deployment("2", "a", 3, 4, 4), deployment("2", "a", 3, 3, 3)}, want: []string{"", "started", "finished"},
		},
		"a rollout fails at its deadline, once": {
			observations: []RolloutObservation{done, deployment("2", "a", 1, 2, 4), atDeadline(deployment("2", "a", 1, 2, 4)), atDeadline(deployment("2", "a", 1, 2, 4))},
			want:         []string{"", "started", "failed", ""},
		},
		"a failed rollout may finish all the same": {
			observations: []RolloutObservation{done, atDeadline(deployment("2", "a", 1, 2, 4)), deployment("2", "a", 3, 3, 3)},
			want:         []string{"", "started failed", "finished"},
		},
		"a rollout that is overtaken neither finishes nor fails": {
			observations: []RolloutObservation{done, deployment("2", "a", 1, 2, 4), deployment("3", "a", 1, 2, 4), deployment("3", "a", 3, 3, 3)},
			want:         []string{"", "started", "started", "finished"},
		},
		"rolling back is a rollout": {
			observations: []RolloutObservation{done, deployment("2", "b", 3, 3, 3), deployment("1", "a", 3, 3, 3)},
			want:         []string{"", "started restarted finished", "started restarted finished"},
		},
		"scaling is none": {
			observations: []RolloutObservation{done, scaledTo(5, done), scaledTo(1, done)}, want: []string{"", "", ""},
		},
		"pods that fail after the end are none": {
			observations: []RolloutObservation{done, deployment("1", "a", 3, 0, 3), atDeadline(deployment("1", "a", 3, 0, 3)), done},
			want:         []string{"", "", "", ""},
		},
		"a rollout found underway finishes": {
			observations: []RolloutObservation{deployment("2", "a", 1, 3, 4), deployment("2", "a", 3, 3, 3)}, want: []string{"", "finished"},
		},
		"a rollout found underway fails": {
			observations: []RolloutObservation{deployment("2", "a", 1, 3, 4), atDeadline(deployment("2", "a", 1, 3, 4))}, want: []string{"", "failed"},
		},
		"a rollout found failed does not fail again": {
			observations: []RolloutObservation{atDeadline(deployment("2", "a", 1, 3, 4)), atDeadline(deployment("2", "a", 1, 3, 4))}, want: []string{"", ""},
		},
		"a workload without replicas is done at once": {
			observations: []RolloutObservation{scaledTo(0, deployment("1", "a", 0, 0, 0)), scaledTo(0, deployment("2", "a", 0, 0, 0))},
			want:         []string{"", "started finished"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var state RolloutState
			var got []string
			for i, o := range tc.observations {
				now := testEpoch.Add(time.Duration(i) * time.Minute)
				next, happened := restored(t, state).Observe(o, now) // each observation by another process
				texts := []string{}
				for _, phase := range happened {
					texts = append(texts, string(phase))
				}
				got = append(got, strings.Join(texts, " "))
				if _, again := next.Observe(o, now); again != nil {
					t.Errorf("observation %d told again: %v", i, again)
				}
				state = next
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("what happened differs (-want +got):\n%s", diff)
			}
		})
	}
}

// restored is the state as it comes back from where it was stored.
func restored(t *testing.T, s RolloutState) RolloutState {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back RolloutState
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestRolloutEventsOfAnObservation(t *testing.T) {
	at := testEpoch.Add(time.Hour)
	o := deployment("2", "b", 3, 3, 3)
	o.StartedAt = at.Add(-90 * time.Second)
	state, _ := RolloutState{}.Observe(deployment("1", "a", 3, 3, 3), testEpoch)
	state, happened := state.Observe(o, at)
	workload := Rollout{Kind: "Deployment", Namespace: "shop", Name: "checkout", User: []byte(`{"userID":"shop/checkout"}`), Time: at}
	metadata := map[string]Value{
		"kind": String("Deployment"), "namespace": String("shop"), "name": String("checkout"), "revision": String("2"), "hash": String("b"),
		"replicas": Number(3), "updated": Number(3), "available": Number(3),
	}
	want := []CustomEvent{
		{Name: "statsig_operator_rollout_started", User: workload.User, Metadata: metadata, Time: at},
		{Name: "statsig_operator_rollout_restarted", User: workload.User, Metadata: metadata, Time: at},
		{Name: "statsig_operator_rollout_finished", User: workload.User, Metadata: metadata, Time: at, Value: Number(90)},
	}
	if diff := cmp.Diff(want, state.Report(workload, o, happened), cmp.AllowUnexported(Value{})); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
}

func TestRolloutEventsAreBounded(t *testing.T) {
	long := strings.Repeat("ü", 1000)
	e := Rollout{Phase: RolloutFailed, Kind: long, Namespace: long, Name: long, Revision: long, Hash: "x" + long}.CustomEvent()
	for name, v := range e.Metadata {
		if len(v.text) > maxRolloutText || !utf8.ValidString(v.text) {
			t.Errorf("metadata %s has %d bytes: %q", name, len(v.text), v.text)
		}
	}
	if diff := cmp.Diff(CustomEvent{Name: "statsig_operator_rollout_failed", Metadata: map[string]Value{
		"replicas": Number(0), "updated": Number(0), "available": Number(0),
	}}, Rollout{Phase: RolloutFailed}.CustomEvent(), cmp.AllowUnexported(Value{})); diff != "" {
		t.Errorf("a rollout nothing is known of differs (-want +got):\n%s", diff)
	}
}

func TestDurationOfARollout(t *testing.T) {
	tests := map[string]struct {
		startedAt time.Time
		want      time.Duration
	}{
		"it is counted from the start":             {startedAt: testEpoch.Add(-time.Minute), want: time.Minute},
		"it is not known without a start":          {},
		"it is none where clocks are not the same": {startedAt: testEpoch.Add(time.Minute)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (RolloutState{StartedAt: tc.startedAt}).Duration(testEpoch); got != tc.want {
				t.Errorf("duration %s, want %s", got, tc.want)
			}
		})
	}
}
