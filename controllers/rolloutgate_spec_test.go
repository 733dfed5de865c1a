package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/gate"
)

func TestGatesAreCompiled(t *testing.T) {
	odd := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.RolloutGateSpec)
		// want is the beginning of the error; empty for a spec that is accepted.
		want string
	}{
		"A plain gate is accepted": {func(*v1alpha1.RolloutGateSpec) {}, ""},
		"A user is read from the namespace and the cluster": {
			func(s *v1alpha1.RolloutGateSpec) {
				s.User = &v1alpha1.UserTemplate{UserID: "cluster.name + '/' + namespace.metadata.labels['team']"}
			}, "",
		},
		"There is no pod to read from": {
			func(s *v1alpha1.RolloutGateSpec) { s.User = &v1alpha1.UserTemplate{UserID: "pod.metadata.name"} }, "spec.user.userID: ",
		},
		"An expression that cannot be parsed": {func(s *v1alpha1.RolloutGateSpec) { s.Open = "gate('a') &&\n gate(" }, "spec.open: 2:"},
		"An expression that is no bool":       {func(s *v1alpha1.RolloutGateSpec) { s.Open = "'yes'" }, "spec.open: 1:"},
		"A hold by hand and for every pod is accepted": {
			func(s *v1alpha1.RolloutGateSpec) {
				s.Hold = &v1alpha1.Hold{Reason: "incident", SchedulingGate: &v1alpha1.SchedulingGateHold{}}
			}, "",
		},
		"A selector of pods with an unknown operator": {
			func(s *v1alpha1.RolloutGateSpec) {
				s.Hold = &v1alpha1.Hold{SchedulingGate: &v1alpha1.SchedulingGateHold{Selector: odd}}
			}, "spec.hold.schedulingGate.selector: ",
		},
		"A selector of Deployments with an unknown operator": {
			func(s *v1alpha1.RolloutGateSpec) {
				s.Hold = &v1alpha1.Hold{PauseDeployments: &v1alpha1.PauseDeploymentsHold{Selector: odd}}
			}, "spec.hold.pauseDeployments.selector: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate("a").Obj()
			tc.change(&g.Spec)
			program, err := compileGate(&g.Spec)
			switch {
			case tc.want == "" && (err != nil || program.user == nil || program.open == nil):
				t.Errorf("want it accepted, got %v", err)
			case tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want)):
				t.Errorf("want an error that begins with %q, got %v", tc.want, err)
			}
		})
	}
}

func TestPoliciesAreTakenOver(t *testing.T) {
	if diff := cmp.Diff(gate.Policy{}, gatePolicy(&v1alpha1.RolloutGateSpec{})); diff != "" {
		t.Errorf("of a plain gate (-want +got):\n%s", diff)
	}
	got := gatePolicy(&v1alpha1.RolloutGateSpec{
		FailurePolicy: v1alpha1.FailureLastKnown, OpenAfter: durationOf(time.Second), CloseAfter: durationOf(time.Minute), Deadline: durationOf(time.Hour),
	})
	want := gate.Policy{OnFailure: gate.FailLastKnown, OpenAfter: time.Second, CloseAfter: time.Minute, Deadline: time.Hour}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with everything (-want +got):\n%s", diff)
	}
	// The words of the API and of the package are the same, so they are not translated.
	for _, words := range [][2]string{
		{string(v1alpha1.FailureClosed), string(gate.FailClosed)}, {string(v1alpha1.FailureOpen), string(gate.FailOpen)},
		{string(v1alpha1.FailureLastKnown), string(gate.FailLastKnown)}, {string(v1alpha1.GateOpen), string(gate.Open)},
		{string(v1alpha1.GateClosed), string(gate.Closed)}, {string(v1alpha1.GateUnknown), string(gate.Unknown)},
		{v1alpha1.ReasonEntityNotFound, string(gate.EntityNotFound)}, {v1alpha1.ReasonValueNotFound, string(gate.ValueNotFound)},
		{v1alpha1.ReasonUnsupportedOperator, string(gate.UnsupportedOperator)},
		{v1alpha1.ReasonEvaluationFailed, string(gate.EvaluationFailed)},
		{v1alpha1.ReasonExpressionFailed, string(gate.ExpressionFailed)},
	} {
		if words[0] != words[1] {
			t.Errorf("the API says %s, the package %s", words[0], words[1])
		}
	}
}

// What the state machine remembers must come back as it was, or a gate would be written again and again.
func TestStatusesSurviveTheirStorage(t *testing.T) {
	for name, status := range map[string]gate.Status{
		"Nothing yet": {},
		"An open gate": {
			State: gate.Open, Reason: "gate release = true", Since: noon,
			History: []gate.Transition{{State: gate.Open, Time: noon, Reason: "gate release = true"}, {State: gate.Unknown, Time: noon.Add(-time.Hour)}},
		},
		"A gate that is about to open": {
			State: gate.Closed, Since: noon, ClosedSince: noon.Add(-time.Minute), Pending: gate.Open, PendingSince: noon.Add(time.Second),
			History: []gate.Transition{{State: gate.Closed, Time: noon}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stored := newGate("a").Was(v1alpha1.GateClosed).Obj().Status
			stored.Pending = &v1alpha1.PendingGateState{State: v1alpha1.GateOpen}
			setGateStatus(&stored, status)
			if diff := cmp.Diff(status, gateStatus(&stored)); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}
