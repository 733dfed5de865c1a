package events

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLogLineIsEncodedLikeTheOfficialSDK(t *testing.T) {
	tests := map[string]struct {
		line LogLine
		want string
	}{
		"a bare line is of level info": {
			line: LogLine{},
			want: `{"eventName":"statsig::log_line","value":null,"metadata":{"status":"info","source":"statsig-operator","log_level":"Info"},
				"statsigMetadata":null,"user":{},"time":7,"secondaryExposures":null}`,
		},
		"a line carries its message, user, tags and trace": {
			line: LogLine{
				Level: LevelWarn, Message: "script failed", User: []byte(`{"userID":"shop/checkout"}`),
				Tags: map[string]string{"script": "init"}, Trace: "at main:1",
			},
			want: `{"eventName":"statsig::log_line","value":"script failed","metadata":{"script":"init","trace":"at main:1","status":"warn",
				"source":"statsig-operator","log_level":"Warn"},
				"statsigMetadata":null,"user":{"userID":"shop/checkout"},"time":7,"secondaryExposures":null}`,
		},
		"level log has the status info": {
			line: LogLine{Level: LevelLog, Message: "m"},
			want: `{"eventName":"statsig::log_line","value":"m","metadata":{"status":"info","source":"statsig-operator","log_level":"Log"},
				"statsigMetadata":null,"user":{},"time":7,"secondaryExposures":null}`,
		},
		"tags cannot take the place of Statsig's own": {
			line: LogLine{
				Level: LevelError, Message: "m",
				Tags: map[string]string{"status": "fine", "source": "me", "log_level": "Trace", "trace": "kept where there is none"},
			},
			want: `{"eventName":"statsig::log_line","value":"m","metadata":{"status":"error","source":"statsig-operator","log_level":"Error",
				"trace":"kept where there is none"},
				"statsigMetadata":null,"user":{},"time":7,"secondaryExposures":null}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := tc.line.event()
			got := appendCustomEvent(nil, &e, time.UnixMilli(7))
			if diff := cmp.Diff(decodeJSON(t, []byte(tc.want)), decodeJSON(t, got)); diff != "" {
				t.Errorf("event differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogLevels(t *testing.T) {
	for name, want := range map[string]struct {
		level  LogLevel
		text   string
		status string
	}{
		"trace": {LevelTrace, "Trace", "trace"}, "Debug": {LevelDebug, "Debug", "debug"}, "LOG": {LevelLog, "Log", "info"},
		"info": {LevelInfo, "Info", "info"}, "warn": {LevelWarn, "Warn", "warn"}, "error": {LevelError, "Error", "error"},
	} {
		got, err := ParseLogLevel(name)
		if err != nil || got != want.level || got.String() != want.text || got.status() != want.status {
			t.Errorf("level %s is %s with status %s, error %v; want %s, %s", name, got, got.status(), err, want.text, want.status)
		}
	}
	if got, err := ParseLogLevel("fatal"); err == nil {
		t.Errorf("fatal was read as %s", got)
	}
	if got := LogLevel(200); got.String() != "Info" || got.status() != "info" {
		t.Errorf("an unknown level is %s with status %s, want Info", got, got.status())
	}
}

func TestLogLinesAreDeliveredAndNeverLeftOut(t *testing.T) {
	line := LogLine{Message: "again", Time: time.UnixMilli(1795186904150)}
	events, stats := capture(t, Options{}, func(t *testing.T, l *Logger) {
		for range 2 {
			if !l.ForwardLogLine(line) {
				t.Error("line was not queued")
			}
		}
	})
	if len(events) != 2 || stats.Delivered != 2 || events[0]["time"] != 1795186904150.0 {
		t.Errorf("delivered %d: %v", stats.Delivered, events)
	}
}
