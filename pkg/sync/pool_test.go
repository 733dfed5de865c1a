package specsync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// runPool runs p in a bubble until the test's end.
func runPool(t *testing.T, p *Pool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return stop
}

func acquire(t *testing.T, p *Pool, o Options) *Lease {
	t.Helper()
	lease, err := p.Acquire(o)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func TestOneSyncerServesAllWhoAskForTheSame(t *testing.T) {
	httpClient := &http.Client{Transport: &stub{handler: body(specs(100, "a", "first"))}}
	type project struct {
		key, url, lists string
		client          *http.Client
		timeout         time.Duration
		interval        time.Duration
		twice           bool
	}
	base := project{key: "secret-one", url: "http://specs.test", client: httpClient}
	change := func(f func(*project)) project {
		p := base
		f(&p)
		return p
	}
	cases := map[string]struct {
		other      project
		wantShared bool
	}{
		"the same":                    {base, true},
		"a trailing slash":            {change(func(p *project) { p.url += "/" }), true},
		"another interval":            {change(func(p *project) { p.interval = time.Minute }), true},
		"the default timeout spelled": {change(func(p *project) { p.timeout = DefaultTimeout }), true},
		"another key":                 {change(func(p *project) { p.key = "secret-two" }), false},
		"another URL":                 {change(func(p *project) { p.url = "http://other.test" }), false},
		"another transport":           {change(func(p *project) { p.client = &http.Client{} }), false},
		"another timeout":             {change(func(p *project) { p.timeout = time.Second }), false},
		"ID lists":                    {change(func(p *project) { p.lists = "http://lists.test" }), false},
		"one more source":             {change(func(p *project) { p.twice = true }), false},
	}
	options := func(t *testing.T, p project) Options {
		t.Helper()
		c := (&stub{}).client(t, p.key)
		c.transport = fmt.Sprintf("%p", p.client)
		source, err := NewHTTPSource(c, "HTTP", p.url)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{
			Client: c, Sources: []Source{source}, Timeout: p.timeout, Interval: p.interval,
			IDLists: IDListOptions{Enabled: p.lists != "", URL: p.lists},
		}
		if p.twice {
			o.Sources = append(o.Sources, fileSource(t, "x"))
		}
		return o
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := NewPool()
			first, second := acquire(t, p, options(t, base)), acquire(t, p, options(t, tc.other))
			if shared := first.Syncer() == second.Syncer(); shared != tc.wantShared {
				t.Errorf("shared: want %v, got %v", tc.wantShared, shared)
			}
		})
	}
}

func TestThePoolPollsOncePerProject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		o := server.options(t)
		p := NewPool()
		leases := []*Lease{acquire(t, p, o)}
		runPool(t, p)
		for range 999 {
			leases = append(leases, acquire(t, p, o))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(server.take()); n != 7 {
			t.Errorf("want 7 requests in a minute for 1000 leases, got %d", n)
		}
		for _, lease := range leases[1:] {
			lease.Release()
			lease.Release()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(server.take()); n != 6 {
			t.Errorf("want 6 requests in a minute for the last lease, got %d", n)
		}
		leases[0].Release()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(server.take()); n != 0 {
			t.Errorf("want no request after the last release, got %d", n)
		}
		if got := gateOf(t, leases[0].Syncer().State()); got != "first" {
			t.Errorf("the last state is gone: %q", got)
		}
		again := acquire(t, p, o)
		defer again.Release()
		synctest.Wait()
		if again.Syncer() == leases[0].Syncer() || len(server.take()) != 1 {
			t.Error("a lease after the last release: want a new syncer that polls at once")
		}
	})
}

func TestTheShortestIntervalHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		o := server.options(t)
		o.Interval = time.Hour
		p := NewPool()
		runPool(t, p)
		slow := acquire(t, p, o)
		defer slow.Release()
		time.Sleep(time.Minute)
		o.Interval = 20 * time.Second
		quick := acquire(t, p, o)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(server.take()); n != 1+4 {
			t.Errorf("want 4 more requests in a minute, the first at once, got %d", n-1)
		}
		quick.Release()
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if n := len(server.take()); n != 0 {
			t.Errorf("want none within the longer interval, got %d", n)
		}
	})
}

func TestTheIntervalOfIDListsIsTunedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newListServer()
		server.answers["/download_config_specs/"+testKey+".json"] = body(specs(100, "a", "first"))
		o := server.options(t)
		o.Interval = time.Hour
		o.IDLists = IDListOptions{Enabled: true, URL: "http://lists.test/get_id_lists", Interval: time.Hour}
		p := NewPool()
		runPool(t, p)
		defer acquire(t, p, o).Release()
		time.Sleep(time.Minute)
		o.IDLists.Interval = 20 * time.Second
		defer acquire(t, p, o).Release()
		time.Sleep(time.Minute)
		synctest.Wait()
		manifests := 0
		for _, line := range server.take() {
			if strings.HasPrefix(line, manifested) {
				manifests++
			}
		}
		if manifests != 5 {
			t.Errorf("want 5 manifests, got %d", manifests)
		}
	})
}

// TestThePoolStopsWhatItRuns ends the pool while one request hangs; the bubble fails the test if a goroutine stays
// behind.
func TestThePoolStopsWhatItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: stall}
		o := server.options(t)
		o.IDLists = IDListOptions{Enabled: true, URL: "http://lists.test/get_id_lists"}
		p := NewPool()
		stop := runPool(t, p)
		lease := acquire(t, p, o)
		synctest.Wait()
		stop()
		lease.Release()
		if _, err := p.Acquire(o); !errors.Is(err, ErrPoolStopped) {
			t.Errorf("Acquire afterwards: want ErrPoolStopped, got %v", err)
		}
	})
}

func TestAReleaseBeforeThePoolRunsStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: body(specs(100, "a", "first"))}
		p := NewPool()
		acquire(t, p, server.options(t)).Release()
		runPool(t, p)
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string(nil), server.take()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}

func TestAcquireChecksItsOptions(t *testing.T) {
	p := NewPool()
	if _, err := p.Acquire(Options{}); err == nil {
		t.Error("no source: want an error")
	}
	client := (&stub{}).client(t, testKey)
	if _, err := p.Acquire(Options{
		Client: client, Sources: []Source{fileSource(t, "x")}, IDLists: IDListOptions{Enabled: true, URL: "x"},
	}); err == nil {
		t.Error("a bad URL: want an error")
	}
	if len(p.shared) != 0 {
		t.Error("a refused lease left something behind")
	}
}

// TestRotatingAKey is what a controller does when the key changes: the new syncer is tried while the old one serves.
func TestRotatingAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "secret-new") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			body(specs(100, "a", "first"))(w, r)
		}}
		options := func(key string) Options {
			c := server.client(t, key)
			source, err := NewHTTPSource(c, "HTTP", "http://specs.test")
			if err != nil {
				t.Fatal(err)
			}
			return Options{Client: c, Sources: []Source{source}}
		}
		p := NewPool()
		runPool(t, p)
		before := acquire(t, p, options("secret-old"))
		defer before.Release()
		after := acquire(t, p, options("secret-new"))
		synctest.Wait()
		refused := after.Syncer().State()
		wantError(t, refused.Err, ErrUnauthorized)
		if !refused.Attempted || refused.Snapshot != nil {
			t.Errorf("got %+v", refused)
		}
		after.Release()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := before.Syncer().State(); got.Err != nil || time.Since(got.LastSuccess) > DefaultInterval {
			t.Errorf("the old key's syncer does not serve any more: %+v", got)
		}
	})
}
