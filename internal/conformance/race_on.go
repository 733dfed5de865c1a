//go:build race

package conformance

// testStride lets tests compare every tenth user or row. What the race detector looks for doesn't depend on the user.
const testStride = 10
