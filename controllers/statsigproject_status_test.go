package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

const testKey = "secret-0123456789abcdefghijklmn"

// poll is one answer of a source; a nil poll never comes back.
type poll func() (specsync.Answer, error)

func document(text string) poll {
	return func() (specsync.Answer, error) {
		return specsync.Answer{Document: []byte(text), Origin: specsync.OriginNetwork}, nil
	}
}

func failing(err error) poll {
	return func() (specsync.Answer, error) { return specsync.Answer{}, err }
}

// startRuntime runs a syncer in a bubble. Its source gives the answers one after the other, and the last for good; a second source,
// if any, gives one answer for good. It returns when the first poll is over, or waits for an answer.
func startRuntime(t *testing.T, answers []poll, second poll) *projectRuntime {
	t.Helper()
	client, err := specsync.NewClient(specsync.ClientOptions{Key: secret.NewKey(testKey)})
	if err != nil {
		t.Fatal(err)
	}
	first := specsync.NewSource("CDN", "first", func(ctx context.Context, _ specsync.Have) (specsync.Answer, error) {
		next := answers[0]
		answers = answers[min(1, len(answers)-1):]
		if next == nil {
			<-ctx.Done()
			return specsync.Answer{}, ctx.Err()
		}
		return next()
	})
	options := specsync.Options{Client: client, Sources: []specsync.Source{first}, Timeout: 24 * time.Hour}
	if second != nil {
		options.Sources = append(options.Sources, specsync.NewSource("API", "second",
			func(context.Context, specsync.Have) (specsync.Answer, error) { return second() }))
	}
	pool := specsync.NewPool()
	lease, err := pool.Acquire(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- pool.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return &projectRuntime{lease: lease}
}

// projectCase is what a reconcile of a project observed and the conditions that it comes to.
type projectCase struct {
	answers []poll
	second  poll
	// wait is how long after the first poll the project is looked at.
	wait   time.Duration
	change func(*projectScope)
	want   map[string]string
	// says is a part of the message of SpecsFresh.
	says string
}

var projectIsWell = map[string]string{
	"Ready": "True Synced", "CredentialsValid": "True Accepted", "SpecsFresh": "True Synced", "EventsFlowing": "True Disabled",
}

func checkProjectStatus(t *testing.T, tc projectCase) {
	t.Helper()
	s := &projectScope{project: newProject("checkout").Obj(), bindings: 2}
	if tc.answers != nil {
		s.running = startRuntime(t, tc.answers, tc.second)
	}
	time.Sleep(tc.wait)
	synctest.Wait()
	s.now = time.Now()
	if tc.change != nil {
		tc.change(s)
	}
	computeProjectStatus(s, scrubNothing)
	status := &s.project.Status
	checkKstatus(t, status.Conditions, s.project.Generation)
	if status.ObservedGeneration != s.project.Generation || status.Bindings != 2 {
		t.Errorf("observedGeneration and bindings: want 2 and 2, got %d and %d", status.ObservedGeneration, status.Bindings)
	}
	want := maps.Clone(projectIsWell)
	maps.Copy(want, tc.want)
	if diff := cmp.Diff(want, summarize(status.Conditions)); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if got := messageOf(status.Conditions, "SpecsFresh"); !strings.Contains(got, tc.says) {
		t.Errorf("message of SpecsFresh: want %q in it, got %q", tc.says, got)
	}
	before := status.DeepCopy()
	s.now = s.now.Add(time.Second)
	computeProjectStatus(s, scrubNothing)
	if !equality.Semantic.DeepEqual(before, status) {
		t.Errorf("status computed twice (-first +second):\n%s", cmp.Diff(before, status))
	}
}

// goodSpecs is a proper answer of a source.
func goodSpecs(t *testing.T) poll {
	t.Helper()
	return document(string(evaltest.NewDocument(evaltest.NewGate("on")).JSON(t)))
}

func TestConditionsOfAProjectByItsKey(t *testing.T) {
	good := goodSpecs(t)
	refused := failing(&specsync.StatusError{Code: 403})
	secretMissing := func(s *projectScope) {
		s.key.reason, s.key.message = v1alpha1.ReasonSecretNotFound, "Secret statsig does not exist."
		s.setUpErr = errWaits
	}
	notRun := func(credentials string) map[string]string {
		return map[string]string{"SpecsFresh": "Unknown Pending", "EventsFlowing": "Unknown Pending", "CredentialsValid": credentials}
	}
	for name, tc := range map[string]projectCase{
		"No key is asked for": {
			answers: []poll{good}, change: func(s *projectScope) { s.project.Spec.SDKKeySecretRef = nil },
			want: map[string]string{"CredentialsValid": "True NotRequired"},
		},
		"The Secret is missing": {
			change: secretMissing,
			want:   unready("False SecretNotFound", "Stalled", notRun("False SecretNotFound")),
		},
		"The Secret goes missing while specs are served": {
			answers: []poll{good}, change: secretMissing,
			want: unready("False SecretNotFound", "Stalled", map[string]string{"CredentialsValid": "False SecretNotFound"}),
		},
		"The key in the Secret is missing": {
			change: func(s *projectScope) {
				s.key.reason, s.key.message = v1alpha1.ReasonKeyNotFound, "Secret statsig has no value."
			},
			want: unready("False KeyNotFound", "Stalled", notRun("False KeyNotFound")),
		},
		"The key is refused": {
			answers: []poll{refused},
			want: unready("False Unauthorized", "Stalled", map[string]string{
				"CredentialsValid": "False Unauthorized", "SpecsFresh": "False FetchFailed",
			}),
		},
		"The key is refused after it was accepted": {
			answers: []poll{good, refused}, wait: 15 * time.Second,
			want: unready("False Unauthorized", "Stalled", map[string]string{"CredentialsValid": "False Unauthorized"}),
		},
		"The key is refused by the first source, and the second serves": {
			answers: []poll{refused}, second: good,
			want: unready("False Unauthorized", "Stalled", map[string]string{"CredentialsValid": "False Unauthorized"}),
		},
		"The Secret cannot be read": {
			answers: []poll{good}, says: "The specs are as new as the sources have them.",
			change: func(s *projectScope) {
				s.phaseErr = errors.New("reading Secret statsig: the server is away")
				s.bindings, s.project.Status.Bindings = 0, 2
			},
			want: unready("False InternalError", "Reconciling", nil),
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { checkProjectStatus(t, tc) }) })
	}
}

