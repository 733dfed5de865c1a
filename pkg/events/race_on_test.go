//go:build race

package events

// The race detector makes starts and events slow. The other build shows what there is to show about crashes and memory;
// this one looks for races on the way.
const (
	crashRounds   = 25
	outageSeconds = 30
)
