package controllers

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// closures is a document in which entities refer to one another: the gate top by way of middle to leaf, the gate segmented to a
// segment, the layer ranking to the experiment model, the parameter store ui to middle, and listed to an ID list.
func closures(changes ...*evaltest.SpecBuilder) *evaltest.Document {
	gate := func(name string, c evaltest.Condition) *evaltest.SpecBuilder {
		return evaltest.NewGate(name).Rule(evaltest.NewRule(name).When(c))
	}
	return evaltest.NewDocument(
		gate("leaf", evaltest.Public()),
		gate("middle", evaltest.PassGate("leaf")),
		gate("top", evaltest.FailGate("middle")),
		evaltest.NewSegment("staff").Rule(evaltest.NewRule("r").When(evaltest.UserField("email", "any", "a@example.com"))),
		gate("segmented", evaltest.PassGate("segment:staff")),
		gate("listed", evaltest.InSegmentList("beta_workloads")),
		gate("nested_list", evaltest.PassGate("listed")),
		gate("plain", evaltest.Public()),
		evaltest.NewExperiment("model").Rule(evaltest.NewRule("test").Group("Test").Return(map[string]any{"model": "boost"})),
		evaltest.NewLayer("ranking").Rule(evaltest.NewRule("r").Delegate("model")),
		evaltest.NewDynamicConfig("limits").Rule(evaltest.NewRule("all").Return(map[string]any{"rps": 10})),
	).Store("ui", map[string]any{"theme": evaltest.FromGate("middle", "modern", "classic")}).Add(changes...)
}

// bindingsOfClosures has one binding for each entity of closures that a user would ask for, by its name, and one to another project.
func bindingsOfClosures() []client.Object {
	other := newBinding("elsewhere").Gate("top").With(func(b *v1alpha1.FlagBinding) { b.Spec.ProjectRef.Name = "other" })
	return []client.Object{
		newBinding("top").Gate("plain").Entry(v1alpha1.Entry{Name: "x", Gate: "top"}).Obj(),
		newBinding("middle").Gate("middle").Obj(),
		newBinding("segmented").Gate("segmented").Obj(),
		newBinding("nested-list").Gate("nested_list").Obj(),
		newBinding("plain").Gate("plain").Obj(),
		newBinding("ranking").Entry(v1alpha1.Entry{Name: "x", Layer: "ranking", Parameter: "model"}).Obj(),
		newBinding("model").Entry(v1alpha1.Entry{Name: "x", Experiment: "model"}).Obj(),
		newBinding("limits").Entry(v1alpha1.Entry{Name: "x", DynamicConfig: "limits"}).Obj(),
		newBinding("ui").Entry(v1alpha1.Entry{Name: "x", ParameterStore: "ui", Parameter: "theme"}).Obj(),
		newBinding("not-yet").Gate("not_yet").Obj(),
		other.Obj(),
	}
}

// ofProject are all bindings of bindingsOfClosures but that to another project.
var ofProject = []string{
	"limits", "middle", "model", "nested-list", "not-yet", "plain", "ranking", "segmented", "top", "ui",
}

// queuedBy returns the bindings and the projects that a change of a project's state queues, sorted.
func queuedBy(t *testing.T, was, is specsync.State) (bindings, projects []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := NewRuntimes(&secret.Scrubber{}, "test", "")
		t.Cleanup(r.endRun)
		r.Bindings = fakeCluster(t, bindingsOfClosures()...)
		bindingQueue, projectQueue := queueOf(t, &r.bindingRequests), queueOf(t, &r.projectRequests)
		r.onChange(requestFor("checkout").NamespacedName, was, is)
		bindings, projects = takeAll(bindingQueue), takeAll(projectQueue)
	})
	slices.Sort(bindings)
	return bindings, projects
}

func TestANewSnapshotQueuesTheBindingsItTouches(t *testing.T) {
	off := func(name string) *evaltest.SpecBuilder { return evaltest.NewGate(name).Disabled() }
	for name, tc := range map[string]struct {
		next *evaltest.Document
		want []string
	}{
		"An unrelated spec touches nobody":          {closures(off("unrelated")), nil},
		"Another time of the document does neither": {closures().Time(99), nil},
		"A gate touches those that ask for it":      {closures(off("plain")), []string{"plain", "top"}},
		"A gate two levels deep touches all above it": {
			closures(off("leaf")), []string{"middle", "top", "ui"},
		},
		"A segment touches the gate that asks for it": {
			closures(evaltest.NewSegment("staff").Rule(evaltest.NewRule("r").When(evaltest.UserField("email", "any", "b@example.com")))),
			[]string{"segmented"},
		},
		"An experiment touches the layer that delegates to it": {
			closures(evaltest.NewExperiment("model").Rule(evaltest.NewRule("test").Group("Test").Return(map[string]any{"model": "tree"}))),
			[]string{"model", "ranking"},
		},
		"A dynamic config touches those that ask for it": {closures(evaltest.NewDynamicConfig("limits")), []string{"limits"}},
		"A parameter store touches those that ask for it": {
			closures().Store("ui", map[string]any{"theme": evaltest.Static("dark")}), []string{"ui"},
		},
		"A gate that appears touches those that waited for it": {closures(evaltest.NewGate("not_yet")), []string{"not-yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			was := specsync.State{Attempted: true, Snapshot: evaltest.Compile(t, closures())}
			is := specsync.State{Attempted: true, Snapshot: evaltest.Compile(t, tc.next)}
			bindings, projects := queuedBy(t, was, is)
			if diff := cmp.Diff(tc.want, bindings); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"checkout"}, projects); diff != "" {
				t.Errorf("projects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheFirstAnswerQueuesAllBindings(t *testing.T) {
	snapshot := evaltest.Compile(t, closures())
	for name, tc := range map[string]struct {
		was, is specsync.State
		want    []string
	}{
		"Specs come":                        {specsync.State{}, specsync.State{Attempted: true, Snapshot: snapshot}, ofProject},
		"No specs come":                     {specsync.State{}, specsync.State{Attempted: true, Err: specsync.ErrNoSpecs}, ofProject},
		"Specs come after a failure":        {specsync.State{Attempted: true}, specsync.State{Attempted: true, Snapshot: snapshot}, ofProject},
		"Specs come, but the lists not yet": {specsync.State{}, specsync.State{Snapshot: snapshot}, ofProject},
		"A failure after specs touches nobody": {
			specsync.State{Attempted: true, Snapshot: snapshot},
			specsync.State{Attempted: true, Snapshot: snapshot, Err: specsync.ErrUnauthorized}, nil,
		},
		"A failure without specs touches nobody": {
			specsync.State{Attempted: true, Err: specsync.ErrNoSpecs}, specsync.State{Attempted: true, Err: specsync.ErrUnauthorized}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bindings, projects := queuedBy(t, tc.was, tc.is)
			if diff := cmp.Diff(tc.want, bindings); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"checkout"}, projects); diff != "" {
				t.Errorf("projects (-want +got):\n%s", diff)
			}
		})
	}
}