func TestConditionsOfAProjectByItsSpecs(t *testing.T) {
	good := goodSpecs(t)
	foreign := document(string(evaltest.NewDocument(evaltest.NewGate("on")).With("hashed_sdk_key_used", "12345").JSON(t)))
	broken := failing(errors.New("asking https://api.statsigcdn.com: no answer in time"))
	// neverServed also says that the key has not been judged.
	neverServed := func(reason string) map[string]string {
		return unready("False "+reason, "Reconciling", map[string]string{"CredentialsValid": "Unknown Pending", "SpecsFresh": "False " + reason})
	}
	notFresh := func(reason string) map[string]string {
		return unready("False "+reason, "Reconciling", map[string]string{"SpecsFresh": "False " + reason})
	}
	for name, tc := range map[string]projectCase{
		"The first answer is outstanding": {
			answers: []poll{nil},
			want:    unready("Unknown Pending", "Reconciling", map[string]string{"CredentialsValid": "Unknown Pending", "SpecsFresh": "Unknown Pending"}),
		},
		"The specs are no JSON": {
			answers: []poll{document("<html>")}, says: "There are no earlier ones: entries keep their values or take their defaults.",
			want: neverServed("Malformed"),
		},
		"The specs are cut off after good ones": {
			answers: []poll{good, document(`{"has_updates":true,"feature_gates":{"on":`)}, wait: 15 * time.Second,
			says: "The previous ones stay in use.",
			want: notFresh("Malformed"),
		},
		"The specs have the wrong shape": {
			answers: []poll{document(`{"has_updates":true,"feature_gates":7}`)},
			want:    neverServed("Malformed"),
		},
		"The specs are another project's": {
			answers: []poll{foreign}, says: "made for another SDK key",
			want: neverServed("WrongProject"),
		},
		"The specs turn into another project's": {
			answers: []poll{good, foreign}, wait: 15 * time.Second, says: "The previous ones stay in use.",
			want: notFresh("WrongProject"),
		},
		"There is nothing new, but nothing was held": {
			answers: []poll{document(`{"has_updates":false}`)},
			want:    neverServed("NoValues"),
		},
		"No source answers": {
			answers: []poll{broken}, says: "Fetching config specs from CDN: asking https://api.statsigcdn.com: no answer in time.",
			want: neverServed("FetchFailed"),
		},
		"No source answers for a while": {answers: []poll{good, broken}, wait: 15 * time.Second, says: "The specs are in use."},
		"No source answers for too long to be quiet": {
			answers: []poll{good, broken}, wait: 3 * time.Minute, says: "for 2m0s. The last good ones stay in use.",
			want: map[string]string{"Ready": "True Late", "SpecsFresh": "Unknown Late"},
		},
		"No source answers for too long": {
			answers: []poll{good, broken}, wait: 2 * time.Hour, says: "for 1h0m0s. The last good ones stay in use.",
			want: notFresh("Stale"),
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { checkProjectStatus(t, tc) }) })
	}
}

func TestConditionsOfAProjectByItsState(t *testing.T) {
	good := goodSpecs(t)
	for name, tc := range map[string]projectCase{
		"All is well": {answers: []poll{good}},
		"The project is suspended": {
			change: func(s *projectScope) { s.project.Spec.Suspend = true },
			want: map[string]string{
				"Ready": "False Suspended", "CredentialsValid": "Unknown Pending", "SpecsFresh": "Unknown Suspended",
				"EventsFlowing": "Unknown Suspended",
			},
		},
		"The spec cannot be set up": {
			change: func(s *projectScope) { s.setUpErr = errors.New("setting up a source of type File: no files here") },
			want: unready("False Invalid", "Stalled", map[string]string{
				"CredentialsValid": "Unknown Pending", "SpecsFresh": "Unknown Pending", "EventsFlowing": "Unknown Pending",
			}),
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { checkProjectStatus(t, tc) }) })
	}
}

