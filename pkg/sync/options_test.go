package specsync

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOptionsAreChecked(t *testing.T) {
	source := NewSource("x", "x", nil)
	client := (&stub{}).client(t, testKey)
	cases := map[string]struct {
		options Options
		want    string
	}{
		"no source":           {Options{}, "there is no source"},
		"a nil source":        {Options{Sources: []Source{source, nil}}, "source 1 is nil"},
		"too short":           {Options{Sources: []Source{source}, Interval: time.Millisecond}, "the interval is 1ms, less than 1s"},
		"a negative timeout":  {Options{Sources: []Source{source}, Timeout: -1}, "the timeout is -1ns, less than 1ms"},
		"a negative phase":    {Options{Sources: []Source{source}, Phase: -1}, "the phase or the number of IDs is negative"},
		"lists without a key": {Options{Sources: []Source{source}, IDLists: IDListOptions{Enabled: true}}, "ID lists need a client"},
		"lists too often": {
			Options{Sources: []Source{source}, IDLists: IDListOptions{Interval: 1}}, "the interval of the ID lists is 1ns, less than 1s",
		},
		"lists nowhere": {
			Options{Sources: []Source{source}, Client: client, IDLists: IDListOptions{Enabled: true, URL: "x"}},
			"ID lists: the URL is not an absolute http or https URL",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := New(tc.options)
			if want := "sync options: " + tc.want; err == nil || err.Error() != want {
				t.Errorf("want %q, got %v", want, err)
			}
		})
	}
}

// observed records requests as "source outcome".
type observed struct{ requests []string }

func (o *observed) Observe(r Request) {
	o.requests = append(o.requests, fmt.Sprintf("%s %s %s", r.Source, r.Outcome, r.Took))
}

func TestTheObserverIsToldOfEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		o := server.options(t)
		seen := &observed{}
		o.Observer = seen
		s := newSyncer(t, o)
		run(t, s)
		for _, answer := range []http.HandlerFunc{
			body(noUpdates), body(specs(99, "", "old")), status(403), status(502), body("{"), stall,
		} {
			server.serve(answer)
			s.Wake()
			time.Sleep(DefaultTimeout)
			synctest.Wait()
		}
		want := []string{
			"HTTP changed 0s", "HTTP unchanged 0s", "HTTP outdated 0s", "HTTP unauthorized 0s", "HTTP status 0s",
			"HTTP malformed 0s", "HTTP timeout 3s",
		}
		if diff := cmp.Diff(want, seen.requests); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
