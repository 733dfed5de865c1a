package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

const validGate = `
apiVersion: flags.statsig-operator.dev/v1alpha1
kind: RolloutGate
spec:
  projectRef: {name: checkout}
  open: gate('release')
`

func newGate(name string) *v1alpha1.RolloutGate {
	return &v1alpha1.RolloutGate{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.RolloutGateSpec{ProjectRef: v1alpha1.ProjectRef{Name: "checkout"}, Open: "gate('release')"},
	}
}

func TestRolloutGatesAreValidated(t *testing.T) {
	const (
		openAfter  = "spec.openAfter: …openAfter must be from 0s to 24h"
		closeAfter = "spec.closeAfter: …closeAfter must be from 0s to 24h"
		deadline   = "spec.deadline: …deadline must be from 1s to 8760h"
	)
	for name, tc := range map[string]validationCase{
		"The base object is accepted":      {change: `{}`},
		"A project in another namespace":   {change: `{projectRef: {namespace: statsig}}`},
		"A project is required":            {`{projectRef: null}`, "spec.projectRef: Required value"},
		"An expression is required":        {`{open: null}`, "spec.open: Required value"},
		"An expression must not be empty":  {`{open: ""}`, "spec.open: …at least 1 chars"},
		"An expression of 2048 characters": {change: `{open: ` + strings.Repeat("a", 2048) + `}`},
		"An expression is bounded":         {`{open: ` + strings.Repeat("a", 2049) + `}`, "spec.open: Too long"},
		// The controller says where an expression is wrong; the API server takes it, so that no webhook is needed.
		"An expression that does not compile":   {change: `{open: "gate("}`},
		"A user's expression must not be empty": {`{user: {userID: ""}}`, "spec.user.userID: …at least 1 chars"},
		"A failure policy of each kind: Closed": {change: `{failurePolicy: Closed}`},
		"A failure policy of each kind: Open":   {change: `{failurePolicy: Open}`},
		"A failure policy of each kind: Last":   {change: `{failurePolicy: LastKnown}`},
		"Another failure policy is refused":     {`{failurePolicy: Ignore}`, `spec.failurePolicy: Unsupported value: "Ignore"`},
		"No delays are accepted":                {change: `{openAfter: 0s, closeAfter: 0s}`},
		"A day's delays are accepted":           {change: `{openAfter: 24h, closeAfter: 24h}`},
		"A longer openAfter is refused":         {`{openAfter: 24h0m1s}`, openAfter},
		"A negative openAfter is refused":       {`{openAfter: -1s}`, openAfter},
		"A longer closeAfter is refused":        {`{closeAfter: 24h0m1s}`, closeAfter},
		"A negative closeAfter is refused":      {`{closeAfter: -1s}`, closeAfter},
		"A deadline of a second is accepted":    {change: `{deadline: 1s}`},
		"A deadline of a year is accepted":      {change: `{deadline: 8760h}`},
		"A shorter deadline is refused":         {`{deadline: 999ms}`, deadline},
		"A longer deadline is refused":          {`{deadline: 8760h0m1s}`, deadline},
		"Exposures are Enabled or Disabled":     {`{exposures: "Off"}`, `spec.exposures: Unsupported value: "Off"`},
		"Exposures may be disabled":             {change: `{exposures: Disabled}`},
		"A token for HTTP is accepted":          {change: `{access: {tokenSecretRef: {name: gate, key: token}}}`},
		"A token's key is required":             {`{access: {tokenSecretRef: {name: gate}}}`, "spec.access.tokenSecretRef.key: Required value"},
		"Access without a token is refused":     {`{access: {}}`, "spec.access.tokenSecretRef: Required value"},
	} {
		t.Run(name, func(t *testing.T) { checkValidation(t, validGate, tc) })
	}
}

