// Package secret keeps Statsig SDK keys out of everything that people or machines read. A [Key] prints as a placeholder
// wherever it is formatted or marshalled, and a [Scrubber] removes every live key from text that came from elsewhere:
// URLs in network errors, response bodies, log lines. It does no IO of its own; all of it is safe for concurrent use.
package secret
