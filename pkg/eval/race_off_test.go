//go:build !race

package eval_test

// userStride is 1: conformance tests ask for every user.
const userStride = 1
