package controllers

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// plainKey has no shape by which a key could be known: only a scrubber that was told of it finds it.
const plainKey = "a-key-of-no-known-shape"

// running is a registry of what runs, over a cluster in memory whose ConfigMap "specs" has the config specs.
type running struct {
	*Runtimes
	cluster client.Client
	// reads counts the reads of ConfigMaps.
	reads *atomic.Int64
}

// newRunning starts a registry in a bubble, whose loggers deliver to nobody. The test fails if anything of it still runs when the
// bubble ends.
func newRunning(t *testing.T, bindings ...client.Object) running {
	t.Helper()
	reads := new(atomic.Int64)
	specs := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "specs"},
		Data:       map[string]string{"json": string(everyKind().JSON(t)), "other": string(everyKind().JSON(t))},
	}
	cluster := interceptor.NewClient(fakeCluster(t, append(bindings, specs)...), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			reads.Add(1)
			return c.Get(ctx, key, o, options...)
		},
	})
	r := NewRuntimes(&secret.Scrubber{}, "test", "")
	r.Bindings, r.Live, r.Now = cluster, cluster, time.Now
	r.eventsTransport = &endpoint{[]int{http.StatusAccepted}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return running{r, cluster, reads}
}

// ensured ensures a project, again once its sources have answered, and returns what runs for it then.
func (r running) ensured(t *testing.T, project *v1alpha1.StatsigProject, key string) *projectRuntime {
	t.Helper()
	for range 2 {
		if err := r.ensure(t.Context(), project, withKey(key)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	got, settled := r.lookup(client.ObjectKeyFromObject(project))
	if got == nil || !settled {
		t.Fatalf("lookup(): want what runs, got %v, settled %v", got, settled)
	}
	return got
}

var nameOfA = types.NamespacedName{Namespace: "shop", Name: "a"}

func TestAnUnchangedProjectIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning(t)
		first := r.ensured(t, newProject("a").Sources(mapSource).Obj(), plainKey)
		for name, project := range map[string]*projectBuilder{
			"the same":           newProject("a").Sources(mapSource),
			"another generation": newProject("a").Sources(mapSource).With(func(p *v1alpha1.StatsigProject) { p.Generation = 9 }),
			"what does not run":  newProject("a").Sources(mapSource).With(func(p *v1alpha1.StatsigProject) { p.Spec.Staleness = &v1alpha1.StalenessSpec{} }),
		} {
			if got := r.ensured(t, project.Obj(), plainKey); got != first {
				t.Errorf("%s: want what runs left alone, got another", name)
			}
		}
		if evaluator, snapshot, awaited := first.evaluator(); evaluator == nil || snapshot == nil || awaited {
			t.Errorf("evaluator(): want one, got %v, %v, awaited %v", evaluator, snapshot, awaited)
		}
	})
}

func TestOnlyWhatChangedIsSetUpAnew(t *testing.T) {
	disabled := func(p *v1alpha1.StatsigProject) { p.Spec.Events = &v1alpha1.EventsSpec{Disabled: true} }
	more := func(p *v1alpha1.StatsigProject) {
		p.Spec.Events = &v1alpha1.EventsSpec{FlushInterval: durationOf(time.Hour)}
	}
	staging := func(p *v1alpha1.StatsigProject) { p.Spec.Environment = "staging" }
	otherMap := v1alpha1.SpecsSource{Type: v1alpha1.SourceConfigMap, ConfigMapRef: &v1alpha1.ConfigMapKeyRef{Name: "specs", Key: "other"}}
	for name, tc := range map[string]struct {
		next                        *projectBuilder
		key                         string
		wantSameSyncer, wantSameLog bool
		wantLog                     bool
	}{
		"Another interval":         {newProject("a").Sources(mapSource).Interval(time.Minute), plainKey, true, true, true},
		"Another environment":      {newProject("a").Sources(mapSource).With(staging), plainKey, true, true, true},
		"Other settings of events": {newProject("a").Sources(mapSource).With(more), plainKey, true, false, true},
		"No events any more":       {newProject("a").Sources(mapSource).With(disabled), plainKey, true, false, false},
		"Another key":              {newProject("a").Sources(mapSource), "another-" + plainKey, false, false, true},
		"Another source":           {newProject("a").Sources(otherMap), plainKey, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunning(t)
				first := r.ensured(t, newProject("a").Sources(mapSource).Obj(), plainKey)
				next := r.ensured(t, tc.next.Obj(), tc.key)
				if next == first {
					t.Fatal("a changed project is left alone")
				}
				if got := next.lease.Syncer() == first.lease.Syncer(); got != tc.wantSameSyncer {
					t.Errorf("same syncer: want %v, got %v", tc.wantSameSyncer, got)
				}
				if got := next.logger == first.logger; got != tc.wantSameLog {
					t.Errorf("same logger: want %v, got %v", tc.wantSameLog, got)
				}
				if got := next.logger != nil; got != tc.wantLog {
					t.Errorf("a logger: want %v, got %v", tc.wantLog, got)
				}
				// The logger that was replaced has ended, the one that was taken over has not.
				if got := first.logger.Log(events.CustomEvent{Name: "late"}); got != tc.wantSameLog {
					t.Errorf("the former logger takes events: want %v, got %v", tc.wantSameLog, got)
				}
				if r.Scrubber.Scrub(tc.key) == tc.key {
					t.Error("the key in use is not known to the scrubber")
				}
				if got := r.Scrubber.Scrub(plainKey) == plainKey; got != (tc.key != plainKey) {
					t.Errorf("the former key is forgotten: want %v, got %v", tc.key != plainKey, got)
				}
			})
		})
	}
}

