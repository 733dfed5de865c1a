package controllers

import (
	"context"
	"time"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

const defaultRepeatEvery = 24 * time.Hour

// expose reports the values of every unit whose targets hold them; in mode PodReady, of every unit of which a ready pod carries them.
// The logger knows what was told already, so this may be called on every reconcile.
func (r *FlagBindingReconciler) expose(ctx context.Context, s *bindingScope) error {
	if !s.reports() {
		return nil
	}
	countChecks(s)
	due := s.dueUnits()
	if exposureMode(s.binding) == v1alpha1.ExposurePodReady {
		var err error
		if due, err = r.carried(ctx, s, due); err != nil {
			return err
		}
	}
	for _, u := range due {
		user := s.evaluator.LoggableUser(nil, u.user)
		for j := range u.values {
			if e, ok := s.exposureOf(u, j, user); ok {
				s.running.logger.Expose(e)
			}
		}
		s.exposeAgain(s.now.Add(repeatEvery(s.binding)))
	}
	return nil
}

// dueUnits are the units that targets hold the values of, and of which the logger would take an exposure now.
func (s *bindingScope) dueUnits() []*unit {
	var due []*unit
	for i := range s.units {
		u := &s.units[i]
		if u.user == nil || u.failed || !holdsValues(s.binding, u) {
			continue
		}
		user, isDue := s.evaluator.LoggableUser(nil, u.user), false
		for j := range u.values {
			e, ok := s.exposureOf(u, j, user)
			if !ok {
				continue
			}
			switch next := s.running.logger.NextExposure(e); {
			case next.IsZero():
			case next.After(s.now):
				s.exposeAgain(next)
			default:
				isDue = true
			}
		}
		if isDue {
			due = append(due, u)
		}
	}
	return due
}

// holdsValues reports whether there is an object that holds a unit's values, provided that its targets were applied.
func holdsValues(binding *v1alpha1.FlagBinding, u *unit) bool {
	if exposureMode(binding) == v1alpha1.ExposurePodReady {
		return len(u.markers) > 0
	}
	return len(u.pods) > 0 || writesConfigMaps(binding)
}

// exposureOf is what there is to tell of one value of a unit; ok is false where that is nothing.
func (s *bindingScope) exposureOf(u *unit, entry int, user []byte) (e events.Exposure, ok bool) {
	v := &u.values[entry]
	if v.problem != "" || s.binding.Spec.Entries[entry].Exposure == v1alpha1.ExposureDisabled {
		return e, false
	}
	return events.Exposure{
		Result: v.result, Parameter: v.parameter, User: user, RepeatEvery: repeatEvery(s.binding), Time: s.now,
	}, true
}

// exposeAgain notes when an exposure that still holds is to be repeated.
func (s *bindingScope) exposeAgain(at time.Time) {
	if s.nextExposure.IsZero() || at.Before(s.nextExposure) {
		s.nextExposure = at
	}
}

// countChecks counts the evaluations that are not exposed because their entry says so. Statsig tells by them what is still asked for.
func countChecks(s *bindingScope) {
	for i := range s.units {
		u := &s.units[i]
		if u.user == nil {
			continue
		}
		for j := range u.values {
			if s.binding.Spec.Entries[j].Exposure != v1alpha1.ExposureDisabled {
				continue
			}
			// A parameter that its store gives by itself has no name: no entity was asked.
			if name := u.values[j].result.Name; name != "" {
				s.running.logger.CountCheck(name)
			}
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
