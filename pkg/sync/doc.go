// Package specsync keeps one project's config specs and ID lists current: it asks sources in order, applies what they
// answer by Statsig's rules, and publishes the result as one immutable [State].
//
// It is not an evaluator and knows nothing of Kubernetes: documents that live in a cluster come in through the
// [Source] interface, and are kept there through the [Store] interface. It never forgets: whatever a source answers,
// the last good snapshot and the last good ID lists stay until better ones arrive, with a Store also over a restart,
// and a [Guard] may hold back what would change too much at once.
//
// A [Syncer] does all its work in its Run method; every other method may be called from any goroutine at any time. A
// [Pool] runs one Syncer for all who ask for the same endpoints with the same SDK key. States, snapshots and ID lists
// are immutable.
//
// No error that leaves this package holds the SDK key or a URL's path or query.
package specsync