func TestProjectsShareASyncer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning(t)
		a := r.ensured(t, newProject("a").Sources(mapSource).Obj(), plainKey)
		b := r.ensured(t, newProject("b").Sources(mapSource).Interval(time.Minute).Obj(), plainKey)
		other := r.ensured(t, newProject("c").Sources(mapSource).Obj(), "another-"+plainKey)
		if a.lease.Syncer() != b.lease.Syncer() {
			t.Error("two projects with the same source and key have a syncer each")
		}
		if a.logger == b.logger {
			t.Error("two projects share a logger")
		}
		if a.lease.Syncer() == other.lease.Syncer() {
			t.Error("projects with different keys share a syncer")
		}
		r.Remove(types.NamespacedName{Namespace: "shop", Name: "b"})
		r.Remove(types.NamespacedName{Namespace: "shop", Name: "c"})
		if r.Scrubber.Scrub(plainKey) == plainKey {
			t.Error("the key that project a still uses is forgotten with project b")
		}
		before := r.reads.Load()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := r.reads.Load() - before; got < 10 || got > 12 {
			t.Errorf("reads within 2m at an interval of 10s for one project: want 10 to 12, got %d", got)
		}
	})
}

func TestRemovalReleasesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning(t)
		project := newProject("a").Sources(mapSource).Obj()
		first := r.ensured(t, project, plainKey)
		r.Remove(nameOfA)
		r.Remove(nameOfA)
		synctest.Wait()
		if got, settled := r.lookup(nameOfA); got != nil || settled {
			t.Errorf("lookup(): want nothing and not settled, got %v, %v", got, settled)
		}
		before := r.reads.Load()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := r.reads.Load() - before; got != 0 {
			t.Errorf("the source was read %d times after the removal", got)
		}
		if first.logger.Log(events.CustomEvent{Name: "late"}) {
			t.Error("the logger still takes events")
		}
		// Ends only when no logger runs any more; in a bubble, waiting for ever fails the test.
		r.loggers.Wait()
		if r.Scrubber.Scrub(plainKey) != plainKey {
			t.Error("the scrubber still knows the key")
		}
		if again := r.ensured(t, project, plainKey); again.lease.Syncer() == first.lease.Syncer() {
			t.Error("a project that came back has the syncer that was stopped")
		}
	})
}

func TestWhatCannotBeSetUpLeavesWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning(t)
		first := r.ensured(t, newProject("a").Sources(mapSource).Obj(), plainKey)
		for name, tc := range map[string]struct {
			project *projectBuilder
			key     string
		}{
			"a file without a directory for files": {newProject("a").Sources(fileSource), plainKey},
			"a key that no header can carry":       {newProject("a").Sources(mapSource), "a key with blanks"},
			"an interval that is too short":        {newProject("a").Sources(mapSource).Interval(time.Millisecond), plainKey},
			"events that go nowhere": {newProject("a").Sources(mapSource).With(func(p *v1alpha1.StatsigProject) {
				p.Spec.Events = &v1alpha1.EventsSpec{URL: "nowhere"}
			}), "another-" + plainKey},
		} {
			err := r.ensure(t.Context(), tc.project.Obj(), withKey(tc.key))
			if err == nil || strings.Contains(err.Error(), tc.key) {
				t.Errorf("%s: want an error without the key, got %v", name, err)
			}
			if got, _ := r.lookup(nameOfA); got != first {
				t.Errorf("%s: want what runs left alone, got %v", name, got)
			}
		}
		if got := r.Scrubber.Scrub("another-" + plainKey); got != "another-"+secret.Redacted {
			t.Errorf("a key that never came into use: want it forgotten and the other one known, got %q", got)
		}
	})
}

func TestWhatHasNoSpecsYetIsTriedBesideWhatRuns(t *testing.T) {
	missing := v1alpha1.SpecsSource{Type: v1alpha1.SourceConfigMap, ConfigMapRef: &v1alpha1.ConfigMapKeyRef{Name: "missing", Key: "json"}}
	const other = "another-" + plainKey
	synctest.Test(t, func(t *testing.T) {
		r := newRunning(t)
		first := r.ensured(t, newProject("a").Sources(mapSource).Obj(), plainKey)
		if got := r.ensured(t, newProject("a").Sources(missing).Obj(), other); got != first {
			t.Fatal("what has no specs has replaced what has")
		}
		tried := r.candidate(nameOfA)
		if tried == nil || tried.state().Err == nil {
			t.Fatalf("the new sources are not tried: %+v", tried)
		}
		if scrubbed := r.Scrubber.Scrub(other); scrubbed == other {
			t.Error("the key that is tried is not known to the scrubber")
		}
		if !first.logger.Log(events.CustomEvent{Name: "meanwhile"}) {
			t.Error("the logger takes no events meanwhile")
		}

		back := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "missing"}, Data: map[string]string{"json": string(everyKind().JSON(t))},
		}
		if err := r.cluster.Create(t.Context(), back); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := r.ensured(t, newProject("a").Sources(missing).Obj(), other); got != tried {
			t.Error("what was tried has specs now, and does not replace what ran")
		}
		if r.candidate(nameOfA) != nil {
			t.Error("something is still tried")
		}
		if first.logger.Log(events.CustomEvent{Name: "late"}) {
			t.Error("the former key's logger still takes events")
		}
	})
}

