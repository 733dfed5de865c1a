// Package render turns evaluated entries into what a target holds: the data of a ConfigMap, or the annotations of a
// pod. Equal entries give equal bytes: nothing here depends on a clock, on the order of a map or on the version of the
// specs. It does not evaluate, and writes nothing anywhere; all of it is pure, and safe for concurrent use.
//
// An entry whose value is unknown keeps what the target holds of it, so a caller passes in what the target holds now.
package render
