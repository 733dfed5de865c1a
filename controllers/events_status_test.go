package controllers

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// endpoint answers batches of events with statuses, one after the other, and the last for good.
type endpoint struct{ statuses []int }

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	status := e.statuses[0]
	e.statuses = e.statuses[min(1, len(e.statuses)-1):]
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(`{"success":true}`)), Request: r}, nil
}

// startLogger runs a logger in a bubble until the test ends.
func startLogger(t *testing.T, statuses ...int) *events.Logger {
	t.Helper()
	logger, err := events.New(events.Options{
		SDKKey: secret.NewKey(testKey), Now: time.Now, Transport: &endpoint{statuses}, FlushInterval: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- logger.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return logger
}

func TestEventsInStatus(t *testing.T) {
	const ok, refused, away = http.StatusAccepted, http.StatusForbidden, http.StatusServiceUnavailable
	for name, tc := range map[string]struct {
		statuses []int
		events   int
		wait     time.Duration
		want     string
		says     string
		counts   *v1alpha1.EventsStatus
	}{
		"Nothing was sent yet":             {[]int{ok}, 0, time.Minute, "True Delivered", "No batch of events is refused.", nil},
		"Everything is delivered":          {[]int{ok}, 27, 2 * time.Second, "True Delivered", "", &v1alpha1.EventsStatus{Delivered: 20}},
		"The key is refused":               {[]int{refused}, 27, 2 * time.Second, "False Unauthorized", "refuses the SDK key", &v1alpha1.EventsStatus{Dropped: 20}},
		"One request failed":               {[]int{away}, 27, 1500 * time.Millisecond, "True Delivered", "", &v1alpha1.EventsStatus{Pending: 20}},
		"Six requests failed in a row":     {[]int{away}, 27, time.Minute, "False DeliveryFailed", "Events are not taken and are retried", &v1alpha1.EventsStatus{Dropped: 20}},
		"Delivery recovers after failures": {[]int{away, away, away, ok}, 27, 10 * time.Minute, "True Delivered", "", &v1alpha1.EventsStatus{Delivered: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good := document(string(evaltest.NewDocument().JSON(t)))
				s := &projectScope{project: newProject("checkout").Obj(), running: startRuntime(t, []poll{good}, nil)}
				s.running.logger = startLogger(t, tc.statuses...)
				for i := range tc.events {
					s.running.logger.Log(events.CustomEvent{Name: fmt.Sprint(i)})
				}
				time.Sleep(tc.wait)
				synctest.Wait()
				s.now = time.Now()
				computeProjectStatus(s, scrubNothing)
				checkKstatus(t, s.project.Status.Conditions, 2)
				if got := summarize(s.project.Status.Conditions)["EventsFlowing"]; got != tc.want {
					t.Errorf("EventsFlowing: want %s, got %s", tc.want, got)
				}
				if got := messageOf(s.project.Status.Conditions, "EventsFlowing"); !strings.Contains(got, tc.says) {
					t.Errorf("message: want %q in it, got %q", tc.says, got)
				}
				if got := summarize(s.project.Status.Conditions)["Ready"]; got != "True Synced" {
					t.Errorf("Ready: events cost nobody a value, want True Synced, got %s", got)
				}
				if diff := cmp.Diff(tc.counts, s.project.Status.Events); diff != "" {
					t.Errorf("counts (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A restart of the manager, which counts from zero, must not change the status.
func TestEventCountsOutliveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := document(string(evaltest.NewDocument().JSON(t)))
		s := &projectScope{project: newProject("checkout").Obj(), running: startRuntime(t, []poll{good}, nil), now: time.Now()}
		s.project.Status.Events = &v1alpha1.EventsStatus{Delivered: 4000}
		s.running.logger = startLogger(t, http.StatusAccepted)
		computeProjectStatus(s, scrubNothing)
		if diff := cmp.Diff(&v1alpha1.EventsStatus{Delivered: 4000}, s.project.Status.Events); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
	})
}

func TestCountsAreCoarse(t *testing.T) {
	for n, want := range map[int64]int64{
		0: 0, 1: 1, 9: 9, 10: 10, 19: 10, 99: 90, 100: 100, 12_345: 10_000, 999_999: 900_000, math.MaxInt64: 9e18,
	} {
		if got := coarse(n); got != want {
			t.Errorf("coarse(%d): want %d, got %d", n, want, got)
		}
	}
}

func TestErrorsBecomeSentences(t *testing.T) {
	for text, want := range map[string]string{
		"fetching config specs: no answer in time": "Fetching config specs: no answer in time.",
		"it ends already. ":                        "It ends already.",
		"it ends in a line break\n":                "It ends in a line break.",
		"Écoute":                                   "Écoute.",
		"écoute":                                   "Écoute.",
		"spec.entries[a] is odd":                   "spec.entries[a] is odd.",
		"7 of 9 failed":                            "7 of 9 failed.",
		"...":                                      "",
		"":                                         "",
	} {
		if got := sentence(errors.New(text)); got != want {
			t.Errorf("sentence(%q): want %q, got %q", text, want, got)
		}
	}
	if got := sentence(nil); got != "" {
		t.Errorf("sentence(nil): want nothing, got %q", got)
	}
}

// recorder notes Kubernetes Events as "<type> <reason> <action> <note>".
type recorder struct{ told []string }

func (r *recorder) Eventf(_, _ runtime.Object, eventType, reason, action, note string, args ...any) {
	r.told = append(r.told, eventType+" "+reason+" "+action+" "+fmt.Sprintf(note, args...))
}

func told(q *kubernetesEvents) []string {
	r := &recorder{}
	q.send(r, &v1alpha1.FlagBinding{}, scrubNothing)
	return r.told
}

// states makes conditions of lines "<type> <status> <reason>".
func states(lines ...string) []metav1.Condition {
	var conditions []metav1.Condition
	for _, line := range lines {
		fields := strings.Fields(line)
		conditions = append(conditions, metav1.Condition{
			Type: fields[0], Status: metav1.ConditionStatus(fields[1]), Reason: fields[2], Message: fields[2] + ".",
		})
	}
	return conditions
}

func TestProjectsTellOfTurns(t *testing.T) {
	for name, tc := range map[string]struct {
		before, after []string
		want          []string
	}{
		"A project that becomes ready tells so once": {
			nil, []string{"Ready True Synced", "SpecsFresh True Synced", "CredentialsValid True Accepted"}, []string{"Normal Synced Sync Synced."},
		},
		"A project that stays as it is tells nothing": {
			[]string{"Ready True Synced", "SpecsFresh True Synced"}, []string{"Ready True Synced", "SpecsFresh True Synced"}, nil,
		},
		"The first look tells nothing": {nil, []string{"Ready Unknown Pending", "SpecsFresh Unknown Pending"}, nil},
		"One trouble is told once": {
			[]string{"Ready True Synced", "SpecsFresh True Synced"}, []string{"Ready False Malformed", "SpecsFresh False Malformed"},
			[]string{"Warning Malformed Sync Malformed."},
		},
		"Two troubles are told each": {
			[]string{"Ready True Synced", "EventsFlowing True Delivered"}, []string{"Ready False Stale", "EventsFlowing False DeliveryFailed"},
			[]string{"Warning Stale Sync Stale.", "Warning DeliveryFailed Sync DeliveryFailed."},
		},
		"A part that recovers tells so": {
			[]string{"Ready True Synced", "EventsFlowing False DeliveryFailed"}, []string{"Ready True Synced", "EventsFlowing True Delivered"},
			[]string{"Normal Delivered Sync Delivered."},
		},
		"A part that is well from the start need not be told": {
			[]string{"Ready True Synced"}, []string{"Ready True Synced", "EventsFlowing True Delivered"}, nil,
		},
		"A suspension is no trouble, and told once": {
			[]string{"Ready True Synced", "SpecsFresh True Synced"}, []string{"Ready False Suspended", "SpecsFresh Unknown Suspended"},
			[]string{"Normal Suspended Sync Suspended."},
		},
		"Specs that turn late are warned of, once": {
			[]string{"Ready True Synced", "SpecsFresh True Synced"}, []string{"Ready True Late", "SpecsFresh Unknown Late"},
			[]string{"Warning Late Sync Late."},
		},
		"Another reason for the same trouble is told": {
			[]string{"Ready False Malformed"}, []string{"Ready False Stale"}, []string{"Warning Stale Sync Stale."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := newProject("a").Obj(), newProject("a").Obj()
			before.Status.Conditions, after.Status.Conditions = states(tc.before...), states(tc.after...)
			if diff := cmp.Diff(tc.want, told(projectEvents(before, after))); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBindingsTellOfTurnsAndValues(t *testing.T) {
	applied := []string{"Ready True Applied", "Evaluated True Evaluated"}
	values := func(hash string, entries ...string) v1alpha1.FlagBindingStatus {
		status := v1alpha1.FlagBindingStatus{Hash: hash}
		for _, e := range entries {
			name, value, _ := strings.Cut(e, "=")
			status.Entries = append(status.Entries, v1alpha1.EntryStatus{Name: name, Value: value})
		}
		return status
	}
	for name, tc := range map[string]struct {
		before, after           []string
		valuesBefore, valuesNow v1alpha1.FlagBindingStatus
		want                    []string
	}{
		"A binding that becomes ready says so, and not its values": {
			nil, applied, values(""), values("1", "a=true"), []string{"Normal Applied Reconcile Applied."},
		},
		"Values that change are told": {
			applied, applied, values("1", "a=true", "b=1"), values("2", "a=false", "b=1", "c=x"),
			[]string{"Normal Applied Reconcile The values changed: a=false, c=x. Hash 2."},
		},
		"Values that change for a few units are told": {
			applied, applied, values("1", "a=true"), values("2", "a=true"),
			[]string{"Normal Applied Reconcile The values changed: for some units. Hash 2."},
		},
		"Many values are not all told": {
			applied, applied, values("1"), values("2", "a=1", "b=2", "c=3", "d=4", "e=5"),
			[]string{"Normal Applied Reconcile The values changed: a=1, b=2, c=3 and 2 more. Hash 2."},
		},
		"Values that stay are not told": {applied, applied, values("1", "a=true"), values("1", "a=true"), nil},
		"An entry that is lost is told although the binding stays ready": {
			applied, []string{"Ready True Applied", "Evaluated False EntityNotFound"}, values("1"), values("1"),
			[]string{"Warning EntityNotFound Evaluate EntityNotFound."},
		},
		"A trouble is told once, and not the values": {
			applied, []string{"Ready False EntityNotFound", "Evaluated False EntityNotFound"}, values("1"), values("2"),
			[]string{"Warning EntityNotFound Reconcile EntityNotFound."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := newBinding("a").Obj(), newBinding("a").Obj()
			before.Status, after.Status = tc.valuesBefore, tc.valuesNow
			before.Status.Conditions, after.Status.Conditions = states(tc.before...), states(tc.after...)
			if diff := cmp.Diff(tc.want, told(bindingEvents(before, after))); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventsHaveNoKeyAndABound(t *testing.T) {
	q := &kubernetesEvents{}
	q.warning("FetchFailed", "Sync", "100% of "+testKey+strings.Repeat(" long", 1000))
	r := &recorder{}
	q.send(r, &v1alpha1.FlagBinding{}, scrubNothing)
	if got := r.told[0]; strings.Contains(got, testKey) || !strings.HasPrefix(got, "Warning FetchFailed Sync 100% of [redacted]") ||
		len(got) > maxEventNote+len("Warning FetchFailed Sync ") {
		t.Errorf("event: want it bounded, without the key, and percent signs as they are, got %q", got)
	}
	if q.send(r, &v1alpha1.FlagBinding{}, scrubNothing); len(r.told) != 1 {
		t.Errorf("events sent again: want them sent once, got %d", len(r.told))
	}
}