func TestHoldsOfRolloutGatesAreValidated(t *testing.T) {
	for name, tc := range map[string]struct{ hold, want string }{
		"An empty hold is accepted":               {hold: `{}`},
		"A hold by hand is accepted":              {hold: `{reason: incident}`},
		"A hold by hand that ends is accepted":    {hold: `{reason: incident, until: "2026-03-01T12:00:00Z"}`},
		"An end without a reason is refused":      {`{until: "2026-03-01T12:00:00Z"}`, "spec.hold.reason: …until needs a reason"},
		"An end that is no time is refused":       {`{reason: incident, until: tomorrow}`, "spec.hold.until: "},
		"A reason must not be empty":              {`{reason: ""}`, "spec.hold.reason: …at least 1 chars"},
		"A reason is bounded":                     {`{reason: ` + strings.Repeat("a", 257) + `}`, "spec.hold.reason: Too long"},
		"Every pod with the gate is accepted":     {hold: `{schedulingGate: {}}`},
		"Chosen pods in batches are accepted":     {hold: `{schedulingGate: {selector: {matchLabels: {a: b}}, batchSize: 1000}}`},
		"A batch has at least one pod":            {`{schedulingGate: {batchSize: 0}}`, "spec.hold.schedulingGate.batchSize: …greater than or equal to 1"},
		"A batch is bounded":                      {`{schedulingGate: {batchSize: 1001}}`, "spec.hold.schedulingGate.batchSize: …less than or equal to 1000"},
		"Every Deployment is accepted":            {hold: `{pauseDeployments: {selector: {}}}`},
		"Deployments must be chosen, even if all": {`{pauseDeployments: {}}`, "spec.hold.pauseDeployments.selector: Required value"},
	} {
		t.Run(name, func(t *testing.T) { checkValidation(t, validGate, validationCase{`{hold: ` + tc.hold + `}`, tc.want}) })
	}
}

// The name is part of a scheduling gate's, whose last part Kubernetes bounds.
func TestNamesOfRolloutGatesAreBounded(t *testing.T) {
	c := needsAPIServer(t).client
	for name, tc := range map[string]struct {
		length int
		want   string
	}{
		"A name of 63 characters is accepted": {length: 63},
		"A longer one is refused":             {64, "the name is part of a scheduling gate's"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(strings.Repeat("a", tc.length))
			g.Namespace = "default"
			err := c.Create(t.Context(), g, client.DryRunAll)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("want it accepted, got %v", err)
			case tc.want != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("want a refusal with %q, got %v", tc.want, err)
			}
		})
	}
}

func TestAFreshRolloutGateHasNotBeenObserved(t *testing.T) {
	g := newGate("fresh")
	create(t, g)
	if diff := cmp.Diff(v1alpha1.RolloutGateStatus{ObservedGeneration: -1}, g.Status); diff != "" {
		t.Errorf("status of the created gate (-want +got):\n%s", diff)
	}
}

func TestRolloutGatesAreSelectedByProjectAndState(t *testing.T) {
	c := needsAPIServer(t).client
	open, closed := newGate("open"), newGate("closed")
	for g, state := range map[*v1alpha1.RolloutGate]v1alpha1.GateState{open: v1alpha1.GateOpen, closed: v1alpha1.GateClosed} {
		create(t, g)
		g.Status.State = state
		if err := c.Status().Update(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	for selector, want := range map[string][]string{
		"spec.projectRef.name=checkout": {"closed", "open"}, "spec.projectRef.name=cart": nil, "status.state=Open": {"open"},
	} {
		field, value, _ := strings.Cut(selector, "=")
		list := &v1alpha1.RolloutGateList{}
		if err := c.List(t.Context(), list, client.InNamespace("default"), client.MatchingFields{field: value}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range list.Items {
			got = append(got, list.Items[i].Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("gates with %s (-want +got):\n%s", selector, diff)
		}
	}
}

func TestStatesOutsideTheEnumAreRefused(t *testing.T) {
	g := newGate("odd")
	create(t, g)
	g.Status.State = "Ajar"
	if err := needsAPIServer(t).client.Status().Update(t.Context(), g); !apierrors.IsInvalid(err) {
		t.Errorf("writing the state Ajar: want Invalid, got %v", err)
	}
}

func TestColumnsOfARolloutGate(t *testing.T) {
	c := needsAPIServer(t).client
	g := newGate("columns")
	create(t, g)
	now := metav1.Now().Rfc3339Copy()
	g.Status = v1alpha1.RolloutGateStatus{
		ObservedGeneration: 1, State: v1alpha1.GateClosed, Reason: "gate release = false (rule 4xYv)", Since: &now, HeldPods: 3,
		Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonGateClosed, Message: "It is closed.",
			LastTransitionTime: now,
		}},
	}
	if err := c.Status().Update(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	columns, cells := table(t, "rolloutgates", "columns", false)
	if diff := cmp.Diff([]string{"Name", "State", "Reason", "Since", "Age"}, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"columns", "Closed", "gate release = false (rule 4xYv)"}, cells[:3]); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	columns, cells = table(t, "rolloutgates", "columns", true)
	if diff := cmp.Diff([]string{"Ready", "Held-Pods", "Message"}, columns[5:]); diff != "" {
		t.Errorf("further columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"False", "3", "It is closed."}, cells[5:]); diff != "" {
		t.Errorf("further cells (-want +got):\n%s", diff)
	}
}
