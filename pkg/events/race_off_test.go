//go:build !race

package events

const (
	// crashRounds is how often a process is killed.
	crashRounds = 200
	// outageSeconds is how long the endpoint is away.
	outageSeconds = 3600
)
