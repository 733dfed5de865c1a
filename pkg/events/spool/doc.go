// Package spool keeps batches of events on disk until somebody says that they are delivered: a bounded log of segment
// files with checksums, owned by one process at a time. What a process appended and did not acknowledge is there again
// after a crash, a kill or a restart; what the crash tore apart is skipped and counted.
//
// It does not know what a batch holds, when to write one or how to send it. It never fails an operation for the
// contents of its directory: damage is counted, not reported as an error. It bounds what it keeps by dropping the
// oldest segment.
//
// A record is safe from the death of the process once [Spool.Append] returned, and from the death of the node once it
// is synced; see [SyncPolicy]. Acknowledgements may be lost in a crash: a record is handed out at least once.
//
// The files hold the payloads of events, and so what they say about users (without private attributes). They are
// readable by their owner only, hold no SDK key, and are not encrypted.
//
// A Spool is safe for concurrent use. [Spool.Release] and [Spool.Stats] never wait for the disk; all else may.
package spool
