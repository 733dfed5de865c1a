package controllers

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

const defaultRepeatEvery = 24 * time.Hour

// expose reports the values of every unit whose targets hold them; in mode PodReady, of every unit of which a ready pod carries them.
// Repetition within repeatEvery is the logger's to leave out, so this may be called on every reconcile.
func (r *FlagBindingReconciler) expose(ctx context.Context, s *bindingScope) error {
	mode := exposureMode(s.binding)
	if mode != v1alpha1.ExposurePodReady {
		r.readiness.wait(client.ObjectKeyFromObject(s.binding), false)
	}
	if !s.reports() {
		return nil
	}
	var carried map[*unit]bool
	if mode == v1alpha1.ExposurePodReady {
		var err error
		if carried, err = r.carried(ctx, s); err != nil {
			return err
		}
	}
	annotatesOnly := !writesConfigMaps(s.binding)
	for i := range s.units {
		u := &s.units[i]
		if u.user == nil || u.failed || (annotatesOnly && len(u.pods) == 0) || (mode == v1alpha1.ExposurePodReady && !carried[u]) {
			continue
		}
		s.exposeUnit(u)
	}
	return nil
}

// exposeUnit reports one unit's values. Those that overrides gave are the logger's to leave out.
func (s *bindingScope) exposeUnit(u *unit) {
	user := s.evaluator.LoggableUser(nil, u.user)
	for j := range u.values {
		entry, v := &s.binding.Spec.Entries[j], &u.values[j]
		if v.problem != "" || entry.Exposure == v1alpha1.ExposureDisabled {
			continue
		}
		s.running.logger.Expose(events.Exposure{
			Result: v.result, Parameter: v.parameter, User: user, RepeatEvery: repeatEvery(s.binding), Time: s.now,
		})
	}
}

// writesConfigMaps reports whether a binding has a target that holds values even while a unit has no pods.
func writesConfigMaps(binding *v1alpha1.FlagBinding) bool {
	for i := range binding.Spec.Targets {
		if binding.Spec.Targets[i].ConfigMap != nil {
			return true
		}
	}
	return false
}

// reports reports whether exposures are told at all.
func (s *bindingScope) reports() bool {
	return exposureMode(s.binding) != v1alpha1.ExposureNever && s.evaluator != nil && s.running != nil && s.running.logger != nil
}

func exposureMode(binding *v1alpha1.FlagBinding) v1alpha1.ExposureMode {
	if binding.Spec.Exposures != nil && binding.Spec.Exposures.Mode != "" {
		return binding.Spec.Exposures.Mode
	}
	return v1alpha1.ExposureOnApply
}

func repeatEvery(binding *v1alpha1.FlagBinding) time.Duration {
	if e := binding.Spec.Exposures; e != nil && e.RepeatEvery != nil {
		return e.RepeatEvery.Duration
	}
	return defaultRepeatEvery
}
