package controllers

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/gate"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// gateProgram is what a gate's spec is compiled to.
type gateProgram struct {
	user *subject.Program
	open *gate.Expression
}

// compileGate compiles a gate's expressions, and checks what the CRD's own rules cannot express.
func compileGate(spec *v1alpha1.RolloutGateSpec) (gateProgram, error) {
	if err := checkHold(spec.Hold); err != nil {
		return gateProgram{}, fmt.Errorf("spec.hold.%w", err)
	}
	user, err := compileUser(v1alpha1.UnitNamespace, spec.User, "spec.")
	if err != nil {
		return gateProgram{}, err
	}
	open, err := gate.Compile(spec.Open)
	if err != nil {
		return gateProgram{}, fmt.Errorf("spec.open: %w", err)
	}
	return gateProgram{user, open}, nil
}

func checkHold(hold *v1alpha1.Hold) error {
	if hold == nil {
		return nil
	}
	if pods := hold.SchedulingGate; pods != nil {
		if _, err := metav1.LabelSelectorAsSelector(pods.Selector); err != nil {
			return fmt.Errorf("schedulingGate.selector: %w", err)
		}
	}
	if deployments := hold.PauseDeployments; deployments != nil {
		if _, err := metav1.LabelSelectorAsSelector(deployments.Selector); err != nil {
			return fmt.Errorf("pauseDeployments.selector: %w", err)
		}
	}
	return nil
}

// gatePolicy says how a gate's state follows from what is observed.
func gatePolicy(spec *v1alpha1.RolloutGateSpec) gate.Policy {
	return gate.Policy{
		OnFailure: gate.OnFailure(spec.FailurePolicy),
		OpenAfter: durationOrZero(spec.OpenAfter), CloseAfter: durationOrZero(spec.CloseAfter), Deadline: durationOrZero(spec.Deadline),
	}
}

// durationOrZero returns zero for a duration that is not set.
func durationOrZero(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.Duration
}
