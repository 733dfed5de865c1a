package controllers

import "testing"

// A write that changes nothing makes no new version: of a CRD that is older than the operator, the API server drops fields. An object
// that waited for one would never be looked at again.
func TestAWriteIsAwaitedOnlyIfItMadeAVersion(t *testing.T) {
	for name, tc := range map[string]struct {
		version string
		want    bool
	}{
		"A new version is awaited": {"8", true},
		"The same one is not":      {"7", false},
	} {
		t.Run(name, func(t *testing.T) {
			var w writtenVersions
			read, written := newGate("a").Obj(), newGate("a").Obj()
			read.ResourceVersion, written.ResourceVersion = "7", tc.version
			w.note(read, written)
			if got := w.isStale(read); got != tc.want {
				t.Errorf("isStale(): want %v, got %v", tc.want, got)
			}
		})
	}
}
