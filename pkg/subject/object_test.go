package subject

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestFieldsOfEveryTypeAreListed(t *testing.T) {
	p := provider{}
	for name, fields := range schema {
		names, ok := p.FindStructFieldNames(name)
		if !ok {
			t.Errorf("%s has no fields", name)
		}
		want := make([]string, 0, len(fields))
		for field := range fields {
			want = append(want, field)
		}
		sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
		if diff := cmp.Diff(want, names, sorted); diff != "" {
			t.Errorf("fields of %s (-want +got):\n%s", name, diff)
		}
	}
}
