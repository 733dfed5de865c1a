//go:build !race

package grpcsource_test

import (
	"testing"
	"testing/synctest"

	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource"
)

func TestAnUnchangedDocumentCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{streams: [][]grpcsource.Message{nil}, lasting: make(chan grpcsource.Message, 1)}
		s.lasting <- document(1000)
		source, _ := scripted(t, s, 1, nil)
		have := specsync.Have{Time: 1000, Version: fetch(t, source, specsync.Have{}).Version}
		ctx := t.Context()
		allocations := testing.AllocsPerRun(100, func() {
			if answer, err := source.Fetch(ctx, have); err != nil || !answer.NotModified {
				t.Errorf("Fetch() = %+v, %v; want not modified", answer, err)
			}
		})
		if allocations != 0 {
			t.Errorf("Fetch() makes %v allocations, want none", allocations)
		}
	})
}
