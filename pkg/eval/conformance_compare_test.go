package eval_test

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

// depthExceeded is the SDK's reason where rules nest too deeply.
const depthExceeded = "Statsig Evaluation Depth Exceeded"

// comparison compares one answer, cell by cell.
type comparison struct {
	run        *groupRun
	kind, name string
	user       int
}

// cell counts one cell; got and want are only shown.
func (c *comparison) cell(field string, equal bool, got, want any) {
	r := c.run
	if len(r.unstable) > 0 && r.unstable[fmt.Sprintf("%s/%s/%d/get.%s", c.kind, c.name, c.user, field)] {
		r.tally.unstable++
		return
	}
	r.tally.cells++
	if equal {
		return
	}
	r.tally.mismatches++
	if r.tally.mismatches <= maxShown {
		r.t.Errorf("%s: %s %q, user %d: %s = %s, want %s", r.group.name, c.kind, c.name, c.user, field,
			show(got), show(want))
	}
}

func (c *comparison) common(want *answer, got *eval.Result) {
	c.cell("rule_id", got.RuleID == want.RuleID, got.RuleID, want.RuleID)
	c.text("id_type", want.IDType, got.IDType)
	version := int64(-1)
	if want.Version != nil {
		version = *want.Version
	}
	c.cell("version", got.Version == version, got.Version, version)
	reason := string(got.Details.Reason)
	if got.Details.Reason == eval.ReasonError {
		reason = depthExceeded
	}
	c.cell("reason", reason == want.Reason, reason, want.Reason)
}

func (c *comparison) gate(want *answer, got eval.Result) {
	c.common(want, &got)
	c.cell("value", want.Value == got.Pass, got.Pass, want.Value)
}

func (c *comparison) config(want *answer, got eval.Result) {
	c.common(want, &got)
	c.value(want, got.Value)
	c.text("group_name", want.GroupName, got.GroupName)
	active := want.IsExperimentActive != nil && *want.IsExperimentActive
	c.cell("is_experiment_active", got.IsExperimentActive == active, got.IsExperimentActive, active)
	c.cell("secondary_exposures", slices.Equal(got.SecondaryExposures, want.SecondaryExposures),
		got.SecondaryExposures, want.SecondaryExposures)
}

func (c *comparison) value(want *answer, got string) {
	value := c.run.json(got)
	c.cell("value", reflect.DeepEqual(value, want.Value), value, want.Value)
}

// text compares a text that may be unset.
func (c *comparison) text(field string, want *string, got string) {
	if want == nil {
		c.cell(field, got == "", got, nil)
		return
	}
	c.cell(field, got == *want, got, *want)
}

func (c *comparison) store(want *answer) {
	r := c.run
	r.tally.answers++
	u, now := r.users[c.user], r.instants[c.user]
	reason := r.evaluator.Parameter(c.name, "", u, now, nil).Details.Reason
	c.cell("reason", string(reason) == want.Reason, reason, want.Reason)
	for parameter, value := range want.Values {
		got := r.json(r.evaluator.Parameter(c.name, parameter, u, now, &r.recorder).Value)
		c.cell("values", reflect.DeepEqual(got, value), got, value)
	}
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
