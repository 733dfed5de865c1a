// Package proxyapi is the gRPC service of Statsig's forward proxy: its two calls and their messages, for clients and for
// servers in tests.
//
// It is not generated from a description, because three fields each way need none, and it neither knows nor decides
// what is in a document.
//
// Messages are plain values; [Codec] and [Register] are safe for concurrent use.
package proxyapi
