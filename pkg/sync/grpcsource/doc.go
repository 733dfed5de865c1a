// Package grpcsource is a source of config specs that Statsig's forward proxy pushes over a gRPC stream: a change
// arrives within moments instead of at the next poll.
//
// It is not a syncer: it brings documents and does not judge them. What is malformed, outdated or made for another key
// is refused by those who ask, and the last good snapshot stays theirs.
//
// While [Source.Watch] runs, [Source.Fetch] answers from the stream, without a request. When a stream breaks, or stays
// silent for too long, Watch opens another, after a wait that doubles from 3 seconds to a minute with jitter, and Fetch
// asks the proxy itself. When that fails too, what the proxy said last stands for a short while, so that a proxy that
// restarts is not an outage; then Fetch fails, and the next source has its turn until a stream is back. The official SDK
// waits for 30 failures, some 27 minutes, before it looks elsewhere; whoever promises to tell of stale specs within
// minutes cannot.
//
// Without Watch a Source polls.
//
// A Source is safe for concurrent use. No error that leaves this package holds the SDK key.
package grpcsource
