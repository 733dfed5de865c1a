package controllers

import (
	"context"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/serve"
)

// gateAnswer is what callers learn of a gate.
type gateAnswer struct {
	State  v1alpha1.GateState `json:"state"`
	Reason string             `json:"reason"`
	// Since is when the gate came to its state; absent where nobody knows.
	Since *metav1.Time `json:"since,omitempty"`
	// Stalled says that the gate comes no further unless somebody changes something.
	Stalled bool `json:"stalled"`
}

// answerOf says how a gate stands; nil is one that does not exist. Nobody passes on what was decided before the gate
// was changed.
func answerOf(gate *v1alpha1.RolloutGate) gateAnswer {
	switch {
	case gate == nil:
		return gateAnswer{State: v1alpha1.GateUnknown, Reason: "there is no such RolloutGate"}
	case gate.Status.ObservedGeneration != gate.Generation || gate.Status.State == "":
		return gateAnswer{State: v1alpha1.GateUnknown, Reason: "not evaluated yet"}
	default:
		return gateAnswer{
			State: gate.Status.State, Reason: gate.Status.Reason, Since: gate.Status.Since,
			Stalled: meta.IsStatusConditionTrue(gate.Status.Conditions, v1alpha1.ConditionStalled),
		}
	}
}

// gate answers with 200 however the gate stands.
func (s *server) gate(w http.ResponseWriter, r *http.Request, account *serve.Account) {
	if answer, ok := s.admitToGate(w, r, account); ok {
		writeJSON(w, http.StatusOK, answer)
	}
}

// flagger answers by status: 200 for a gate in the state that lets Flagger go on, 403 for the other one, 503 while
// nobody knows.
func (s *server) flagger(passes v1alpha1.GateState) func(http.ResponseWriter, *http.Request, *serve.Account) {
	return func(w http.ResponseWriter, r *http.Request, account *serve.Account) {
		answer, ok := s.admitToGate(w, r, account)
		if !ok {
			return
		}
		status := http.StatusForbidden
		switch answer.State {
		case passes:
			status = http.StatusOK
		case v1alpha1.GateUnknown:
			status = http.StatusServiceUnavailable
		case v1alpha1.GateOpen, v1alpha1.GateClosed:
		}
		writeJSON(w, status, answer)
	}
}

// admitToGate returns how the gate of a request stands, if the caller may know; else it has answered.
func (s *server) admitToGate(w http.ResponseWriter, r *http.Request, account *serve.Account) (answer gateAnswer, ok bool) {
	name := objectOf(r)
	account.Object = name.String()
	gate := s.readGate(r.Context(), name)
	q := &question{verb: "get", resource: "rolloutgates", kind: "rolloutgate", object: name}
	if gate != nil && gate.Spec.Access != nil {
		q.token = &gate.Spec.Access.TokenSecretRef
	}
	caller, refused := s.access.admit(r, q)
	account.Caller = caller
	if refused != nil {
		writeRefusal(w, refused)
		return answer, false
	}
	answer = answerOf(gate)
	account.Answer = string(answer.State)
	return answer, true
}

// readGate returns a gate of the cache, only to be read; nil where there is no such gate. The cache has no other errors
// than that it does not watch a namespace, of which nobody is to know more than of one that is empty.
func (s *server) readGate(ctx context.Context, name types.NamespacedName) *v1alpha1.RolloutGate {
	gate := &v1alpha1.RolloutGate{}
	if err := s.cache.Get(ctx, name, gate, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	return gate
}
