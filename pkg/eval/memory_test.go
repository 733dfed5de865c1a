package eval_test

import "runtime"

// allocatedBytes is how much memory a function takes, kept or not. No other test may run at the same time.
func allocatedBytes(run func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
