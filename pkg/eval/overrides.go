package eval

import (
	"maps"

	"github.com/tidwall/gjson"
)

// Overrides are local overrides, as the SDKs have them. An override is for the IDs named with it, or for everyone where
// none is named; it needs no spec and wins over all rules. Build them first: once handed to an Evaluator they must not
// change. The zero value is ready.
type Overrides struct {
	entries map[Ref]*overrideEntry
}

// overrideEntry holds the overrides of one entity.
type overrideEntry struct {
	everyone *overrideValue
	byID     map[string]*overrideValue
}

type overrideValue struct {
	pass bool
	json string
	// group names the experiment group whose value counts, where hasGroup is set.
	group      string
	hasGroup   bool
	parameters map[string]rawParameter
}

// overrideRuleID is the rule ID of every overridden answer.
const overrideRuleID = "override"

// Gate overrides a gate's value.
func (o *Overrides) Gate(name string, value bool, ids ...string) {
	o.set(Ref{KindGate, name}, &overrideValue{pass: value}, ids)
}

// DynamicConfig overrides a dynamic config's value. Text that is no JSON object counts as {}.
func (o *Overrides) DynamicConfig(name, json string, ids ...string) {
	o.set(Ref{KindDynamicConfig, name}, &overrideValue{json: objectText(json)}, ids)
}

// Experiment overrides an experiment's value. Text that is no JSON object counts as {}.
func (o *Overrides) Experiment(name, json string, ids ...string) {
	o.set(Ref{KindExperiment, name}, &overrideValue{json: objectText(json)}, ids)
}

// ExperimentGroup puts users into an experiment's group. An unknown experiment or group gives {}.
func (o *Overrides) ExperimentGroup(name, group string, ids ...string) {
	o.set(Ref{KindExperiment, name}, &overrideValue{group: group, hasGroup: true}, ids)
}

// Layer overrides a layer's value. Text that is no JSON object counts as {}.
func (o *Overrides) Layer(name, json string, ids ...string) {
	o.set(Ref{KindLayer, name}, &overrideValue{json: objectText(json)}, ids)
}

// ParameterStore overrides a parameter store. Members of the JSON object that have the form of a document's parameters
// are such parameters, all others are static values.
func (o *Overrides) ParameterStore(name, json string, ids ...string) {
	v := &overrideValue{parameters: map[string]rawParameter{}}
	gjson.Parse(objectText(json)).ForEach(func(key, value gjson.Result) bool {
		v.parameters[key.Str] = overrideParameter(value.Raw)
		return true
	})
	o.set(Ref{KindParameterStore, name}, v, ids)
}

// Remove removes the overrides of an entity for the IDs named, or all of them where none is named.
func (o *Overrides) Remove(r Ref, ids ...string) {
	entry := o.entries[r]
	if entry == nil {
		return
	}
	if len(ids) == 0 {
		delete(o.entries, r)
		return
	}
	for _, id := range ids {
		delete(entry.byID, id)
	}
}

// RemoveAll removes every override.
func (o *Overrides) RemoveAll() { clear(o.entries) }

// Clone returns a copy that can be changed without changing o.
func (o *Overrides) Clone() *Overrides {
	c := &Overrides{entries: make(map[Ref]*overrideEntry, len(o.entries))}
	for r, entry := range o.entries {
		c.entries[r] = &overrideEntry{everyone: entry.everyone, byID: maps.Clone(entry.byID)}
	}
	return c
}

func (o *Overrides) set(r Ref, v *overrideValue, ids []string) {
	if o.entries == nil {
		o.entries = map[Ref]*overrideEntry{}
	}
	entry := o.entries[r]
	if entry == nil {
		entry = &overrideEntry{byID: map[string]*overrideValue{}}
		o.entries[r] = entry
	}
	if len(ids) == 0 {
		entry.everyone = v
	}
	for _, id := range ids {
		entry.byID[id] = v
	}
}

// objectText returns text if it is a JSON object, otherwise an empty one.
func objectText(text string) string {
	if r := (&reader{doc: text}); r.peek() == '{' {
		if object := r.raw(); r.err == nil && !r.unreadable && r.peek() == 0 {
			return object
		}
	}
	return "{}"
}

func overrideParameter(text string) rawParameter {
	if text[0] == '{' {
		r := &reader{doc: text}
		if p := r.parameter(); r.err == nil && r.mismatch == nil {
			return p
		}
	}
	return rawParameter{kind: parameterStatic, value: text}
}

// find looks for the user ID, then for the custom IDs, then for the override for everyone. The reference takes custom
// IDs in the order of a hash map; here the least ID type counts, so that the answer stays the same.
func (o *Overrides) find(r Ref, u *User) *overrideValue {
	entry := o.entries[r]
	if entry == nil {
		return nil
	}
	if len(entry.byID) == 0 {
		return entry.everyone
	}
	if v := entry.byID[u.UserID()]; v != nil && u.top[fieldUserID] != nil {
		return v
	}
	var found *overrideValue
	foundName := ""
	for i, name := range u.customIDs.names {
		v := entry.byID[u.customIDs.values[i].text]
		if v != nil && (found == nil || name < foundName) {
			found, foundName = v, name
		}
	}
	if found != nil {
		return found
	}
	return entry.everyone
}

// override answers with a local override, if there is one.
func (s *scope) override(kind Kind, name string) bool {
	if s.response != nil && !s.response.options.IncludeLocalOverrides {
		return false
	}
	v := s.e.options.Overrides.find(Ref{kind, name}, s.user)
	if v == nil {
		return false
	}
	s.overridden = true
	s.res.Pass = v.pass
	s.res.Value = v.json
	s.res.RuleID = overrideRuleID
	if v.hasGroup {
		s.res.Value = s.e.snapshot.groupValue(name, v.group)
	}
	return true
}

// groupValue is the value of the first rule with a group's name.
func (s *Snapshot) groupValue(experiment, group string) string {
	if found := s.configs[experiment]; found != nil && !found.missing {
		for i := range found.rules {
			if found.rules[i].groupName == group {
				return found.rules[i].returnValue.object
			}
		}
	}
	return "{}"
}
