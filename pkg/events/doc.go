// Package events reports evaluations and custom events to Statsig's log_event endpoint: it says which unit really got
// which value. A [Logger] serialises each event once, when it is logged, holds it in a bounded queue, sends batches in
// the background with retries, and counts everything it had to drop, with the reason.
//
// It does not evaluate, does not decide which evaluations count as exposed, and keeps nothing on disk: events still
// queued when the process dies are lost, those left over at shutdown are counted as dropped. Neither the SDK key nor an
// event's content shows up in an error or in [Stats].
//
// A Logger is safe for concurrent use. Logging never blocks on the network.
package events
