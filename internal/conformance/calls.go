package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// answer is what the official SDK answered to one call. Null is nil: the SDK left the field unset.
type answer struct {
	Value                   any                      `json:"value"`
	RuleID                  string                   `json:"rule_id"`
	IDType                  *string                  `json:"id_type"`
	Version                 *int64                   `json:"version"`
	Reason                  string                   `json:"reason"`
	GroupName               *string                  `json:"group_name"`
	IsExperimentActive      *bool                    `json:"is_experiment_active"`
	SecondaryExposures      []eval.SecondaryExposure `json:"secondary_exposures"`
	AllocatedExperimentName *string                  `json:"allocated_experiment_name"`
	Values                  map[string]any           `json:"values"`
}

// callEntity holds the answers to calls for one entity; -1 stands for a user that the SDK refused.
type callEntity struct {
	Idx   []int  `json:"idx"`
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Table []struct {
		Get              answer  `json:"get"`
		GetDynamicConfig *answer `json:"get_dynamic_config"`
	} `json:"table"`
}

// depthExceeded is the SDK's reason where rules nest too deeply.
const depthExceeded = "Statsig Evaluation Depth Exceeded"

// calls compares calls.
type calls struct {
	*sheet
	*Project
	recorder eval.Recorder
}

func (g Group) compareCalls(s *sheet) error {
	h, lines, err := g.read()
	if err != nil {
		return err
	}
	p, err := g.project(h)
	if err != nil {
		return err
	}
	s.unstable = g.unstable
	c := calls{sheet: s, Project: p}
	c.lists(h.Lists)
	for i, line := range lines {
		var e callEntity
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("reading line %d of %s: %w", i+2, g.expected, err)
		}
		if err := c.entity(&e); err != nil {
			return err
		}
	}
	return nil
}

// lists compares the list methods, where they were recorded.
func (c *calls) lists(lists map[string][]string) {
	for name, kind := range map[string]eval.Kind{
		"gates": eval.KindGate, "dynamic_configs": eval.KindDynamicConfig, "experiments": eval.KindExperiment,
		"layers": eval.KindLayer, "stores": eval.KindParameterStore,
	} {
		if want, ok := lists[name]; ok {
			c.names(cell{kind: "list", entity: name, field: "names"}, kind, c.Evaluator.Snapshot(), want)
		}
	}
}

func (s *sheet) names(c cell, kind eval.Kind, snapshot *eval.Snapshot, want []string) {
	slices.Sort(want)
	got := snapshot.Names(kind)
	s.outcome.Cases++
	s.compare(c, slices.Equal(got, want), got, want)
}

func (c *calls) entity(e *callEntity) error {
	if e.Kind == "meta" {
		return nil // it belongs to client initialize responses
	}
	if len(e.Idx) != len(c.Users) {
		return fmt.Errorf("%s %q has %d answers, want %d", e.Kind, e.Name, len(e.Idx), len(c.Users))
	}
	for u := 0; u < len(e.Idx); u += c.stride {
		if e.Idx[u] < 0 {
			continue
		}
		row, at := &e.Table[e.Idx[u]], cell{kind: e.Kind, entity: e.Name, user: u}
		if c.Users[u] == nil {
			c.outcome.Cases++
			at.field = "user"
			c.compare(at, false, "refused", "accepted")
			continue
		}
		switch e.Kind {
		case "gate":
			c.gate(at, &row.Get, c.evaluate(eval.KindGate, at))
		case "config":
			c.config(at, &row.Get, c.evaluate(eval.KindExperiment, at))
			other := row.GetDynamicConfig
			if other == nil {
				other = &row.Get
			}
			c.config(at, other, c.evaluate(eval.KindDynamicConfig, at))
		case "layer":
			res := c.evaluate(eval.KindLayer, at)
			c.config(at, &row.Get, res)
			c.text(at, "allocated_experiment_name", row.Get.AllocatedExperimentName, res.ConfigDelegate)
		case "store":
			c.store(at, &row.Get)
		default:
			return fmt.Errorf("%q has the unknown kind %q", e.Name, e.Kind)
		}
	}
	return nil
}

func (c *calls) evaluate(kind eval.Kind, at cell) eval.Result {
	c.outcome.Cases++
	return c.Evaluator.Evaluate(eval.Ref{Kind: kind, Name: at.entity}, c.Users[at.user], c.Instants[at.user], &c.recorder)
}

// get compares one field of a call's answer.
func (s *sheet) get(at cell, field string, equal bool, got, want any) {
	at.field = "get." + field
	s.compare(at, equal, got, want)
}

func (s *sheet) common(at cell, want *answer, got *eval.Result) {
	s.get(at, "rule_id", got.RuleID == want.RuleID, got.RuleID, want.RuleID)
	s.text(at, "id_type", want.IDType, got.IDType)
	version := int64(-1)
	if want.Version != nil {
		version = *want.Version
	}
	s.get(at, "version", got.Version == version, got.Version, version)
	reason := string(got.Details.Reason)
	if got.Details.Reason == eval.ReasonError {
		reason = depthExceeded
	}
	s.get(at, "reason", reason == want.Reason, reason, want.Reason)
}

func (s *sheet) gate(at cell, want *answer, got eval.Result) {
	s.common(at, want, &got)
	s.get(at, "value", want.Value == got.Pass, got.Pass, want.Value)
}

func (s *sheet) config(at cell, want *answer, got eval.Result) {
	s.common(at, want, &got)
	s.configValue(at, want, got.Value)
	s.text(at, "group_name", want.GroupName, got.GroupName)
	active := want.IsExperimentActive != nil && *want.IsExperimentActive
	s.get(at, "is_experiment_active", got.IsExperimentActive == active, got.IsExperimentActive, active)
	s.get(at, "secondary_exposures", slices.Equal(got.SecondaryExposures, want.SecondaryExposures),
		got.SecondaryExposures, want.SecondaryExposures)
}

func (s *sheet) configValue(at cell, want *answer, got string) {
	value := s.value(got)
	s.get(at, "value", reflect.DeepEqual(value, want.Value), value, want.Value)
}

// text compares a text that may be unset.
func (s *sheet) text(at cell, field string, want *string, got string) {
	if want == nil {
		s.get(at, field, got == "", got, nil)
		return
	}
	s.get(at, field, got == *want, got, *want)
}

func (c *calls) store(at cell, want *answer) {
	c.outcome.Cases++
	u, now := c.Users[at.user], c.Instants[at.user]
	reason := c.Evaluator.Parameter(at.entity, "", u, now, nil).Details.Reason
	c.get(at, "reason", string(reason) == want.Reason, reason, want.Reason)
	for parameter, value := range want.Values {
		got := c.value(c.Evaluator.Parameter(at.entity, parameter, u, now, &c.recorder).Value)
		c.get(at, "values", reflect.DeepEqual(got, value), got, value)
	}
}