func TestStalenessHasAProjectsOwnLimits(t *testing.T) {
	good := goodSpecs(t)
	broken := failing(errors.New("no answer in time"))
	limits := func(warn, fail time.Duration) *v1alpha1.StalenessSpec {
		return &v1alpha1.StalenessSpec{WarnAfter: durationOf(warn), FailAfter: durationOf(fail)}
	}
	for name, tc := range map[string]struct {
		limits     *v1alpha1.StalenessSpec
		answers    []poll
		age        time.Duration
		wantReason string
		wantNext   time.Duration
	}{
		"By default it is late after two minutes":        {nil, []poll{good, broken}, time.Minute, "Synced", time.Minute},
		"And stale after an hour":                        {nil, []poll{good, broken}, 2 * time.Minute, "Late", 58 * time.Minute},
		"After that nothing gets worse":                  {nil, []poll{good, broken}, time.Hour, "Stale", 0},
		"Its own limits count":                           {limits(time.Hour, 3*time.Hour), []poll{good, broken}, 2 * time.Hour, "Late", time.Hour},
		"A limit for failing below that for warning":     {limits(time.Hour, time.Minute), []poll{good, broken}, 30 * time.Second, "Synced", 30 * time.Second},
		"Late is left out where failing comes before it": {limits(time.Hour, time.Minute), []poll{good, broken}, time.Minute, "Stale", 59 * time.Minute},
		"Confirmed specs do not age":                     {nil, []poll{good}, 3 * time.Hour, "Synced", 0},
		"Without specs there is nothing to age":          {nil, []poll{broken}, 3 * time.Hour, "FetchFailed", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &projectScope{project: newProject("checkout").Obj(), running: startRuntime(t, tc.answers, nil)}
				time.Sleep(15 * time.Second)
				synctest.Wait()
				s.project.Spec.Staleness = tc.limits
				s.now = s.running.state().LastSuccess.Add(tc.age)
				if got := specsVerdict(s).reason; got != tc.wantReason {
					t.Errorf("reason after %s: want %s, got %s", tc.age, tc.wantReason, got)
				}
				if got := s.untilStale(); got != tc.wantNext {
					t.Errorf("next look after %s: want in %s, got %s", tc.age, tc.wantNext, got)
				}
			})
		})
	}
	if got := new(projectScope).untilStale(); got != 0 {
		t.Errorf("untilStale() of a project that does not run: want 0, got %s", got)
	}
}

func TestSpecsInStatus(t *testing.T) {
	changed := time.Date(2026, time.January, 2, 3, 4, 5, 678e6, time.UTC)
	snapshot := evaltest.Compile(t, everyKind().Time(changed.UnixMilli()))
	got := specsStatus(specsync.State{Snapshot: snapshot, SourceName: "CDN"}, scrubNothing)
	want := &v1alpha1.SpecsStatus{
		Source: "CDN", Hash: snapshot.Hash()[:8], Gates: 6, DynamicConfigs: 2, Experiments: 2, Layers: 1, ParameterStores: 1,
		LastConfigUpdate: timeOf(changed.Truncate(time.Second)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("specsStatus() (-want +got):\n%s", diff)
	}
	if got := specsStatus(specsync.State{}, scrubNothing); got != nil {
		t.Errorf("specsStatus() without specs: want none, got %+v", got)
	}
}

func TestSkippedSpecsAreNamedOnceAndBounded(t *testing.T) {
	problems := []eval.Problem{
		{Kind: eval.KindGate, Name: "a", Message: "key " + testKey + " stands in it"},
		{Kind: eval.KindGate, Name: "a", Message: "again"},
		{Kind: eval.KindLayer, Name: "a", Message: strings.Repeat("m", 1000)},
		{Kind: eval.KindGate, Name: strings.Repeat("n", 1000) + "1", Message: "long"},
		{Kind: eval.KindGate, Name: strings.Repeat("n", 1000) + "2", Message: "cut to the same name"},
	}
	got := skippedSpecs(problems, scrubNothing)
	want := []v1alpha1.SkippedSpec{
		{Kind: "Gate", Name: "a", Message: "key [redacted] stands in it"},
		{Kind: "Layer", Name: "a", Message: strings.Repeat("m", 253) + "…"},
		{Kind: "Gate", Name: strings.Repeat("n", 125) + "…", Message: "long"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("skippedSpecs() (-want +got):\n%s", diff)
	}
	for i := range 100 {
		problems = append(problems, eval.Problem{Kind: eval.KindGate, Name: fmt.Sprint(i)})
	}
	if got := skippedSpecs(problems, scrubNothing); len(got) != 10 {
		t.Errorf("skippedSpecs() of many: want 10, got %d", len(got))
	}
}
