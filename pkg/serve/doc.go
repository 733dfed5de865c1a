// Package serve holds what HTTP endpoints need whoever they answer: it reads bearer tokens, bounds how often callers
// may ask, remembers answers for a while, and accounts for every request. It decides nobody's rights and knows nothing
// of what is served.
//
// Everything in it is bounded in memory, whatever callers send, and safe for concurrent use.
package serve
