package controllers

import (
	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

// expose reports the evaluations that decided. The logger knows what was told already, so this may be called on every reconcile. While
// the gate is held by hand, no evaluation decides.
func (s *gateScope) expose() {
	if !s.answered() || s.heldByHand() != "" || s.running.logger == nil {
		return
	}
	logger := s.running.logger
	if s.gate.Spec.Exposures == v1alpha1.ExposureDisabled {
		for i := range s.verdict.Decisive {
			// A parameter that its store gives by itself has no name: no entity was asked.
			if name := s.verdict.Decisive[i].Result.Name; name != "" {
				logger.CountCheck(name)
			}
		}
		return
	}
	user := s.evaluator.LoggableUser(nil, s.user)
	for i := range s.verdict.Decisive {
		decisive := &s.verdict.Decisive[i]
		e := events.Exposure{
			Result: decisive.Result, Parameter: decisive.Parameter, User: user, RepeatEvery: defaultRepeatEvery, Time: s.now,
		}
		next := logger.NextExposure(e)
		if next.IsZero() {
			continue
		}
		if !next.After(s.now) {
			logger.Expose(e)
			next = s.now.Add(defaultRepeatEvery)
		}
		if s.nextExposure.IsZero() || next.Before(s.nextExposure) {
			s.nextExposure = next
		}
	}
}
