package controllers

import (
	"time"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

const defaultRepeatEvery = 24 * time.Hour

// expose reports the values of every unit whose targets hold them. Repetition within repeatEvery is the logger's to leave out, so
// this may be called on every reconcile.
func (r *FlagBindingReconciler) expose(s *bindingScope) {
	if !s.reports() {
		return
	}
	annotatesOnly := !writesConfigMaps(s.binding)
	for i := range s.units {
		u := &s.units[i]
		if u.user == nil || u.failed || (annotatesOnly && len(u.pods) == 0) {
			continue
		}
		user := s.evaluator.LoggableUser(nil, u.user)
		for j := range u.values {
			entry, v := &s.binding.Spec.Entries[j], &u.values[j]
			if v.problem != "" || entry.Exposure == v1alpha1.ExposureDisabled || v.result.Details.Source == eval.SourceLocalOverride {
				continue
			}
			s.running.logger.Expose(events.Exposure{
				Result: v.result, Parameter: v.parameter, User: user, RepeatEvery: repeatEvery(s.binding), Time: s.now,
			})
		}
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
	mode := v1alpha1.ExposureOnApply
	if s.binding.Spec.Exposures != nil && s.binding.Spec.Exposures.Mode != "" {
		mode = s.binding.Spec.Exposures.Mode
	}
	return mode == v1alpha1.ExposureOnApply && s.evaluator != nil && s.running != nil && s.running.logger != nil
}

func repeatEvery(binding *v1alpha1.FlagBinding) time.Duration {
	if e := binding.Spec.Exposures; e != nil && e.RepeatEvery != nil {
		return e.RepeatEvery.Duration
	}
	return defaultRepeatEvery
}