// downloadLists gets the demo project's ID lists from a server, as a syncer does.
func downloadLists(t *testing.T) *specsync.IDLists {
	t.Helper()
	key := secret.NewKey(testKey)
	server := statsigtest.Start(t, statsigtest.Options{Keys: []secret.Key{key}})
	httpClient, err := specsync.NewClient(specsync.ClientOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	source, err := specsync.NewHTTPSource(httpClient, "HTTP", server.URL())
	if err != nil {
		t.Fatal(err)
	}
	syncer, err := specsync.New(specsync.Options{
		Client: httpClient, Sources: []specsync.Source{source}, IDLists: specsync.IDListOptions{Enabled: true, URL: server.IDListsURL()},
	})
	if err != nil {
		t.Fatal(err)
	}
	attempted := make(chan specsync.State, 1)
	defer syncer.Subscribe(func(was, is specsync.State) {
		if is.Attempted && !was.Attempted {
			attempted <- is
		}
	})()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- syncer.Run(ctx) }()
	state := <-attempted
	cancel()
	if err := <-ended; err != nil || state.IDListsErr != nil {
		t.Fatal(err, state.IDListsErr)
	}
	return state.IDLists
}

func TestANewIDListQueuesTheBindingsThatReadIt(t *testing.T) {
	lists := downloadLists(t)
	if diff := cmp.Diff([]string{"beta_workloads"}, lists.Names()); diff != "" {
		t.Fatalf("lists of the demo project (-want +got):\n%s", diff)
	}
	other := closures(evaltest.NewGate("listed").Rule(evaltest.NewRule("r").When(evaltest.InSegmentList("another_list"))))
	for name, tc := range map[string]struct {
		document *evaltest.Document
		was, is  *specsync.IDLists
		want     []string
	}{
		"A list that appears touches those whose gates read it": {closures(), nil, lists, []string{"nested-list"}},
		"A list that vanishes touches them too":                 {closures(), lists, nil, []string{"nested-list"}},
		"A list that stays touches nobody":                      {closures(), lists, lists, nil},
		"A list that nobody reads touches nobody":               {other, nil, lists, nil},
	} {
		t.Run(name, func(t *testing.T) {
			snapshot := evaltest.Compile(t, tc.document)
			state := func(lists *specsync.IDLists) specsync.State {
				return specsync.State{Attempted: true, Snapshot: snapshot, IDLists: lists}
			}
			bindings, _ := queuedBy(t, state(tc.was), state(tc.is))
			if diff := cmp.Diff(tc.want, bindings); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
		})
	}
	member := eval.NewUser(eval.UserAttributes{UserID: "shop/search"})
	evaluator := eval.NewEvaluator(evaltest.Compile(t, closures()), eval.Options{IDLists: lists})
	if !evaluator.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "nested_list"}, member, noon, nil).Pass {
		t.Error("a member of the list fails the gate, so the lists downloaded prove nothing")
	}
}

func TestSamplingFollowsTheSpecs(t *testing.T) {
	for name, tc := range map[string]struct {
		mode string
		// want is the number of rules that the sampler had to remember.
		want int
	}{
		"Without sampling every exposure is taken": {"", 0},
		"Specs that ask for sampling get it":       {`"sdk_configs":{"sampling_mode":"on"},`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunning(t)
				specs := &corev1.ConfigMap{}
				must(t, r.cluster.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "specs"}, specs))
				sampled := strings.Replace(string(everyKind().Time(9_000).JSON(t)), "{", "{"+tc.mode, 1)
				check := func(when string, logger *events.Logger) {
					t.Helper()
					logger.Expose(events.Exposure{Result: eval.Result{Ref: eval.Ref{Kind: eval.KindGate, Name: "on"}}})
					if got := logger.Stats().SamplingKeys; got != tc.want {
						t.Errorf("%s: %d rules are sampled, want %d", when, got, tc.want)
					}
				}
				project := newProject("a").Sources(mapSource).Obj()
				first := r.ensured(t, project, plainKey)
				specs.Data["json"] = sampled
				must(t, r.cluster.Update(t.Context(), specs))
				time.Sleep(time.Minute)
				synctest.Wait()
				check("after new specs", first.logger)
				project.Spec.Events = &v1alpha1.EventsSpec{URL: "https://events.example.com/v1"}
				second := r.ensured(t, project, plainKey)
				if second.logger == first.logger {
					t.Fatal("other events have the same logger")
				}
				check("after a new logger for the same specs", second.logger)
			})
		})
	}
}
