package eval

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// writeReplay writes the session replay settings, where the document has any. Whether a session is recorded is drawn by
// the reference; here a hash of user and instant decides, so that equal calls give equal answers.
func (c *clientResponse) writeReplay() {
	text := c.scope.e.snapshot.facts.replay
	if text == "" {
		return
	}
	settings := map[string]gjson.Result{}
	gjson.Parse(text).ForEach(func(name, value gjson.Result) bool {
		if value.Type != gjson.Null {
			settings[name.Str] = value
		}
		return true
	})
	draw := float64(hashUnits("session_replay", strconv.FormatInt(c.scope.now, 10), c.scope.user.UserID())%passBuckets) /
		passBuckets
	record := !settings["recording_blocked"].Bool()
	if gate, ok := settings["targeting_gate"]; ok {
		passes := c.passesGate(gate.Str)
		record = record && passes
		c.member("passes_session_recording_targeting")
		c.bool(passes)
	}
	if rate, ok := settings["sampling_rate"]; ok {
		record = record && draw <= rate.Num
		c.member("session_recording_rate")
		c.dst = append(c.dst, rate.Raw...)
	}
	c.member("can_record_session")
	c.bool(record)
	c.copySetting("recording_blocked", settings["recording_blocked"])
	c.writeTriggers("session_recording_event_triggers", settings, draw, HashNone)
	c.writeTriggers("session_recording_exposure_triggers", settings, draw, c.options.Hash)
	c.copySetting("session_recording_privacy_settings", settings["session_recording_privacy_settings"])
}

// passesGate evaluates a gate for its value alone.
func (c *clientResponse) passesGate(name string) bool {
	sp := c.scope.e.snapshot.gates[name]
	return sp != nil && c.evaluate(&plannedEntry{spec: sp, kind: KindGate}) && c.scope.res.Pass
}

func (c *clientResponse) copySetting(name string, value gjson.Result) {
	if value.Exists() {
		c.member(name)
		c.dst = append(c.dst, value.Raw...)
	}
}

// writeTriggers writes what starts a recording; draw decides whether a trigger with a rate does.
func (c *clientResponse) writeTriggers(name string, settings map[string]gjson.Result, draw float64, hash HashAlgorithm) {
	triggers := settings[name]
	if !triggers.IsObject() {
		return
	}
	c.member(name)
	c.open()
	triggers.ForEach(func(key, trigger gjson.Result) bool {
		c.comma()
		c.dst = append(appendJSONString(c.dst, hash.hash(key.Str)), ':')
		c.open()
		trigger.ForEach(func(member, value gjson.Result) bool {
			switch member.Str {
			case "values":
				c.copySetting("values", value)
			case "sampling_rate":
				c.member("passes_sampling")
				c.bool(draw <= value.Num)
			}
			return true
		})
		c.close()
		return true
	})
	c.close()
}
