package ofrep

import (
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestACatalogGoesWithItsSnapshot(t *testing.T) {
	f := newFixture(t, shop(), eval.Options{})
	f.post(flags, `{}`)
	f.post(flags+"/on", `{}`)
	f.project.Evaluator = eval.NewEvaluator(evaltest.Compile(t, namesakes()), eval.Options{})
	f.exposed = nil
	f.post(flags, `{}`)
	count := func() int {
		f.catalogs.mu.RLock()
		defer f.catalogs.mu.RUnlock()
		return len(f.catalogs.by)
	}
	if got := count(); got != 2 {
		t.Fatalf("%d catalogs, want one for each snapshot", got)
	}
	for deadline := time.Now().Add(time.Minute); count() != 1; {
		if time.Now().After(deadline) {
			t.Fatalf("%d catalogs, want that of the snapshot in use", count())
		}
		runtime.GC() // cleanups run some time after
		runtime.Gosched()
	}
	runtime.KeepAlive(f)
}

func TestRequestsForSeveralProjectsMayRunAtOnce(t *testing.T) {
	projects := map[string]*fixture{
		"/shop": newFixture(t, shop(), eval.Options{}), "/namesakes": newFixture(t, namesakes(), eval.Options{}),
	}
	paths := []string{flags, flags + "/on", flags + "/limits.rps", flags + "/same.q.r"}
	want := map[string]string{}
	for prefix, f := range projects {
		f.project.Expose = nil
		for _, path := range paths {
			want[prefix+path] = f.post(prefix+path, `{}`).Body.String()
		}
	}
	h, err := New(Options{Now: func() time.Time { return evaluatedAt }, Project: func(r *http.Request) Project {
		prefix, _, _ := strings.Cut(r.URL.Path, flags)
		return projects[prefix].project
	}})
	if err != nil {
		t.Fatal(err)
	}
	all := &fixture{Handler: h}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for path, answer := range want {
					if got := all.post(path, `{}`).Body.String(); got != answer {
						t.Errorf("%s is answered %s, want %s", path, got, answer)
					}
				}
			}
		})
	}
	wg.Wait()
}
