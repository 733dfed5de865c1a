package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
)

// StickyValue is what is kept of an answer so that a user gets it again. As JSON it has the form in which Statsig's
// SDKs keep it, so that both can use the same storage.
type StickyValue struct { //nolint:recvcheck // a map of values is written by its elements, which have no address
	// Value is the JSON object of the experiment or layer, "" for none.
	Value     string
	RuleID    string
	GroupName string
	// SecondaryExposures and Undelegated are reported along with the answer, see [Result].
	SecondaryExposures, Undelegated []SecondaryExposure
	// ConfigDelegate is the experiment a layer handed the user to.
	ConfigDelegate string
	// ExplicitParameters are the parameters the experiment controls in its layer; nil for none known.
	ExplicitParameters []string
	// Time is the last config update time of the document that gave the answer, in Unix milliseconds; 0 when unset.
	Time    int64
	Version int64 // of the experiment or layer, -1 when it had none
}

// newStickyValue keeps an answer. Exposures are copied: those of a result don't outlive the next evaluation.
func newStickyValue(live *Result) *StickyValue {
	v := &StickyValue{
		Value: live.Value, RuleID: live.RuleID, GroupName: live.GroupName, ConfigDelegate: live.ConfigDelegate,
		SecondaryExposures: slices.Clone(live.SecondaryExposures), Undelegated: slices.Clone(live.Undelegated),
		ExplicitParameters: live.ExplicitParameters, Time: live.Details.LCUT, Version: live.Version,
	}
	if live.Kind == KindLayer {
		// The reference tells empty lists from missing ones for experiments only.
		v.Undelegated = orEmpty(v.Undelegated)
		v.ExplicitParameters = orEmpty(v.ExplicitParameters)
	}
	return v
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// result is the answer that a value stands for, in place of the present one.
func (v *StickyValue) result(live *Result, now time.Time) Result {
	return Result{
		Ref: live.Ref, Pass: true, Value: v.Value, RuleID: v.RuleID, GroupName: v.GroupName, IDType: live.IDType,
		Version: v.Version, IsExperimentActive: true, IsExperimentGroup: true, ConfigDelegate: v.ConfigDelegate,
		ExplicitParameters: v.ExplicitParameters, SecondaryExposures: orEmpty(v.SecondaryExposures),
		Undelegated: v.Undelegated, ForwardAllExposures: live.ForwardAllExposures,
		HasSeenAnalyticalGates: live.HasSeenAnalyticalGates, SamplingRate: live.SamplingRate,
		OverrideConfigName: live.OverrideConfigName,
		Details:            Details{Reason: ReasonPersisted, LCUT: v.Time, ReceivedAt: now},
	}
}

// MarshalJSON writes the value as Statsig's SDKs do, member by member in their order. An encoder that escapes HTML
// changes the bytes, not the meaning.
func (v StickyValue) MarshalJSON() ([]byte, error) {
	dst := []byte(`{"value":true,"json_value":`)
	if v.Value == "" {
		dst = append(dst, "null"...)
	}
	dst = append(dst, v.Value...)
	dst = appendJSONString(append(dst, `,"rule_id":`...), v.RuleID)
	dst = appendOptional(append(dst, `,"group_name":`...), v.GroupName)
	dst = appendExposures(append(dst, `,"secondary_exposures":`...), orEmpty(v.SecondaryExposures))
	dst = appendExposures(append(dst, `,"undelegated_secondary_exposures":`...), v.Undelegated)
	dst = appendOptional(append(dst, `,"config_delegate":`...), v.ConfigDelegate)
	dst = append(dst, `,"explicit_parameters":`...)
	if v.ExplicitParameters == nil {
		dst = append(dst, "null"...)
	} else {
		dst = appendJSON(dst, v.ExplicitParameters, 1)
	}
	dst = appendPositive(append(dst, `,"time":`...), v.Time, 1)
	dst = appendPositive(append(dst, `,"config_version":`...), v.Version, 0)
	return append(dst, '}'), nil
}

// appendOptional appends a string, null for an empty one.
func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendJSONString(dst, s)
}

// appendPositive appends a number, null where it is less than least.
func appendPositive(dst []byte, n, least int64) []byte {
	if n < least {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, n, 10)
}

// appendExposures appends a list, null for none.
func appendExposures(dst []byte, list []SecondaryExposure) []byte {
	if list == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendExposure(dst, string(appendJSONString(nil, list[i].Gate)), &list[i])
	}
	return append(dst, ']')
}

// UnmarshalJSON reads what Statsig's SDKs write. A time may be any number, and counts as unset where it is none; members
// that are missing count as null, and a value that is no object as none.
func (v *StickyValue) UnmarshalJSON(text []byte) error {
	var stored struct {
		Value              json.RawMessage     `json:"json_value"`
		RuleID             string              `json:"rule_id"`
		GroupName          string              `json:"group_name"`
		SecondaryExposures []SecondaryExposure `json:"secondary_exposures"`
		Undelegated        []SecondaryExposure `json:"undelegated_secondary_exposures"`
		ConfigDelegate     string              `json:"config_delegate"`
		ExplicitParameters []string            `json:"explicit_parameters"`
		Time               json.RawMessage     `json:"time"`
		Version            *int64              `json:"config_version"`
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		return fmt.Errorf("reading sticky value: %w", err)
	}
	*v = StickyValue{
		RuleID: stored.RuleID, GroupName: stored.GroupName, SecondaryExposures: stored.SecondaryExposures,
		Undelegated: stored.Undelegated, ConfigDelegate: stored.ConfigDelegate,
		ExplicitParameters: stored.ExplicitParameters, Time: storedTime(gjson.ParseBytes(stored.Time)), Version: -1,
	}
	if value := gjson.ParseBytes(stored.Value); value.IsObject() {
		v.Value = value.Raw
	}
	if stored.Version != nil {
		v.Version = *stored.Version
	}
	return nil
}

// storedTime cuts fractions off. Times before 1970 count as unset.
func storedTime(n gjson.Result) int64 {
	if n.Type != gjson.Number || n.Num < 0 {
		return 0
	}
	if ms, ok := parseInt(n.Raw); ok {
		return ms
	}
	if n.Num >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(n.Num)
}
