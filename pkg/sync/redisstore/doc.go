// Package redisstore reads values from a Redis server for the data store source of package specsync.
//
// It never writes. It makes a connection for each read, since reads are seconds apart: a [Store] has nothing to close,
// notices nothing of a server that restarts in between, and logs in with the credentials of the moment.
//
// A [Store] is safe for concurrent use, Update included. No error that leaves this package holds a password or a key
// of the store.
package redisstore
