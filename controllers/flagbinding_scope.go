package controllers

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// bindingScope is what one reconcile of a FlagBinding observed. Phases fill it from top to bottom; the status functions read it.
// It stores observations, not verdicts.
type bindingScope struct {
	binding *v1alpha1.FlagBinding
	now     time.Time

	// projectView is set by resolveProject.
	projectView

	// Set by compileUser.

	// program is nil when invalid is set.
	program *subject.Program
	// invalid says what in the spec cannot work.
	invalid error

	// Set by findWorkloads and findPods.

	workloads []workload
	// problems are references that could not be followed.
	problems []refProblem

	// Set by evaluate.

	units []unit
	// boundary is when the answer of a rule on time can change next; zero when none does.
	boundary time.Time

	// Set by materialize.

	targets []targetOutcome
	// wrote counts the objects changed in this reconcile.
	wrote int
	// acted is set once the targets have been dealt with.
	acted bool

	// Set by expose.

	// nextExposure is when an exposure that still holds is to be repeated; zero when none is.
	nextExposure time.Time

	// Set by computeBindingStatus.

	// interrupted is set when an observation failed, so that what comes after it is not known.
	interrupted bool
}

// incomplete reports whether not everything that the binding selects could be read. Then nothing may be taken for gone.
func (s *bindingScope) incomplete() bool {
	for _, p := range s.problems {
		if p.reason != v1alpha1.ReasonRefNotFound {
			return true
		}
	}
	return false
}

// workload is one workload that the binding selects.
type workload struct {
	meta *metav1.PartialObjectMetadata
	pods []*metav1.PartialObjectMetadata
}

// refProblem is a reference that could not be followed.
type refProblem struct{ reason, message string }

// targetOutcome is what became of one target.
type targetOutcome struct {
	name    string
	objects int
	// reason is empty when the target holds the values of every unit.
	reason  string
	message string
}

func (o *targetOutcome) fail(reason, message string) {
	if o.reason == "" {
		o.reason, o.message = reason, message
	}
}
