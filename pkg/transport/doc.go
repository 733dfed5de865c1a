// Package transport carries HTTP requests through proxies and under private certificates, and takes new ones of both
// while it runs: [Transport.Update] replaces the configuration for the requests that begin afterwards and lets those
// under way finish.
//
// It is no HTTP client: it neither retries nor decodes, and a client adds the redirect policy, [CheckRedirect], and
// the deadline of each request. It reads no Secrets or files; its callers bring the PEM texts.
//
// A [Transport] is safe for concurrent use, Update included. No error that leaves this package holds a password, a
// private key, or the URL of a proxy.
package transport
