//go:build !race

package useragent_test

// thirdPartyStride: every row is checked.
const thirdPartyStride = 1
