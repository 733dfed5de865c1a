package specsync

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// record subscribes and returns what it was told as "gate attempted error".
func record(t *testing.T, s *Syncer) *[]string {
	t.Helper()
	told := &[]string{}
	s.Subscribe(func(was, is State) {
		if is.Snapshot == nil && was.Snapshot != nil {
			t.Error("a snapshot was taken away")
		}
		*told = append(*told, fmt.Sprintf("%s %v %s", gateOf(t, is), is.Attempted, outcomeOf(is.Err)))
	})
	return told
}

func TestSubscribersAreToldOfWhatMatters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		s := newSyncer(t, server.options(t))
		told := record(t, s)
		run(t, s)
		// Each step is served for so long that several polls, and several failures with their back-off, fall into it.
		for _, answer := range []http.HandlerFunc{
			body(noUpdates),                   // nothing new
			body(specs(200, "b", "second")),   // once changed, then the same again
			status(500),                       // fails
			status(502),                       // fails otherwise, which is the same to a subscriber
			status(401),                       // a failure of another kind
			body(specs(200, "b", "second")),   // well again
			body(specs(100, "a", "first")),    // outdated
			body(specs(200, "c", "third")),    // changed and well at once
			body(specs(300, "c", "whatever")), // the same checksum
		} {
			server.serve(answer)
			time.Sleep(20 * time.Minute)
			synctest.Wait()
		}
		want := []string{
			"first true unchanged",
			"second true unchanged",
			"second true status",
			"second true unauthorized",
			"second true unchanged",
			"second true outdated",
			"third true unchanged",
		}
		if diff := cmp.Diff(want, *told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestSubscribersAreToldOfAFailedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: status(500)}
		s := newSyncer(t, server.options(t))
		told := record(t, s)
		run(t, s)
		time.Sleep(10 * time.Minute)
		server.serve(body(specs(100, "a", "first")))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{" true status", "first true unchanged"}, *told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestASubscriberIsToldTheStateThatIsVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSyncer(t, (&stub{handler: body(specs(100, "a", "first"))}).options(t))
		calls := 0
		s.Subscribe(func(was, is State) {
			calls++
			if was != (State{}) || is != s.State() {
				t.Errorf("was %+v, is %+v, visible %+v", was, is, s.State())
			}
		})
		run(t, s)
		if calls != 1 {
			t.Errorf("want one call, got %d", calls)
		}
	})
}

func TestSubscriptionsCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		s := newSyncer(t, server.options(t))
		var told []string
		add := func(name string) func() {
			return s.Subscribe(func(_, is State) { told = append(told, name+" "+gateOf(t, is)) })
		}
		add("stays")
		cancel := add("goes")
		var cancelItself func()
		cancelItself = s.Subscribe(func(_, is State) {
			told = append(told, "once "+gateOf(t, is))
			cancelItself()
		})
		run(t, s)
		cancel()
		cancel()
		server.serve(body(specs(200, "b", "second")))
		time.Sleep(DefaultInterval)
		synctest.Wait()
		want := []string{"stays first", "goes first", "once first", "stays second"}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
