package events

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// appendExposure appends the event of an exposure that no sampling was asked for.
func appendExposure(dst []byte, e *Exposure, at time.Time) []byte {
	return appendSampledExposure(dst, e, samplingMark{}, at)
}

// appendSampledExposure appends the event of an exposure, in the field order of the official SDK.
func appendSampledExposure(dst []byte, e *Exposure, mark samplingMark, at time.Time) []byte {
	switch e.Result.Kind {
	case eval.KindGate:
		dst = appendGateMetadata(dst, e)
	case eval.KindLayer:
		dst = appendLayerMetadata(dst, e)
	default:
		dst = appendConfigMetadata(dst, e)
	}
	dst = append(dst, `},"statsigMetadata":`...)
	dst = appendSamplingMark(dst, mark)
	dst = append(dst, `,"user":`...)
	dst = appendUser(dst, e.User)
	dst = appendTime(dst, at)
	dst = append(dst, `,"secondaryExposures":`...)
	switch {
	case e.Result.Kind != eval.KindLayer || e.isExplicit():
		dst = appendSecondaryExposures(dst, e.Result.SecondaryExposures)
	case e.Result.Undelegated != nil:
		dst = appendSecondaryExposures(dst, e.Result.Undelegated)
	default:
		// A layer that handed nobody on and met no gate has no such list, not an empty one.
		dst = append(dst, "null"...)
	}
	return append(dst, '}')
}

func appendGateMetadata(dst []byte, e *Exposure) []byte {
	dst = append(dst, `{"eventName":"statsig::gate_exposure","value":null,"metadata":{"gate":`...)
	dst = appendString(dst, e.Result.Name)
	dst = append(dst, `,"gateValue":`...)
	dst = appendBoolString(dst, e.Result.Pass)
	return appendDetails(dst, e)
}

// appendConfigMetadata writes rulePassed for experiments too, as the official SDK does on the wire; only its manual
// experiment exposure goes without.
func appendConfigMetadata(dst []byte, e *Exposure) []byte {
	dst = append(dst, `{"eventName":"statsig::config_exposure","value":null,"metadata":{"config":`...)
	dst = appendString(dst, e.Result.Name)
	if e.Result.Kind != eval.KindExperiment || !e.Manual {
		dst = append(dst, `,"rulePassed":`...)
		dst = appendBoolString(dst, e.Result.Pass)
	}
	return appendDetails(dst, e)
}

func appendLayerMetadata(dst []byte, e *Exposure) []byte {
	explicit := e.isExplicit()
	allocated := ""
	if explicit {
		allocated = e.Result.ConfigDelegate
	}
	dst = append(dst, `{"eventName":"statsig::layer_exposure","value":null,"metadata":{"config":`...)
	dst = appendString(dst, e.Result.Name)
	dst = append(dst, `,"parameterName":`...)
	dst = appendString(dst, e.Parameter)
	dst = append(dst, `,"allocatedExperiment":`...)
	dst = appendString(dst, allocated)
	dst = append(dst, `,"isExplicitParameter":`...)
	dst = appendBoolString(dst, explicit)
	return appendDetails(dst, e)
}

// appendDetails appends the metadata that all kinds share. Every value is a string, numbers included: Statsig's
// metadata is a map of strings.
func appendDetails(dst []byte, e *Exposure) []byte {
	r := &e.Result
	dst = append(dst, `,"ruleID":`...)
	dst = appendString(dst, e.ruleID())
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, r.Details.String())
	// A document may have the time 0; only where there is no document there is none.
	if r.Details.LCUT != 0 || !r.Details.ReceivedAt.IsZero() {
		dst = append(dst, `,"lcut":`...)
		dst = appendIntString(dst, r.Details.LCUT)
	}
	if !r.Details.ReceivedAt.IsZero() {
		dst = append(dst, `,"receivedAt":`...)
		dst = appendIntString(dst, r.Details.ReceivedAt.UnixMilli())
	}
	if r.Version >= 0 {
		dst = append(dst, `,"configVersion":`...)
		dst = appendIntString(dst, r.Version)
	}
	if e.Manual {
		dst = append(dst, `,"isManualExposure":"true"`...)
	}
	if r.OverrideConfigName != "" && r.Kind != eval.KindLayer { // the official SDK's layers don't tell
		dst = append(dst, `,"overrideConfigName":`...)
		dst = appendString(dst, r.OverrideConfigName)
	}
	return dst
}

// appendSecondaryExposures keeps repeated entries: the official SDK sends them, and Statsig counts on seeing the same.
func appendSecondaryExposures(dst []byte, exposures []eval.SecondaryExposure) []byte {
	dst = append(dst, '[')
	for i := range exposures {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"gate":`...)
		dst = appendString(dst, exposures[i].Gate)
		dst = append(dst, `,"gateValue":`...)
		dst = appendString(dst, exposures[i].GateValue)
		dst = append(dst, `,"ruleID":`...)
		dst = appendString(dst, exposures[i].RuleID)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendCustomEvent appends a custom event. Its metadata is sorted, so that equal events have equal bytes.
func appendCustomEvent(dst []byte, e *CustomEvent, at time.Time) []byte {
	dst = append(dst, `{"eventName":`...)
	dst = appendString(dst, e.Name)
	dst = append(dst, `,"value":`...)
	if e.Value.kind == valueBool {
		dst = appendBoolString(dst, e.Value.number != 0)
	} else {
		dst = appendValue(dst, e.Value)
	}
	dst = append(dst, `,"metadata":`...)
	dst = appendMetadata(dst, e.Metadata)
	dst = append(dst, `,"statsigMetadata":null,"user":`...)
	dst = appendUser(dst, e.User)
	dst = appendTime(dst, at)
	return append(dst, `,"secondaryExposures":null}`...)
}

func appendMetadata(dst []byte, metadata map[string]Value) []byte {
	if metadata == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(metadata)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
		dst = append(dst, ':')
		dst = appendValue(dst, metadata[name])
	}
	return append(dst, '}')
}

func appendValue(dst []byte, v Value) []byte {
	switch v.kind {
	case valueString:
		return appendString(dst, v.text)
	case valueBool:
		return strconv.AppendBool(dst, v.number != 0)
	case valueNumber:
		if !math.IsInf(v.number, 0) && !math.IsNaN(v.number) {
			return appendNumber(dst, v.number)
		}
	case valueNull:
	}
	return append(dst, "null"...)
}

// appendNumber avoids exponents where numbers are read by people, as JSON encoders commonly do.
func appendNumber(dst []byte, n float64) []byte {
	const plainFrom, plainBelow = 1e-6, 1e21
	format := byte('f')
	if abs := math.Abs(n); abs != 0 && (abs < plainFrom || abs >= plainBelow) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, n, format, -1, 64)
}

func appendTime(dst []byte, at time.Time) []byte {
	if at.IsZero() {
		return dst
	}
	dst = append(dst, `,"time":`...)
	return strconv.AppendInt(dst, at.UnixMilli(), 10)
}

func appendUser(dst, user []byte) []byte {
	if len(user) == 0 {
		return append(dst, "{}"...)
	}
	return append(dst, user...)
}

func appendIntString(dst []byte, n int64) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '"')
}

func appendBoolString(dst []byte, b bool) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendBool(dst, b)
	return append(dst, '"')
}

// appendString appends s as a JSON string. Nearly every name and ID is plain ASCII and is copied in one go.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return gjson.AppendJSONString(dst, s)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
