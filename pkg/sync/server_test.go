package specsync

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// TestAgainstTheLocalServer goes through a project's day with a server that speaks the whole protocol.
func TestAgainstTheLocalServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		statsig, err := statsigtest.New(statsigtest.Options{Keys: []secret.Key{secret.NewKey("secret-0123456789")}})
		if err != nil {
			t.Fatal(err)
		}
		transport := &stub{handler: statsig.ServeHTTP}
		c := transport.client(t, "secret-0123456789")
		source, err := NewHTTPSource(c, "HTTP", "http://statsig.test")
		if err != nil {
			t.Fatal(err)
		}
		p := NewPool()
		runPool(t, p)
		lease := acquire(t, p, Options{
			Client: c, Sources: []Source{source}, IDLists: IDListOptions{Enabled: true, URL: "http://statsig.test/get_id_lists"},
		})
		defer lease.Release()
		synctest.Wait()
		gate := eval.Ref{Kind: eval.KindGate, Name: "new_checkout"}
		first := lease.Syncer().State()
		if !first.Attempted || first.Err != nil || first.IDListsErr != nil || !first.Snapshot.Has(gate) {
			t.Fatalf("at first: %+v", first)
		}

		time.Sleep(time.Hour)
		synctest.Wait()
		if got := lease.Syncer().State(); got.Snapshot != first.Snapshot || got.IDLists != first.IDLists || got.Err != nil {
			t.Errorf("an hour in which nothing happened: %+v", got)
		}

		if err := statsig.SetGate(gate.Name, true); err != nil {
			t.Fatal(err)
		}
		statsig.SetIDList("testers", "123")
		time.Sleep(DefaultIDListInterval)
		synctest.Wait()
		edited := lease.Syncer().State()
		if !eval.Diff(first.Snapshot, edited.Snapshot).Affects(gate) {
			t.Error("the edit of the gate did not arrive")
		}
		if diff := cmp.Diff([]string{"testers"}, edited.IDLists.Changed(first.IDLists)); diff != "" {
			t.Errorf("ID lists that changed (-want +got):\n%s", diff)
		}
		if !edited.IDLists.Contains("testers", hash123) {
			t.Error("the new ID list does not hold its ID")
		}

		if err := statsig.Fail(statsigtest.Failure{Status: http.StatusServiceUnavailable}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		failing := lease.Syncer().State()
		if failing.Snapshot != edited.Snapshot || failing.IDLists != edited.IDLists {
			t.Error("the outage took something away")
		}
		if status, ok := errors.AsType[*StatusError](failing.Err); !ok || status.Code != http.StatusServiceUnavailable {
			t.Errorf("want a 503, got %v", failing.Err)
		}
		if time.Since(failing.LastSuccess) < 50*time.Minute || failing.ConsecutiveFailures < 10 {
			t.Errorf("an outage of an hour: %+v", failing)
		}

		statsig.Heal()
		statsig.RemoveIDList("testers")
		time.Sleep(2 * maxBackoff)
		synctest.Wait()
		healed := lease.Syncer().State()
		if healed.Err != nil || healed.IDListsErr != nil || healed.Snapshot != edited.Snapshot {
			t.Errorf("after the outage: %+v", healed)
		}
		if diff := cmp.Diff([]string{"testers"}, healed.IDLists.Changed(edited.IDLists)); diff != "" {
			t.Errorf("ID lists that changed (-want +got):\n%s", diff)
		}
	})
}
