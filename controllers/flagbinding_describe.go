package controllers

import (
	"fmt"
	"sort"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/render"
)

// describeValues writes values, units and targets into the status.
func describeValues(s *bindingScope, status *v1alpha1.FlagBindingStatus, scrub func(string) string) {
	status.Units = clampInt32(len(s.units))
	status.Entries = describeEntries(s)
	scrubEntries(status.Entries, scrub)
	status.Workloads = describeUnits(s, scrub)
	status.Targets, status.TargetsApplied = describeTargets(s, scrub)
	before := status.Hash
	status.Hash = bindingHash(s)
	if s.snapshot != nil && (status.Hash != before || status.SpecsHash == "") {
		status.SpecsHash = shortHash(s.snapshot.Hash())
	}
}

// scrubEntries takes keys out of what the rules' document put into entries.
func scrubEntries(entries []v1alpha1.EntryStatus, scrub func(string) string) {
	for i := range entries {
		e := &entries[i]
		e.Value, e.RuleID, e.Group = scrub(e.Value), scrub(e.RuleID), scrub(e.Group)
		for j := range e.Others {
			o := &e.Others[j]
			o.Value, o.RuleID, o.Group = scrub(o.Value), scrub(o.RuleID), scrub(o.Group)
		}
	}
}

// bindingHash is one hash over the values of all units.
func bindingHash(s *bindingScope) string {
	hashes := map[string]string{}
	for i := range s.units {
		if u := &s.units[i]; u.userErr == nil {
			hashes[u.kind+"/"+u.name] = unitHash(s.binding, u)
		}
	}
	return render.ShortHash(render.Hash(hashes))
}

func unitHash(binding *v1alpha1.FlagBinding, u *unit) string {
	texts := map[string]string{}
	for j := range u.values {
		if v := &u.values[j]; v.state != v1alpha1.EntryAbsent {
			texts[binding.Spec.Entries[j].Name] = v.text
		}
	}
	return render.ShortHash(render.Hash(texts))
}

func describeUnits(s *bindingScope, scrub func(string) string) []v1alpha1.UnitStatus {
	units := make([]v1alpha1.UnitStatus, 0, min(len(s.units), maxUnitStatuses))
	for i := range s.units {
		if len(units) == maxUnitStatuses {
			break
		}
		u := &s.units[i]
		described := v1alpha1.UnitStatus{Kind: u.kind, Name: u.name}
		if u.userErr != nil {
			described.Message = truncate(scrub(sentence(u.userErr)), maxStatusMessage)
		} else {
			described.Hash = unitHash(s.binding, u)
			if u.user != nil {
				described.UserID = truncate(scrub(u.user.UserID()), maxStatusText)
			}
		}
		units = append(units, described)
	}
	return units
}

func describeTargets(s *bindingScope, scrub func(string) string) ([]v1alpha1.TargetStatus, string) {
	described, applied := make([]v1alpha1.TargetStatus, 0, len(s.targets)), 0
	for i := range s.targets {
		t := &s.targets[i]
		state := v1alpha1.TargetApplied
		if t.reason != "" {
			state = v1alpha1.TargetFailed
		} else {
			applied++
		}
		described = append(described, v1alpha1.TargetStatus{
			Name: t.name, State: state, Objects: clampInt32(t.objects), Message: truncate(scrub(t.message), maxStatusMessage),
		})
	}
	return described, fmt.Sprintf("%d/%d", applied, len(s.targets))
}

// describeEntries gives each entry its most frequent outcome, and the others beside it.
func describeEntries(s *bindingScope) []v1alpha1.EntryStatus {
	described := make([]v1alpha1.EntryStatus, 0, len(s.binding.Spec.Entries))
	for j := range s.binding.Spec.Entries {
		entry := &s.binding.Spec.Entries[j]
		status := v1alpha1.EntryStatus{Name: entry.Name, Kind: entryRef(entry).Kind.String()}
		outcomes, first := outcomesOf(s, j)
		if len(outcomes) > 0 {
			most := outcomes[0]
			status.Value, status.RuleID, status.Group, status.Units = most.Value, most.RuleID, most.Group, most.Units
			status.State, status.Reason = first.state, truncate(first.result.Details.String(), 64)
			status.Others = outcomes[1:min(len(outcomes), maxOtherOutcomes+1)]
		}
		described = append(described, status)
	}
	return described
}

// outcomesOf groups an entry's values over all units, the most frequent first, and returns a value of the first group.
func outcomesOf(s *bindingScope, entry int) (outcomes []v1alpha1.EntryOutcome, first *entryValue) {
	type group struct {
		outcome v1alpha1.EntryOutcome
		value   *entryValue
	}
	groups := map[v1alpha1.EntryOutcome]*group{}
	for i := range s.units {
		if s.units[i].userErr != nil {
			continue
		}
		v := &s.units[i].values[entry]
		key := v1alpha1.EntryOutcome{
			Value: render.Display(v.text), RuleID: truncate(v.result.RuleID, maxStatusText), Group: truncate(v.result.GroupName, maxStatusText),
		}
		if groups[key] == nil {
			groups[key] = &group{outcome: key, value: v}
		}
		groups[key].outcome.Units++
	}
	ordered := make([]*group, 0, len(groups))
	for _, g := range groups {
		ordered = append(ordered, g)
	}
	sort.Slice(ordered, func(i, j int) bool {
		a, b := ordered[i].outcome, ordered[j].outcome
		if a.Units != b.Units {
			return a.Units > b.Units
		}
		if a.Value != b.Value {
			return a.Value < b.Value
		}
		return a.RuleID+"\x00"+a.Group < b.RuleID+"\x00"+b.Group
	})
	for _, g := range ordered {
		outcomes = append(outcomes, g.outcome)
	}
	if len(ordered) > 0 {
		first = ordered[0].value
	}
	return outcomes, first
}
