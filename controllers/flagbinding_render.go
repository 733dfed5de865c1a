package controllers

import (
	"errors"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/render"
)

// configMapOptions is the form that a target asks for.
func configMapOptions(target *v1alpha1.ConfigMapTarget) render.Options {
	return render.Options{Format: render.Format(target.Format), Key: target.Key}
}

// renderEntries are a unit's values as pkg/render takes them.
func renderEntries(binding *v1alpha1.FlagBinding, u *unit) []render.Entry {
	entries := make([]render.Entry, len(u.values))
	for j := range u.values {
		entry, v := &binding.Spec.Entries[j], &u.values[j]
		entries[j] = render.Entry{Name: entry.Name, State: render.Missing}
		if v.problem == "" {
			entries[j].State, entries[j].Value = render.Evaluated, v.value
		}
		if entry.Default != nil {
			entries[j].Default = string(entry.Default.Raw)
		}
	}
	return entries
}

// renderReason names what is wrong with a target that could not be rendered.
func renderReason(err error) string {
	if _, tooLarge := errors.AsType[*render.TooLargeError](err); tooLarge {
		return v1alpha1.ReasonTargetTooLarge
	}
	return v1alpha1.ReasonTargetInvalid
}

// describedTarget is the target whose content the status describes: the first. The others hold the same, but for entries that could
// not be evaluated, where each keeps what it held.
const describedTarget = 0

// recordStates notes what the described target made of each entry.
func recordStates(u *unit, outcomes []render.Outcome) {
	for j := range outcomes {
		u.values[j].state, u.values[j].text = v1alpha1.EntryState(outcomes[j].State), outcomes[j].Text
	}
}
