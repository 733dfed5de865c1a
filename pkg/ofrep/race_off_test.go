//go:build !race

package ofrep

// comparedUsers bounds the users of each recorded group.
const comparedUsers = 6
