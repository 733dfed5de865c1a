// Package eval evaluates Statsig feature gates, dynamic configs, experiments, layers and parameter stores.
//
// A config specs document goes through three steps: Decode reads its text, Compile turns it into an immutable Snapshot
// with every operator resolved and every operand prepared, and an Evaluator answers questions about users on it. The
// answers are those of Statsig's Server Core SDK, value by value and rule by rule; where that SDK crashes or its answer
// depends on chance, this package gives a safe and repeatable answer instead.
//
// The package is pure. It does no IO, reads no clock, writes no log and draws no random numbers: the instant of an
// evaluation is an argument, and ID lists, user-agent parsing and country look-up arrive as small interfaces. It never
// returns a Go error for an evaluation; Details.Reason says what happened.
//
// Document, Snapshot, Evaluator and User are immutable after construction and safe for concurrent use by any number of
// goroutines. A Recorder belongs to one goroutine at a time.
package eval
