//go:build race

package eval_test

// manyRules is how many rules a document made to be slow has.
const manyRules = 100_000

// userStride lets conformance tests ask for every seventh user only. Under the race detector all of them take
// minutes, and what it looks for doesn't depend on the user.
const userStride = 7
