//go:build !race

package eval_test

// manyRules is how many rules a document made to be slow has.
const manyRules = 1_000_000

// userStride is 1: conformance tests ask for every user.
const userStride = 1
