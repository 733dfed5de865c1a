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

// presumeStates notes what a target that held nothing would make of each entry. It stands in status where the described target
// could not be rendered, or where a unit has no pods to annotate.
func presumeStates(binding *v1alpha1.FlagBinding, u *unit) {
	for j := range u.values {
		entry, v := &binding.Spec.Entries[j], &u.values[j]
		v.state = v1alpha1.EntryAbsent
		if v.problem == "" {
			v.state, v.text = v1alpha1.EntryEvaluated, render.Text(v.value)
		} else if entry.Default != nil && len(entry.Default.Raw) > 0 {
			v.state, v.text = v1alpha1.EntryDefault, render.Text(string(entry.Default.Raw))
		}
	}
}

// recordStates notes what the described target made of each entry.
func recordStates(u *unit, outcomes []render.Outcome) {
	for j := range outcomes {
		u.values[j].state, u.values[j].text = v1alpha1.EntryState(outcomes[j].State), outcomes[j].Text
	}
}
