package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/gate"
)

// gateScope is what one reconcile of a RolloutGate observed. Phases fill it from top to bottom; the status functions read it. It stores
// observations, not verdicts.
type gateScope struct {
	gate *v1alpha1.RolloutGate
	now  time.Time

	// Set by compileGate.

	// program is meaningless when invalid is set.
	program gateProgram
	// invalid says what in the spec cannot work.
	invalid error

	// projectView is set by resolveProject.
	projectView

	// Set by evaluate.

	// tooOld is set when no source has confirmed the specs for longer than the project allows.
	tooOld bool
	// staleAt is when the specs will be too old; zero while a source confirms them.
	staleAt time.Time
	// user is nil when the expression was not evaluated.
	user *eval.User
	// userErr says why there is no user.
	userErr error
	// verdict is meaningful where there is a user.
	verdict gate.Verdict
	// boundary is when the answer of a rule on time can change next; zero when none does.
	boundary time.Time

	// Set by decide.

	// look is when time alone changes the state next; zero when it does not.
	look time.Time
	// overdue is set when the gate has not been open for longer than its deadline.
	overdue bool

	// Set by enforce.

	// holds is what became of what the gate holds.
	holds holdOutcome
	// holdErr says why not everything waits, or goes on, as it should.
	holdErr error

	// Set by expose.

	// nextExposure is when an exposure that still holds is to be repeated; zero when none is.
	nextExposure time.Time
}

func (s *gateScope) isValid() bool { return s.invalid == nil }

// hasLetGo reports whether everything that the gate does not hold any more was released.
func (s *gateScope) hasLetGo() bool { return s.holdErr == nil && !s.holds.more }

// heldByHand is why the gate is held closed by hand; empty when it is not, or not any more.
func (s *gateScope) heldByHand() string {
	hold := s.gate.Spec.Hold
	if hold == nil || s.gate.Spec.Suspend || (hold.Until != nil && !s.now.Before(hold.Until.Time)) {
		return ""
	}
	return hold.Reason
}

// answered reports whether the expression has an answer.
func (s *gateScope) answered() bool { return s.user != nil && s.verdict.Problem == "" }

// mayHold reports whether the gate makes anything wait.
func mayHold(g *v1alpha1.RolloutGate) bool {
	hold := g.Spec.Hold
	return hold != nil && (hold.SchedulingGate != nil || hold.PauseDeployments != nil)
}

// gateProject returns the name of the project that a gate refers to.
func gateProject(g *v1alpha1.RolloutGate) types.NamespacedName {
	return projectNamed(&g.Spec.ProjectRef, g.Namespace)
}
