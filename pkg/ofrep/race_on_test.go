//go:build race

package ofrep

// comparedUsers is small: under the race detector all takes many times as long.
const comparedUsers = 1
