// Package events reports evaluations and custom events to Statsig's log_event endpoint: it says which unit really got
// which value. A [Logger] serialises each event once, when it is logged, holds it in a bounded queue, sends batches in
// the background with retries, and counts everything it had to drop, with the reason.
//
// With a spool, see [SpoolOptions], events are also written to disk, at least every half a second by default, before the
// queue may forget them. From then on they survive a crash and are sent by this process or the next one. Events are
// delivered at least once: those whose acknowledgement was lost, by the network or in a crash, arrive twice, and
// Statsig has no number to tell them apart by. An event is lost, and counted, when the bounds of the queue and the
// spool are exceeded; uncounted, when the process dies before it was written. [Logger.Sync] says that it is.
//
// One Logger owns a spool directory at a time. To hand over from one process to the next, cancel the context of
// [Logger.Run] and wait until it returns before the other one starts, which finds the directory free then. Where the
// other one starts too early, it works in memory until the directory is free.
//
// The package does not evaluate, and does not decide which evaluations count as exposed. Neither the SDK key nor an
// event's content shows up in an error or in [Stats], and the key is never written to disk; the content is, which says
// something about users.
//
// A Logger is safe for concurrent use. Logging never waits for the network or the disk.
package events
