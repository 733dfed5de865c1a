// Package sticky keeps users in the experiment groups they were first given, in a storage of the caller's. Its values
// have the form of Statsig's SDKs, which can therefore share the storage.
//
// It is no storage itself, and decides nothing: that is up to [eval.Evaluator.Stick], which does no IO. An Assigner is
// immutable and as safe for concurrent use as its storage is.
package sticky
