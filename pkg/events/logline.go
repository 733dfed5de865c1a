package events

import (
	"fmt"
	"strings"
	"time"
)

const logLineEvent = "statsig::log_line"

// LogLevel is how serious a log line is. The zero level is Info.
type LogLevel uint8

// The levels of log lines, as Statsig knows them.
const (
	LevelInfo LogLevel = iota
	LevelTrace
	LevelDebug
	// LevelLog has the status info, but is told apart by its name.
	LevelLog
	LevelWarn
	LevelError
)

var logLevelNames = [...]string{
	LevelInfo: "Info", LevelTrace: "Trace", LevelDebug: "Debug", LevelLog: "Log", LevelWarn: "Warn", LevelError: "Error",
}

// ParseLogLevel reads a level's name in any case.
func ParseLogLevel(name string) (LogLevel, error) {
	for level, known := range logLevelNames {
		if strings.EqualFold(name, known) {
			return LogLevel(level), nil
		}
	}
	return LevelInfo, fmt.Errorf("%q is not a log level: want one of %s", name, strings.Join(logLevelNames[:], ", "))
}

// String is the level's name. What is no level counts as Info.
func (l LogLevel) String() string {
	if int(l) >= len(logLevelNames) {
		l = LevelInfo
	}
	return logLevelNames[l]
}

// status is what Log Explorer sorts lines by.
func (l LogLevel) status() string {
	if l == LevelLog {
		l = LevelInfo
	}
	return strings.ToLower(l.String())
}

// LogLine is one line for Statsig's Log Explorer.
type LogLine struct {
	Level LogLevel
	// Message is the text; empty is sent as null.
	Message string
	// User is whom the line is about, as in [CustomEvent].
	User []byte
	// Tags are further facts. The names status, source, log_level, and trace where there is one, are Statsig's own: their
	// values are replaced.
	Tags map[string]string
	// Trace is a stack trace, if there is one.
	Trace string
	// Time is when it happened; the zero time stands for now.
	Time time.Time
}

// ForwardLogLine sends a line to Statsig's Log Explorer. It is queued, delivered and counted like any other event; the
// result says whether it was queued.
func (l *Logger) ForwardLogLine(line LogLine) (queued bool) {
	return l.Log(line.event())
}

func (line LogLine) event() CustomEvent {
	const statsigsOwn = 4
	metadata := make(map[string]Value, len(line.Tags)+statsigsOwn)
	for name, value := range line.Tags {
		metadata[name] = String(value)
	}
	if line.Trace != "" {
		metadata["trace"] = String(line.Trace)
	}
	metadata["status"] = String(line.Level.status())
	metadata["source"] = String(sdkType)
	metadata["log_level"] = String(line.Level.String())
	e := CustomEvent{Name: logLineEvent, User: line.User, Metadata: metadata, Time: line.Time}
	if line.Message != "" {
		e.Value = String(line.Message)
	}
	return e
}