func TestGoingBackEndsWhatWasTried(t *testing.T) {
	missing := v1alpha1.SpecsSource{Type: v1alpha1.SourceConfigMap, ConfigMapRef: &v1alpha1.ConfigMapKeyRef{Name: "missing", Key: "json"}}
	for name, end := range map[string]func(r running){
		"The project as it was": func(r running) { r.ensured(t, newProject("a").Sources(mapSource).Obj(), plainKey) },
		"No project any more":   func(r running) { r.Remove(nameOfA) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunning(t)
				r.ensured(t, newProject("a").Sources(mapSource).Obj(), plainKey)
				const other = "one-that-shares-nothing-with-it"
				r.ensured(t, newProject("a").Sources(missing).Obj(), other)
				end(r)
				if r.candidate(nameOfA) != nil {
					t.Error("something is still tried")
				}
				if r.Scrubber.Scrub(other) != other {
					t.Error("the scrubber still knows the key that was tried")
				}
			})
		})
	}
}

func TestASettledProjectIsNotAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of := func(name, project string) client.Object {
			return newBinding(name).Gate("on").With(func(b *v1alpha1.FlagBinding) { b.Spec.ProjectRef.Name = project }).Obj()
		}
		r := newRunning(t, of("of-a", "a"), of("of-b", "b"))
		queue := queueOf(t, &r.bindingRequests)
		if got, settled := r.lookup(nameOfA); got != nil || settled {
			t.Errorf("at the start: want nothing and not settled, got %v, %v", got, settled)
		}
		r.settle(nameOfA)
		if got, settled := r.lookup(nameOfA); got != nil || !settled {
			t.Errorf("settled: want nothing and settled, got %v, %v", got, settled)
		}
		if diff := cmp.Diff([]string{"of-a"}, takeAll(queue)); diff != "" {
			t.Errorf("queued by settling (-want +got):\n%s", diff)
		}
		r.settle(nameOfA)
		if got := takeAll(queue); got != nil {
			t.Errorf("settling again: want nothing queued, got %v", got)
		}
		first := r.ensured(t, newProject("a").Sources(mapSource).Obj(), plainKey)
		if diff := cmp.Diff([]string{"of-a"}, takeAll(queue)); diff != "" {
			t.Errorf("queued by setting up (-want +got):\n%s", diff)
		}
		if r.settle(nameOfA); r.byProject[nameOfA] != first {
			t.Error("settling ends what runs")
		}
		staging := newProject("a").Sources(mapSource).With(func(p *v1alpha1.StatsigProject) { p.Spec.Environment = "staging" })
		r.ensured(t, staging.Obj(), plainKey)
		if diff := cmp.Diff([]string{"of-a"}, takeAll(queue)); diff != "" {
			t.Errorf("queued by other settings for the same specs (-want +got):\n%s", diff)
		}
	})
}

func TestNothingIsSetUpOnceTheManagerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRuntimes(&secret.Scrubber{}, "test", "")
		r.Bindings, r.Live, r.Now = fakeCluster(t), fakeCluster(t), time.Now
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := r.ensure(t.Context(), newProject("a").Sources(mapSource).Obj(), withKey(plainKey)); err == nil {
			t.Error("a project is set up after the end: want an error")
		}
		if got := r.Scrubber.Scrub(plainKey); got != plainKey {
			t.Errorf("the key is held after the end: %q", got)
		}
	})
}

func TestEvaluatorIsMadeOfTheStateAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pending := startRuntime(t, []poll{nil}, nil)
		if evaluator, snapshot, awaited := pending.evaluator(); evaluator != nil || snapshot != nil || !awaited {
			t.Errorf("before the first answer: want none and awaited, got %v, %v, %v", evaluator, snapshot, awaited)
		}
		empty := startRuntime(t, []poll{failing(specsync.ErrNoSpecs)}, nil)
		if evaluator, snapshot, awaited := empty.evaluator(); evaluator != nil || snapshot != nil || awaited {
			t.Errorf("without specs: want none and not awaited, got %v, %v, %v", evaluator, snapshot, awaited)
		}
		good := startRuntime(t, []poll{document(string(evaltest.NewDocument().JSON(t)))}, nil)
		if evaluator, snapshot, awaited := good.evaluator(); evaluator == nil || snapshot == nil || awaited {
			t.Errorf("with specs: want both and not awaited, got %v, %v, %v", evaluator, snapshot, awaited)
		}
	})
}
