//go:build !race

package conformance

// testStride lets tests compare everything.
const testStride = 1
