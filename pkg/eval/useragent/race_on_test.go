//go:build race

package useragent_test

// thirdPartyStride: the race detector makes regular expressions twenty times slower, and finds in every tenth row what it
// would find in all of them.
const thirdPartyStride = 10
