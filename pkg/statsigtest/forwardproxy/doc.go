// Package forwardproxy is a local stand-in for the gRPC side of Statsig's forward proxy, for tests and demos, this
// project's own and those of teams that run the operator in an envtest suite. It serves one config specs document byte
// for byte, pushes each new one to all streams, and fails on request.
//
// It is not a proxy: it fetches nothing, and a test gives it the document. It has no access control worth the name, so
// it belongs on a loopback address.
//
// A [Server] is safe for concurrent use.
package forwardproxy
