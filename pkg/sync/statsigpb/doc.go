// Package statsigpb reads config specs in Statsig's protobuf form, whole documents and deltas, and gives back the JSON
// document that eval.Decode reads: a gate has the same answer whichever form it came in. It says how a client announces
// the form, and writes it for servers in tests.
//
// It is not a client: it sees headers, queries and bodies, never a connection. It does not evaluate, and has no say in
// which document is the newer one.
//
// The form is a brotli stream of envelopes, each behind its length: one message per gate, config, layer, parameter store
// and condition, with a name and a checksum. A delta starts from a copy of the document held, brings the entities that
// changed, and may list names to delete and sums of checksums that must come out right.
//
// # Why messages are read by hand
//
// The messages are read with protowire and one small table each, not with generated code. Statsig does not publish the
// description of these messages, so there is nothing to generate from but a copy of our own making. Generated code would
// build each entity as Go structs, only to be written out as JSON; the tables go from wire to text in one step. And an
// entity with a number unknown here must be left out alone, which is a rule of this form and not of protobuf. What is
// lost is little: eleven messages, of which none nests into itself.
//
// # Why the result is JSON
//
// Snapshot stores, data stores, the evaluator and those who compare documents all speak JSON. With it there is one
// decoder of rules, the one that is held against the official SDK, and a delta needs no state beside the document that
// it was applied to. Writing a whole document takes some two times as long as the evaluator then takes to decode it, and
// is due only when it has changed; applying a small delta takes less than the decoding.
//
// Decode, Encode and EncodeDelta are pure functions and safe for concurrent use. An [Exchange] is not.
package statsigpb
